"""Sections about purchasing: what is critical, the draft orders, and what is in none of them."""

from __future__ import annotations

from collections.abc import Sequence

from agents.data_intelligence.predictive_analytics.baskets.drafts import (
    DraftLine,
    DraftOrder,
    HeldItem,
    PurchasePlan,
)
from agents.data_intelligence.predictive_analytics.purchasing.critical_items import (
    CriticalItem,
    CriticalStock,
    Why,
    reason_of,
)
from flows.reports.model import Cell, Chart, PlacedOrder, Section, Table, count, money, short
from flows.reports.placed_orders import what_became

LINES = 25
"""Lines of a draft that a report shows; all of them are in the CSV."""

BARS = 10
"""Items of the chart."""

NOTHING_IS_SENT = "Drafts only: nothing has been sent to anybody."


def headline(
    stock: CriticalStock,
    plan: PurchasePlan | None,
    placed: Sequence[PlacedOrder] = (),
    waiting: int = 0,
) -> str:
    """What a manager has to know, in a few sentences.

    Args:
        stock: What is critical.
        plan: The drafts.
        placed: What became of them.
        waiting: Orders of earlier runs that wait for a person's yes.
    """
    parts = [_critical_in_short(stock)]
    if plan is None:
        parts.append("No orders could be drafted.")
    elif plan.orders:
        worth = "" if plan.total is None else f" worth {money(float(plan.total), plan.currency)}"
        lines = sum(len(order.lines) for order in plan.orders)
        names = ", ".join(order.supplier for order in plan.orders[:3])
        more = f" and {len(plan.orders) - 3} more" if len(plan.orders) > 3 else ""
        parts.append(
            f"{count(len(plan.orders), 'draft order')} with {count(lines, 'line')}{worth}: "
            f"{names}{more}."
        )
    else:
        more = " more" if stock.items else ""
        parts.append(f"Nothing{more} has to be ordered.")
    if waiting:
        parts.append(f"{count(waiting, 'earlier order')} still waiting for a yes.")
    if placed:
        parts.append(what_became(placed))
    if plan and plan.held:
        parts.append(f"{count(len(plan.held), 'item')} held for a person to look at.")
    return " ".join(parts)


def _critical_in_short(stock: CriticalStock) -> str:
    if not stock.items:
        return f"None of {count(stock.looked_at, 'item')} is critical."
    owed, out = len(stock.of(Why.OWED)), len(stock.of(Why.OUT))
    told = [f"{owed} owed to customers" if owed else "", f"{out} out of stock" if out else ""]
    which = f" ({', '.join(filter(None, told))})" if any(told) else ""
    loss = money(stock.lost_margin_per_day, stock.currency)
    verb = "is" if len(stock.items) == 1 else "are"
    return (
        f"{count(len(stock.items), 'item')} of {stock.looked_at:,} {verb} critical{which}, "
        f"expected to lose {loss} per day."
    )


def critical(stock: CriticalStock, top: int) -> Section:
    """The critical items, those first that lose already."""
    text = [_critical_in_short(stock), stock.basis]
    if stock.items:
        text.append(
            "Those that customers wait for come first, then those that are out, then those that "
            "may run out; each group by expected loss."
        )
    if stock.costless:
        text.append(
            f"Of {count(stock.costless, 'item')} nobody knows the cost: ranked by revenue, the "
            "others by margin."
        )
    if stock.unpriced:
        text.append(f"Of {count(stock.unpriced, 'item')} the loss is not known.")
    shown = stock.items[:top]
    if not shown:
        return Section(title="Critical stock", text=" ".join(text))
    return Section(
        title="Critical stock",
        text=" ".join(text),
        tables=[_critical_items(shown, stock.currency, len(stock.items))],
        charts=_losses(shown, stock.currency),
    )


def _critical_items(items: Sequence[CriticalItem], currency: str, of: int) -> Table:
    return Table(
        columns=["SKU", "Days", "Loss", "What and why"],
        rows=[
            [
                item.sku,
                None if item.days_of_cover is None else round(item.days_of_cover, 1),
                _loss(item),
                f"{item.name}: {reason_of(item)}",
            ]
            for item in items
        ],
        note="Days: how long what is free lasts. Loss: what is expected to be lost per day "
        f"({currency})." + (f" {of - len(items)} more, of less weight." if of > len(items) else ""),
    )


def _losses(items: Sequence[CriticalItem], currency: str) -> list[Chart]:
    known = sorted(
        (item for item in items if item.lost_margin_per_day),
        key=lambda item: -(item.lost_margin_per_day or 0.0),
    )[:BARS]
    if not known:
        return []
    return [
        Chart(
            title="What is lost per day",
            kind="bar",
            unit=currency,
            x=[short(item.name) for item in known],
            series={"loss": [_loss(item) for item in known]},
        )
    ]


def _loss(item: CriticalItem) -> float | None:
    return None if item.lost_margin_per_day is None else round(item.lost_margin_per_day, 2)


