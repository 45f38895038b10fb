"""What came of purchase orders, settled from the ledger: what it knows of the store is enough."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from agents.data_intelligence.predictive_analytics.purchasing.judging import can_be_judged
from blocks.business.business import Business, current_business
from blocks.errors import NoBusinessConfigured
from blocks.ledger.purchasing.outcomes import OrderOutcome
from blocks.ledger.purchasing.records import OrderRecord
from blocks.policy.policy import DATA
from blocks.vocabulary.frames import Snapshot
from flows.orchestrator.purchasing.autonomy import LOOK_BACK, keep_outcomes, settle_bad_ones
from flows.orchestrator.team.demand import known_out
from flows.orchestrator.team.team import Orchestrator

_FRAMES = ("products", "stock", "sales")


@dataclass(frozen=True)
class SettledOrders:
    """What became known of order lines.

    Attributes:
        outcomes: Newly settled.
        missing: Why lines whose days may be over are not settled.
    """

    outcomes: list[OrderOutcome]
    missing: list[str] = field(default_factory=list)


async def settle_orders(team: Orchestrator, now: datetime) -> SettledOrders:
    """Settle the order lines of which it can be told by now what came of them.

    The store is not asked: its last snapshot in the ledger tells what was sold. Without an order
    whose days are over, nothing of it is read.

    Raises:
        LedgerError: The ledger cannot be read or written.
    """
    found = await settle_bad_ones(team.ledger, team.policy, now)
    orders = await team.ledger.order_outcomes.unsettled(now - LOOK_BACK)
    if not any(order.stage.is_over for order in orders):
        return SettledOrders(found)
    try:
        business = await current_business()
    except NoBusinessConfigured:
        return SettledOrders(found, ["what orders came to: no business is configured"])
    seen = await _last_seen(team, business)
    if seen is None:
        return SettledOrders(found, ["what orders came to: the store has not been read yet"])
    due = [order for order in orders if can_be_judged(order, seen)]
    if due:
        found += await _judge(team, business, due)
    return SettledOrders(found)


async def _last_seen(team: Orchestrator, business: Business) -> Snapshot | None:
    """The store's last snapshot, without its frames."""
    if business.store is None:
        return None
    return await team.ledger.snapshots.latest(business.store.name, only=())


async def _judge(
    team: Orchestrator, business: Business, orders: list[OrderRecord]
) -> list[OrderOutcome]:
    assert business.store is not None, "it was seen"
    snapshot = await team.ledger.snapshots.latest(business.store.name, only=_FRAMES)
    reply = await team.ask(
        DATA,
        "judge_orders",
        {
            "snapshot": snapshot,
            "orders": orders,
            "settled": await team.ledger.order_outcomes.settled_of([order.id for order in orders]),
            "known_out": await known_out(business),
        },
    )
    if not reply.ok:
        return []
    outcomes: list[OrderOutcome] = reply.result.outcomes
    await keep_outcomes(team.ledger, team.policy, outcomes)
    return outcomes
