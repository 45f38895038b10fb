"""The last draft orders, for whoever asks: command line, API, status page."""

from __future__ import annotations

from pydantic import AwareDatetime

from agents.data_intelligence.predictive_analytics.baskets.drafts import PurchasePlan
from blocks.errors import NotFound
from blocks.ledger import Ledger
from blocks.ledger.calls.records import ReportRecord
from blocks.models import Frozen
from blocks.text import did_you_mean

WORKFLOW = "critical-inventory"
"""Whose report has the drafts in it."""


RECENT = 7
"""Reports of the workflow among which one with drafts is looked for."""


class LastOrders(Frozen):
    """The newest draft orders.

    Attributes:
        run_id: The run that drafted them.
        drafted_at: When it had.
        headline: The whole in short.
        plan: The drafts, and what is held.
    """

    run_id: str
    drafted_at: AwareDatetime
    headline: str
    plan: PurchasePlan


async def last_orders(ledger: Ledger, supplier: str = "") -> LastOrders:
    """The newest draft orders in the ledger, all or one supplier's.

    A run that could draft nothing leaves those of the run before.

    Raises:
        NotFound: No run has drafted any yet, or there is none for that supplier.
    """
    for record in await ledger.latest_reports(workflow=WORKFLOW, limit=RECENT):
        if (found := orders_of(record)) is not None:
            return found if not supplier else _only(found, supplier)
    raise none_yet()


def none_yet() -> NotFound:
    """What is said before the first."""
    return NotFound(
        "No orders have been drafted yet.",
        hint=f"Run ./orchestrator run {WORKFLOW}, or wait for its schedule.",
    )


def orders_of(record: ReportRecord) -> LastOrders | None:
    """The draft orders of a report; None where it has none."""
    if not record.body.get("orders"):
        return None
    return LastOrders(
        run_id=record.run_id,
        drafted_at=record.created_at,
        headline=record.body.get("headline", ""),
        plan=PurchasePlan.model_validate(record.body["orders"]),
    )


def _only(found: LastOrders, supplier: str) -> LastOrders:
    chosen = [order for order in found.plan.orders if order.supplier == supplier]
    if not chosen:
        known = [order.supplier for order in found.plan.orders]
        raise NotFound(
            f"There is no draft order to {supplier!r}.",
            hint=did_you_mean(supplier, known, "There are no drafts."),
        )
    return found.model_copy(update={"plan": found.plan.model_copy(update={"orders": chosen})})