def drafts(plan: PurchasePlan, lines: int = LINES, *, is_placed: bool = False) -> list[Section]:
    """One section per draft order, and one about what they rest on.

    Args:
        plan: The drafts.
        lines: Lines of each that are shown.
        is_placed: Whether they became orders, of which another section tells.
    """
    if not plan.orders:
        text = f"Nothing has to be ordered. {plan.demand_basis}"
        return [Section(title="Draft orders", text=text)]
    total = "" if plan.total is None else f", together {money(float(plan.total), plan.currency)}"
    told = [f"{count(len(plan.orders), 'order')}{total}.", "" if is_placed else NOTHING_IS_SENT]
    about = Section(title="Draft orders", text=" ".join(filter(None, [*told, plan.demand_basis])))
    return [about, *(_draft(order, plan.currency, lines) for order in plan.orders)]


def _draft(order: DraftOrder, currency: str, most: int) -> Section:
    own = order.total_in_store_currency
    exchanged = order.currency != currency and own is not None
    amount = money(float(order.total), order.currency)
    amount += f" ({money(float(own or 0), currency)})" if exchanged else ""
    freight = (
        f"{money(float(order.goods), order.currency)} goods and "
        f"{money(float(order.freight), order.currency)} freight"
        if order.freight
        else "no freight"
    )
    text = [
        f"{count(len(order.lines), 'line')}, {amount}: {freight}. Ordered today, it arrives about "
        f"{order.arrives_on:%d %B} ({count(order.lead_time_days, 'day')}).",
        *order.notes,
    ]
    shown = order.lines[:most]
    rest = len(order.lines) - len(shown)
    return Section(
        title=f"Order to {order.supplier}: {amount}",
        text=" ".join(text),
        tables=[
            _lines(shown, order.currency, currency, rest),
            _reasons(shown),
        ],
    )


def _lines(lines: Sequence[DraftLine], order_currency: str, currency: str, rest: int) -> Table:
    rows: list[list[Cell]] = [
        [
            line.sku,
            short(line.name, 24),
            line.units,
            float(line.value),
            line.free,
            line.on_order,
            None if line.days_of_cover is None else round(line.days_of_cover, 1),
            None if line.waiting_cost_per_day is None else float(line.waiting_cost_per_day),
        ]
        for line in lines
    ]
    notes = [
        "Days: how long what is free lasts.",
        f"Waiting: margin that each day without this order is expected to lose ({currency}).",
        f"{count(rest, 'more line')} in the CSV." if rest else "",
    ]
    return Table(
        columns=["SKU", "Product", "Order", order_currency, "Free", "On order", "Days", "Waiting"],
        rows=rows,
        note=" ".join(filter(None, notes)),
    )


def _reasons(lines: Sequence[DraftLine]) -> Table:
    return Table(
        columns=["SKU", "Why this item, so many, from them"],
        rows=[[line.sku, _reason(line)] for line in lines],
    )


def _reason(line: DraftLine) -> str:
    told = [line.why_item, line.why_units, *line.guards, line.why_supplier]
    if line.rules:
        rules = ", ".join(f"{name} {units:,.0f}" for name, units in line.rules.items())
        told.append(f"By the rules of ERP systems: {rules}.")
    return " ".join(filter(None, told))


def held(plan: PurchasePlan | None, stock: CriticalStock, top: int) -> list[Section]:
    """What needs an order and is in none, with the reason; and records nobody should trust."""
    sections = []
    if plan and plan.held:
        sections.append(_held_items(plan.held, plan.currency, top))
    if plan is None and stock.held:
        sections.append(_held_records(stock, top))
    if plan and plan.covered:
        names = {item.sku: item.name for item in stock.items}
        shown = list(plan.covered.items())[:top]
        sections.append(
            Section(
                title="Critical, and ordered already",
                text=f"{count(len(plan.covered), 'critical item')} that need no further order.",
                tables=[
                    Table(
                        columns=["SKU", "Product", "Why no order"],
                        rows=[[sku, names.get(sku, sku), why] for sku, why in shown],
                    )
                ],
            )
        )
    return sections


def _held_items(items: Sequence[HeldItem], currency: str, top: int) -> Section:
    kinds = dict.fromkeys(item.hold for item in items)
    told = ", ".join(f"{sum(i.hold is kind for i in items)} {kind.value}" for kind in kinds)
    return Section(
        title="Held for a person",
        text=f"{count(len(items), 'item')} in no draft: {told}.",
        tables=[
            Table(
                columns=["SKU", "Product", "Units", "Loss", "Why it is held"],
                rows=[
                    [
                        item.sku,
                        item.name,
                        item.units,
                        None if item.loss_per_day is None else float(item.loss_per_day),
                        f"{item.hold.value}: {item.reason}",
                    ]
                    for item in items[:top]
                ],
                note=f"Loss: what is expected to be lost per day ({currency})."
                + (f" {len(items) - top} more." if len(items) > top else ""),
            )
        ],
    )


def _held_records(stock: CriticalStock, top: int) -> Section:
    return Section(
        title="Records that cannot be trusted",
        text="They are not acted on until somebody has put them right.",
        tables=[
            Table(
                columns=["SKU", "Product", "Records", "Why"],
                rows=[[r.sku, r.name, r.rows, r.reason] for r in stock.held[:top]],
            )
        ],
    )
