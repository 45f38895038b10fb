"""Which items take part, with their offers: those that are due, and those that may join them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.baskets.candidates import (
    COVER_DAYS,
    Quantities,
    quantities,
)
from agents.data_intelligence.predictive_analytics.baskets.cycles import (
    Asked,
    Cycles,
    Offered,
    find_cycles,
)
from agents.data_intelligence.predictive_analytics.baskets.market import Market
from agents.data_intelligence.predictive_analytics.baskets.outlook import (
    LEAD_TIME_CV,
    Ints,
    Outlook,
)
from agents.data_intelligence.predictive_analytics.baskets.stakes import Goods, Stakes
from agents.data_intelligence.predictive_analytics.demand.demand import Demand
from agents.data_intelligence.predictive_analytics.ordering.economics import Economics
from agents.statistics import Floats
from blocks.errors import ContractViolation

COLUMNS = ("free", "on_order", "reorder_point", "order_up_to", "protection_days")

MOST_JOINED = 1_000
"""Items per supplier that may join its order without being due, those due next first."""

DAYS_PER_YEAR = 365.0


@dataclass(frozen=True)
class Needs:
    """Items that take part, with what each way of ordering them costs.

    Attributes:
        table: The items, indexed by SKU, in the order of ``stakes.goods``.
        rows: Row in the market of each offer of ``stakes.offered``.
        suppliers: Names, in the order of ``stakes.asked``.
        stakes: Costs are reckoned from it.
        quantities: That may be bought of each offer.
        close_to: The same, and those close to some units of each offer (NaN: none).
        wanted: Units that each offer's item needs of it, not rounded.
        guessed: Items whose margin nobody knows.
    """

    table: pd.DataFrame
    rows: Ints
    suppliers: list[str]
    stakes: Stakes
    quantities: Quantities
    close_to: Callable[[Floats], Quantities]
    wanted: Floats
    guessed: NDArray[np.bool_]


def by_sku(items: pd.DataFrame) -> pd.DataFrame:
    """The table of proposals, indexed by SKU, with ``due`` and ``held`` on every row.

    Raises:
        ContractViolation: A column is missing, or an SKU comes twice.
    """
    table = items.set_index("sku") if "sku" in items else items
    if missing := [column for column in COLUMNS if column not in table]:
        raise ContractViolation(
            f"The items to order lack {', '.join(missing)}.",
            hint="Pass the table of ordering.proposals.",
        )
    if table.index.has_duplicates:
        twice = table.index[table.index.duplicated()][0]
        raise ContractViolation(f"The item {twice!r} is to be ordered twice.", hint="Give it once.")
    position = table["free"] + table["on_order"]
    due = table["due"] if "due" in table else position <= table["reorder_point"]
    known = np.isfinite(position) & table[["reorder_point", "order_up_to"]].notna().all(axis=1)
    held = table["held"].fillna("") if "held" in table else ""
    name = table.get("name", pd.Series(table.index, table.index))
    return table.assign(due=due.astype(bool) & known, held=held, name=name, known=known)


def gather(
    table: pd.DataFrame,
    demand: Demand,
    market: Market,
    economics: Economics,
    review_days: int,
    cover_days: int = COVER_DAYS,
    lead_time_cv: float = LEAD_TIME_CV,
) -> Needs:
    """The items that take part.

    Args:
        table: As ``by_sku`` makes it; all have an offer.
        demand: Of all of them.
        market: The offers.
        economics: One entry per SKU of ``demand``.
        review_days: From one review to the next.
        cover_days: Within which what is bought beyond need must sell.
        lead_time_cv: Standard deviation of a lead time as a share of it.
    """
    suppliers = list(market.suppliers)
    asked = _asked(market)
    outlook, rows, offered, goods, guessed = _state(
        table, demand, market, economics, review_days, suppliers, lead_time_cv
    )
    cycles = find_cycles(
        offered, asked, outlook, goods.cost, goods.margin,
        np.maximum(goods.up_to - goods.reorder, 0.0),
        economics.holding_per_year / DAYS_PER_YEAR, economics.line_cost, review_days,
    )  # fmt: skip
    some = _taking_part(goods, offered, cycles, outlook, asked)
    table, outlook = table.iloc[some], outlook.items(some)
    place = np.full(len(goods.due), -1)
    place[some] = np.arange(len(some))
    kept = np.flatnonzero(place[offered.item] >= 0)
    new_row = np.full(len(rows), -1)
    new_row[kept] = np.arange(len(kept))
    rows = rows[kept]
    offered = Offered(
        place[offered.item[kept]], offered.supplier[kept], offered.lead[kept], offered.price[kept]
    )
    goods = Goods(*(getattr(goods, name)[some] for name in goods.__dataclass_fields__))
    cycles = Cycles(cycles.days, new_row[cycles.home[some]], cycles.charge)
    of, per_day = offered.item, outlook.per_day[offered.item]
    position = goods.position[of]
    # Where an order is placed less often than at each review, it lasts until the next one arrives.
    cycle = per_day * (cycles.days[offered.supplier] - review_days)
    level = np.maximum(goods.up_to[of], goods.reorder[of] + cycle)
    wanted = level + per_day * (offered.lead - goods.lead[of]) - position
    keeps = market.offers["shelf_life_days"].to_numpy(dtype=float)[rows]
    limit = _column(table, "most_units", np.inf)[of]
    spoils = offered.lead + np.where(np.isnan(keeps), 0.0, np.minimum(keeps, 3650.0)).astype(int)
    fresh = np.where(np.isnan(keeps), np.inf, outlook.mean(of, spoils) - position)
    sells = outlook.mean(of, offered.lead + cover_days) - position
    able = quantities(market, rows, wanted, sells, fresh, limit)

    def close_to(units: Floats) -> Quantities:
        return quantities(market, rows, wanted, sells, fresh, limit, units)

    home = cycles.home
    most = np.minimum(able.most, able.available)[home]
    usual = np.clip(wanted[home], able.least[home], np.maximum(most, able.least[home]))
    cost = market.unit_cost(rows[home], usual)
    goods = Goods(
        goods.position, goods.reorder, goods.up_to, goods.lead, cost, goods.margin, goods.due
    )
    stakes = Stakes(
        goods, offered, outlook, cycles, asked,
        economics.holding_per_year / DAYS_PER_YEAR, economics.line_cost, review_days,
    )  # fmt: skip
    return Needs(table, rows, suppliers, stakes, able, close_to, wanted, guessed[some])


def _asked(market: Market) -> Asked:
    """The suppliers' terms in store money."""
    every = [
        (
            float(s.minimum * s.rate),
            float(s.freight * s.rate),
            np.inf if s.free_freight_from is None else float(s.free_freight_from * s.rate),
        )
        for s in market.suppliers.values()
    ]
    return Asked(*np.array(every, dtype=float).reshape(-1, 3).T)


