"""Following purchase orders: what suppliers say of them, what is late, who has to be told."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import flow

from blocks.ledger.purchasing.records import OrderRecord
from blocks.ledger.purchasing.stages import due_on
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.purchasing.following import follow_orders as follow
from flows.orchestrator.runs.endings import outlives_outages
from flows.orchestrator.team.opening import workflow_run
from flows.orchestrator.team.outcome import conclude
from flows.reports.model import Report, Section, Table, count


@flow(
    name="follow-orders",
    description=(
        "Asks suppliers about the orders under way, notices what is late, and tells people what "
        "they have to know. Sends no orders."
    ),
    timeout_seconds=900,
)
@outlives_outages
async def follow_orders() -> Report:
    """See how the orders under way stand.

    Raises:
        NoBusinessConfigured: There is nothing to look after yet.
        LedgerError: The ledger cannot be read or written.
    """
    async with workflow_run("follow-orders") as team:
        team.notes += await follow(team, team.business, utc_now())
        orders = await team.ledger.orders.under_way()
        report = await team.report(
            "Orders under way",
            f"{count(len(orders), 'order')} under way." if orders else "No order is under way.",
            sections=[_section(orders)] if orders else [],
            findings=[],
            replies=[],
        )
    return conclude(report)


def _section(orders: Sequence[OrderRecord]) -> Section:
    return Section(
        title="Orders under way",
        tables=[
            Table(
                columns=["Order", "Supplier", "Stands", "Value", "Due"],
                rows=[
                    [
                        order.reference,
                        order.supplier,
                        order.stage.value,
                        f"{order.total:,.2f} {order.currency}",
                        due_on(order).isoformat(),
                    ]
                    for order in orders
                ],
            )
        ],
    )
