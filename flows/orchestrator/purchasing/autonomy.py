"""Who has to let a purchase order happen, by what came of the orders before it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from blocks.ledger import Ledger
from blocks.ledger.calls.records import ReceiptKind, ReceiptRecord
from blocks.ledger.purchasing.outcomes import OrderOutcome
from blocks.ledger.purchasing.records import OrderRecord, OrderStage
from blocks.ledger.work.effects import ORDER
from blocks.policy.autonomy_rules import AutonomyRules
from blocks.policy.policy import Policy
from blocks.vocabulary.effects import Approval
from blocks.vocabulary.frames import DAILY_WEEKS
from flows.orchestrator.purchasing.bad_ones import bad_lines
from flows.orchestrator.purchasing.ladder import Move, Standing, lowest, standing, standings

LOOK_BACK = timedelta(weeks=DAILY_WEEKS + 4)
"""Older orders are not settled any more: of their days no sales by day are known."""

_DAY = timedelta(days=1)

_COST_NOTHING = {OrderStage.REJECTED, OrderStage.DECLINED, OrderStage.FAILED, OrderStage.SHADOW}

_MAY_BE_CALLED_WRONG = {OrderStage.DECLINED, OrderStage.UNKNOWN}
"""Orders that may stand so as a person said no to a question about them."""


async def levels(
    ledger: Ledger, policy: Policy, now: datetime, down: Collection[str] = ()
) -> Levels:
    """Who has to let orders happen now; what went wrong up to this moment counts.

    Args:
        ledger: Where orders and their outcomes are.
        policy: What is asked of the groups.
        now: When.
        down: Suppliers that did not answer: nobody knows what they ask for today.

    Raises:
        LedgerError: The ledger cannot be read or written.
    """
    await settle_bad_ones(ledger, policy, now)
    recent = await ledger.orders.proposed_since(now - _DAY)
    unasked = {
        order.reference: order.total_in_store_currency or Decimal(0)
        for order in recent
        if order.level is Approval.AUTOMATIC and order.stage not in _COST_NOTHING
    }
    groups = standings(await ledger.order_outcomes.list(), policy.autonomy)
    return Levels(groups, policy, unasked, down)


class Levels:
    """Says of an order who has to let it happen, and why; what it lets go counts from then on.

    Runs that decide at the same moment do not see each other's orders: together they may send more
    in a day than the policy lets one of them.

    Args:
        groups: Where each group stands that has a history.
        policy: With the ceilings and limits; what it says of the kind of effect by which orders are
            sent is a ceiling of all.
        unasked: What the orders of the last day that nobody was asked about are worth, in the
            store's money, by reference.
        down: Suppliers that did not answer.
    """

    def __init__(
        self,
        groups: Mapping[str, Standing],
        policy: Policy,
        unasked: Mapping[str, Decimal],
        down: Collection[str] = (),
    ) -> None:
        self._groups, self._rules, self._unasked = dict(groups), policy.autonomy, dict(unasked)
        self._down = frozenset(down)
        self._of_kind = policy.effects.approval.get(ORDER, Approval.AUTOMATIC)

    def __call__(self, order: OrderRecord) -> tuple[Approval, str]:
        """The least free level of the order's groups, as far as the limits of value let it."""
        level, why = self._of_groups({line.group for line in order.lines})
        if lowest(level, self._of_kind) is not level:
            return self._of_kind, f"The policy has {self._of_kind} for every {ORDER}."
        if level is Approval.AUTOMATIC:
            if reason := self._why_not_unasked(order):
                return Approval.ASK, reason
            self._unasked[order.reference] = order.total_in_store_currency or Decimal(0)
        return level, why

    def _of_groups(self, groups: Iterable[str]) -> tuple[Approval, str]:
        found = [
            self._groups.get(group) or standing(group, [], self._rules) for group in sorted(groups)
        ]
        level = lowest(*(each.level for each in found))
        least = next(each for each in found if each.level is level)
        return level, f"{least.group or 'Items of no group'}: {level}. {least.why}"

    def _why_not_unasked(self, order: OrderRecord) -> str:
        """Why an order is not sent unasked though its groups would let it; "" when it is."""
        if order.supplier in self._down:
            return f"{order.supplier} did not answer today: its prices are those of earlier."
        worth = order.total_in_store_currency
        if worth is None:
            return f"Nobody knows what {order.currency} is worth in the store's money."
        if worth > self._rules.order_value:
            return (
                f"It is worth {worth:,.2f}, and up to {self._rules.order_value:,.2f} an order is "
                "sent without asking."
            )
        others = (money for key, money in self._unasked.items() if key != order.reference)
        spent = sum(others, Decimal(0))
        if spent + worth > self._rules.day_value:
            return (
                f"With it {spent + worth:,.2f} would be sent within a day without asking; the "
                f"limit is {self._rules.day_value:,.2f}."
            )
        return ""


async def settle_bad_ones(ledger: Ledger, policy: Policy, now: datetime) -> list[OrderOutcome]:
    """Put on record which order lines are known to have gone wrong, and the steps that costs.

    Returns:
        What became known.
    """
    found: list[OrderOutcome] = []
    orders = await ledger.order_outcomes.unsettled(now - LOOK_BACK)
    settled = await ledger.order_outcomes.settled_of([order.id for order in orders])
    doubtful = [order.effect_id for order in orders if order.stage in _MAY_BE_CALLED_WRONG]
    asked = await ledger.approvals.about(doubtful)
    for order in orders:
        bad = bad_lines(order, asked.get(order.effect_id, ()), policy.autonomy)
        found += [
            OrderOutcome(
                order_id=order.id,
                sku=line.sku,
                group=line.group,
                level=order.level,
                decided_at=order.proposed_at,
                settled_at=now,
                bad=bad[line.sku],
            )
            for line in order.lines
            if line.sku in bad and (order.id, line.sku) not in settled
        ]
    if found:
        await keep_outcomes(ledger, policy, found)
    return found


async def keep_outcomes(ledger: Ledger, policy: Policy, outcomes: list[OrderOutcome]) -> None:
    """Keep what came of order lines, with a receipt of each step that a group took.

    The receipt of a step is the same one whenever it is left: what a crash prevented, the next run
    makes up for.
    """
    await ledger.order_outcomes.keep(outcomes)
    stand = standings(await ledger.order_outcomes.list(), policy.autonomy)
    for each in stand.values():
        for move in each.moves:
            ledger.record(_receipt(move, policy))
    await ledger.flush()


def _receipt(move: Move, policy: Policy) -> ReceiptRecord:
    rules = policy.autonomy
    told = f"{rules.model_dump_json()} {move.group} {move.at.isoformat()} {move.after}"
    return ReceiptRecord(
        id=hashlib.sha256(told.encode()).hexdigest()[:32],
        at=move.at,
        kind=ReceiptKind.ENTRUST,
        subject=f"group:{move.group}",
        policy_version=policy.version,
        body={
            "inputs": {"group": move.group, "before": move.before},
            "decision": {"level": move.after},
            "why": move.why,
        },
    )


async def ladder_of(
    ledger: Ledger, rules: AutonomyRules, groups: Iterable[str] = ()
) -> list[Standing]:
    """Where each group of items stands, by name.

    Args:
        ledger: With what came of orders.
        rules: What is asked of a group.
        groups: Groups to tell of besides those with a history.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    return list(standings(await ledger.order_outcomes.list(), rules, groups).values())
