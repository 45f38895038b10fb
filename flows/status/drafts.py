"""The last draft orders, as short as the status page tells them. Pure."""

from __future__ import annotations

from agents.data_intelligence.predictive_analytics.baskets.drafts import DraftLine
from flows.reports.last_orders import LastOrders
from flows.status.page_model import DraftInShort, Orders


def orders_in_short(last: LastOrders) -> Orders:
    """One line per draft; the report has the rest."""
    plan = last.plan
    waiting = [
        line.waiting_cost_per_day
        for order in plan.orders
        for line in order.lines
        if line.waiting_cost_per_day is not None
    ]
    return Orders(
        run_id=last.run_id,
        as_of=last.drafted_at,
        text=last.headline,
        orders=[
            DraftInShort(
                supplier=order.supplier,
                lines=len(order.lines),
                total=f"{order.total:,.2f}",
                currency=order.currency,
                arrives_on=order.arrives_on,
                first=_in_words(order.lines[0]) if order.lines else "",
            )
            for order in plan.orders
        ],
        held=len(plan.held),
        waiting_cost_per_day=float(sum(waiting)) if waiting else None,
    )


def _in_words(line: DraftLine) -> str:
    return f"{line.units:,} of {line.name}"