def _state(
    table: pd.DataFrame,
    demand: Demand,
    market: Market,
    economics: Economics,
    review_days: int,
    suppliers: list[str],
    lead_time_cv: float,
) -> tuple[Outlook, Ints, Offered, Goods, NDArray[np.bool_]]:
    """The items with all their offers, sorted by item."""
    of_demand = pd.Index(demand.skus).get_indexer(table.index)
    if (of_demand < 0).any():
        raise ContractViolation(
            f"Nothing is known of the demand of {table.index[of_demand < 0][0]!r}.",
            hint="Make the demand with all SKUs that are to be ordered.",
        )
    outlook = Outlook(demand, of_demand, lead_time_cv)
    offers = market.offers
    item = table.index.get_indexer(pd.Index(offers["sku"]))
    rows = np.flatnonzero(item >= 0)
    rows = rows[np.argsort(item[rows], kind="stable")]
    supplier = pd.Index(suppliers).get_indexer(pd.Index(offers["supplier"].iloc[rows]))
    lead = offers["lead_time_days"].to_numpy(dtype=np.intp)[rows]
    position = _column(table, "free") + _column(table, "on_order")
    need = np.maximum(_column(table, "order_up_to") - position, 1.0)[item[rows]]
    least = offers["min_units"].to_numpy(dtype=float)[rows]
    available = offers["available_units"].fillna(np.inf).to_numpy(dtype=float)[rows]
    price = market.unit_cost(rows, np.minimum(np.maximum(need, least), available))
    cost = np.full(len(table), np.inf)
    np.minimum.at(cost, item[rows], price)
    margin, guessed = _margins(economics, of_demand, cost)
    protected = np.maximum(_column(table, "protection_days").astype(np.intp) - review_days, 0)
    goods = Goods(
        position, _column(table, "reorder_point"), _column(table, "order_up_to"), protected,
        cost, margin, table["due"].to_numpy(dtype=bool),
    )  # fmt: skip
    return outlook, rows, Offered(item[rows], supplier, lead, price), goods, guessed


def _margins(economics: Economics, rows: Ints, cost: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Margins, and which nobody knows.

    Those are taken as the others' usual share of the cost, or as the cost itself where no margin at
    all is known: what is not known must not make an item worthless.
    """
    margin = economics.margin[rows]
    unknown = ~np.isfinite(margin)
    share = margin[~unknown] / cost[~unknown]
    usual = float(np.median(share)) if len(share) else 1.0
    return np.maximum(np.where(unknown, usual * cost, margin), 0.0), unknown


def _taking_part(
    goods: Goods,
    offered: Offered,
    cycles: Cycles,
    outlook: Outlook,
    asked: Asked,
) -> Ints:
    """Items that are due, and those that may join the order of a supplier of theirs."""
    # Levels that were made for a shorter lead time than that of the usual offer are reached late.
    later = np.maximum(offered.lead[cycles.home] - goods.lead, 0) * outlook.per_day
    chosen = goods.due | (goods.position <= goods.reorder + later)
    if not asked.anything:
        return np.flatnonzero(chosen)
    home = offered.supplier[cycles.home]
    active = np.zeros(len(asked.freight), dtype=bool)
    active[offered.supplier[goods.due[offered.item]]] = True
    active &= (asked.freight > 0) | (asked.minimum > 0)
    above = np.maximum(goods.position - goods.reorder, 0.0)
    days = np.divide(
        above, outlook.per_day, out=np.full(len(above), np.inf), where=outlook.per_day > 0
    )
    able = np.flatnonzero(~goods.due & active[home] & np.isfinite(days))
    able = able[np.argsort(days[able], kind="stable")]
    rank = pd.Series(home[able]).groupby(home[able]).cumcount().to_numpy()
    chosen[able[rank < MOST_JOINED]] = True
    return np.flatnonzero(chosen)


def _column(table: pd.DataFrame, name: str, unknown: float = np.nan) -> Floats:
    if name not in table:
        return np.full(len(table), unknown)
    values = table[name].to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isnan(values), unknown, values)
