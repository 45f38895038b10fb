"""What became of draft orders, in a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from blocks.ledger.purchasing.records import OrderStage
from flows.reports.model import PlacedOrder, Section, Table


def section(orders: Sequence[PlacedOrder]) -> Section:
    """What became of the drafts."""
    return Section(
        title="Orders",
        text=what_became(orders),
        tables=[
            Table(
                columns=["Order", "Supplier", "Lines", "Value", "Stands"],
                rows=[
                    [
                        order.reference or "-",
                        order.supplier,
                        order.lines,
                        f"{order.total:,.2f} {order.currency}",
                        order.stage.value if order.stage else "not ordered",
                    ]
                    for order in orders
                ],
                note="Yes or no: ./orchestrator approvals, or the status page."
                if any(order.stage is OrderStage.PROPOSED for order in orders)
                else "",
            ),
            Table(
                columns=["Supplier", "What happened, and why"],
                rows=[[order.supplier, order.detail] for order in orders],
            ),
        ],
    )


WAITS = "waiting for a yes"

_BECAME = {
    OrderStage.PROPOSED: WAITS,
    OrderStage.SHADOW: "looked at only",
    OrderStage.FAILED: "refused by the supplier",
    OrderStage.REJECTED: "refused by the supplier",
    OrderStage.DECLINED: "not sent",
    OrderStage.UNKNOWN: "sent without an answer",
    OrderStage.APPROVED: "being sent",
    OrderStage.SENDING: "being sent",
}
"""How drafts ended; those at any other stage are with their supplier."""


def stands(order: PlacedOrder) -> str:
    """What became of a draft, in a word or a few."""
    return _BECAME.get(order.stage, "sent") if order.stage else "not ordered"


def what_became(orders: Sequence[PlacedOrder]) -> str:
    """What became of the drafts, in a sentence."""
    became = Counter(stands(order) for order in orders)
    return f"What became of them: {', '.join(f'{n} {what}' for what, n in became.most_common())}."
