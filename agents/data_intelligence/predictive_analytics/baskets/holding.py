"""Items that are due and in no order: the reason of each, with what it would take."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from agents.data_intelligence.predictive_analytics.baskets.drafts import HeldItem, Hold
from agents.data_intelligence.predictive_analytics.baskets.market import Market
from agents.data_intelligence.predictive_analytics.baskets.needs import Needs
from agents.data_intelligence.predictive_analytics.baskets.outlook import Ints
from agents.data_intelligence.predictive_analytics.baskets.refusals import Refusal
from agents.data_intelligence.predictive_analytics.baskets.ways import Ways, forced
from agents.statistics import Floats

CENT = Decimal("0.01")


def money(amount: float) -> Decimal | None:
    """An amount to the cent; None for what is not known."""
    return Decimal(str(round(amount, 6))).quantize(CENT) if np.isfinite(amount) else None


def guarded(table: pd.DataFrame) -> list[HeldItem]:
    """Items that a guard holds, whether an order would pay or not."""
    return [
        _held(row, Hold.GUARD, str(row.held))
        for row in table[(table["held"] != "") & table["due"]].itertuples()
    ]


def without_offer(table: pd.DataFrame, market: Market) -> list[HeldItem]:
    """Items that nobody offers, or only in a way that cannot be bought."""
    refused: dict[str, list[Refusal]] = {}
    for refusal in market.refusals:
        refused.setdefault(refusal.sku, []).append(refusal)
    held = []
    for row in table[table["held"] == ""].itertuples():
        if why := refused.get(str(row.Index)):
            hold = Hold.UNAVAILABLE if all(each.unavailable for each in why) else Hold.INVALID
            held.append(_held(row, hold, "; ".join(map(str, why))))
        else:
            nobody = "no supplier offers it: add it to a supplier's catalogue, or find another."
            held.append(_held(row, Hold.NO_OFFER, nobody))
    return held


def not_ordered(
    needs: Needs,
    ways: Ways,
    chosen: Ints,
    affordable: Ints,
    budget: Decimal | None,
    cover_days: int,
) -> list[HeldItem]:
    """Items that are due, and for which nothing is bought.

    Args:
        needs: All that take part.
        ways: Theirs.
        chosen: The way of each.
        affordable: The way that each would have without a budget.
        budget: The budget.
        cover_days: Within which what is bought beyond need must sell.
    """
    stakes = needs.stakes
    waiting = (ways.offer[chosen] < 0) & stakes.goods.due
    best = _best_order(ways)
    goods = _goods(needs, ways, chosen)
    lost = stakes.lost_waiting()
    # What would wait even if nothing were asked of the orders as a whole.
    later = forced(stakes, needs.quantities) & (best >= 0)
    later &= ways.cost[chosen] <= ways.cost[best]
    held = []
    items = np.flatnonzero(waiting)
    for item, row in zip(items.tolist(), needs.table.iloc[items].itertuples(), strict=True):
        loss = float(ways.lost[chosen[item]]) / stakes.review_days
        if best[item] < 0:
            held.append(_held(row, Hold.MINIMUM, _too_large(needs, item, cover_days), loss=loss))
            continue
        way = best[item]
        units = round(ways.units[way] + ways.other_units[way])
        if later[item]:
            reason = _better_later(needs, ways, int(way), lost[item])
            held.append(_held(row, Hold.WAITS, reason, units, loss))
            continue
        if budget is not None and ways.offer[affordable[item]] >= 0:
            value = ways.value[way] + ways.other_value[way]
            reason = (
                f"{units:,} units for {value:,.2f} are beyond the budget of {budget:,.2f}: what "
                "was ordered loses more per money spent by waiting."
            )
            held.append(_held(row, Hold.BUDGET, reason, units, loss))
            continue
        supplier = int(stakes.offered.supplier[ways.offer[way]])
        reason = _not_worth(needs, supplier, goods[supplier], lost[item])
        held.append(_held(row, Hold.MINIMUM, reason, units, loss))
    return held


def _held(
    row: Any, hold: Hold, reason: str, units: int | None = None, loss: float = float("nan")
) -> HeldItem:
    told = getattr(row, "waiting_cost_per_day", None)
    loss = float(told) if told is not None and np.isfinite(float(told)) else loss
    return HeldItem(
        sku=str(row.Index),
        name=str(row.name),
        hold=hold,
        reason=reason,
        units=units,
        loss_per_day=money(loss),
    )


def _best_order(ways: Ways) -> Ints:
    """Row of each item's cheapest way that buys something; -1 without."""
    cost = np.where(ways.offer >= 0, ways.cost, np.inf)
    order = np.lexsort((cost, ways.item))
    _, first = np.unique(ways.item[order], return_index=True)
    best = order[first]
    return np.where(np.isfinite(cost[best]), best, -1)


def _goods(needs: Needs, ways: Ways, chosen: Ints) -> Floats:
    """Store money of goods that would come together at each supplier, its due items included."""
    supplier = needs.stakes.offered.supplier
    goods = np.zeros(len(needs.suppliers))
    best = _best_order(ways)
    bought = ways.offer[chosen] >= 0
    way = np.where(bought, chosen, best)
    way = way[(way >= 0) & (bought | needs.stakes.goods.due)]
    np.add.at(goods, supplier[ways.offer[way]], ways.value[way])
    return goods


def _too_large(needs: Needs, item: int, cover_days: int) -> str:
    """The smallest order of each offer is more than sells in time."""
    stakes = needs.stakes
    per_day = stakes.outlook.per_day[item]
    told = []
    for offer in np.flatnonzero(stakes.offered.item == item):
        least = needs.quantities.least[offer]
        weeks = f"what sells in {least / per_day / 7:,.0f} weeks" if per_day > 0 else "never sold"
        told.append(
            f"{needs.suppliers[stakes.offered.supplier[offer]]} takes no order below {least:,.0f} "
            f"units, {weeks}; at most {max(needs.quantities.most[offer], 0):,.0f} sell in time"
        )
    return (
        "; ".join(told)
        + f" ({cover_days / 7:,.0f} weeks, or until it spoils): ask for a smaller pack, or order "
        "it by hand."
    )


def _better_later(needs: Needs, ways: Ways, way: int, lost: float) -> str:
    """More would have to be ordered than is wanted, and nothing is urgent."""
    offer, units = ways.offer[way], ways.units[way]
    name = needs.suppliers[needs.stakes.offered.supplier[offer]]
    return (
        f"{name} would bring {units:,.0f} units for {ways.value[way]:,.2f}, where its level asks "
        f"for {max(needs.wanted[offer], 0.0):,.1f}: to order and hold those costs more than the "
        f"{lost:,.2f} that waiting until the next review is expected to lose."
    )


def _not_worth(needs: Needs, supplier: int, goods: float, lost: float) -> str:
    """What its order lacks, or what the delivery would cost."""
    stakes, name = needs.stakes, needs.suppliers[supplier]
    minimum, freight = stakes.asked.minimum[supplier], stakes.asked.freight[supplier]
    wait = f"waiting until the next review is expected to lose {lost:,.2f}"
    if goods < minimum:
        return (
            f"{name} takes no order below {minimum:,.2f}; what is due there comes to {goods:,.2f}, "
            f"{minimum - goods:,.2f} less, and to fill it up is not worth it: {wait}."
        )
    return f"a delivery by {name} costs {freight:,.2f}, more than it is worth: {wait}."
