"""How far a group of items may go without a person: earned by what came of its orders. Pure.

A group rises by one step when enough orders prove that they cost no more than the simple rule's
would have; it falls by one at once on a bad one, or when many small losses have added up to one.
After each step only what was decided since counts: trust is earned anew at each level.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_FLOOR, Decimal

from blocks.ledger.purchasing.outcomes import OrderOutcome
from blocks.policy.autonomy_rules import AutonomyRules
from blocks.vocabulary.effects import Approval
from flows.orchestrator.purchasing.evidence import is_proven, lower_bound

STEPS = (Approval.SHADOW, Approval.ASK, Approval.AUTOMATIC)
"""The steps of the ladder, the least first."""

CENT = Decimal("0.01")

_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


def lowest(*levels: Approval) -> Approval:
    """The least free of some levels."""
    return min(levels, key=STEPS.index)


@dataclass(frozen=True)
class Move:
    """A step up or down.

    Attributes:
        at: When what it rests on was settled.
        why: In a sentence.
    """

    group: str
    at: datetime
    before: Approval
    after: Approval
    why: str


@dataclass(frozen=True)
class Evidence:
    """What the orders of a group have shown since its last step.

    Attributes:
        lines: Settled order lines with figures.
        orders: Of so many orders.
        saved: Money that they saved together; below zero where they cost more.
        at_least: Money that an order saves on average, at the policy's confidence; None where there
            are too few to say.
    """

    lines: int
    orders: int
    saved: Decimal
    at_least: Decimal | None


@dataclass(frozen=True)
class Standing:
    """Where a group stands.

    Attributes:
        earned: What its orders have earned.
        level: What it has: what it earned, as far as its ceiling lets it.
        ceiling: The most it may have.
        evidence: Since its last step.
        moves: All its steps, oldest first.
        why: Why it stands there, in a sentence.
    """

    group: str
    earned: Approval
    level: Approval
    ceiling: Approval
    evidence: Evidence
    moves: tuple[Move, ...]
    why: str


def standings(
    outcomes: Iterable[OrderOutcome], rules: AutonomyRules, groups: Iterable[str] = ()
) -> dict[str, Standing]:
    """Where each group stands, by its name.

    Args:
        outcomes: What came of all order lines, in any order.
        rules: What is asked of a group.
        groups: Groups that are to be among them, even if nothing of them is settled.
    """
    of_group: dict[str, list[OrderOutcome]] = {group: [] for group in groups}
    for outcome in outcomes:
        of_group.setdefault(outcome.group, []).append(outcome)
    return {group: standing(group, some, rules) for group, some in sorted(of_group.items())}


def standing(group: str, outcomes: Sequence[OrderOutcome], rules: AutonomyRules) -> Standing:
    """Where a group stands by what came of its order lines, in any order."""
    climb = _Climb(group, rules)
    by_day: dict[date, list[OrderOutcome]] = defaultdict(list)
    for outcome in outcomes:
        by_day[outcome.settled_at.astimezone(UTC).date()].append(outcome)
    for day in sorted(by_day):
        climb.live_through(by_day[day])
    return climb.standing()


def bad_reason(outcome: OrderOutcome, rules: AutonomyRules) -> str:
    """Why an order line was a bad one, in a sentence; "" where it was none."""
    if outcome.bad:
        return outcome.bad
    saved, value = outcome.savings, outcome.value or Decimal(0)
    if saved is None or -saved <= rules.bad_beyond(value):
        return ""
    return (
        f"{outcome.sku} cost {_money(-saved, outcome)} more than the simple rule's quantity would "
        f"have, of a line worth {_money(value, outcome)}."
    )


@dataclass
class _Climb:
    """A group on its way, day by day.

    Attributes:
        since: When it made its last step: what was decided later counts.
        fallen: When it fell last: for what was decided before, it has paid.
        counted: What counts, with figures.
        known: When the last of them became known, by SKU.
    """

    group: str
    rules: AutonomyRules
    level: Approval = Approval.ASK
    since: datetime = _BEFORE_ALL
    fallen: datetime = _BEFORE_ALL
    counted: list[OrderOutcome] = field(default_factory=list)
    known: dict[str, datetime] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.level = self.rules.start

    def live_through(self, day: Sequence[OrderOutcome]) -> None:
        """What one day's outcomes make of it; one step at most."""
        at = max(outcome.settled_at for outcome in day)
        bad = [
            (outcome.order_id, reason)
            for outcome in day
            if outcome.decided_at > self.fallen and (reason := bad_reason(outcome, self.rules))
        ]
        if bad:
            others = f" {len(bad) - 1} more went wrong that day." if len(bad) > 1 else ""
            self._fall(at, min(bad)[1] + others)
            return
        self._count(day)
        if self.level is Approval.AUTOMATIC:
            self._fall_by_small_losses(at)
        else:
            self._rise(at)

    def _count(self, day: Sequence[OrderOutcome]) -> None:
        """Take in what one day's outcomes show.

        Of one item none counts that was decided before the last one was known: where nobody says
        yes, the same need is proposed again each day, and would be counted as often.
        """
        for outcome in sorted(day, key=lambda each: (each.decided_at, each.order_id, each.sku)):
            seen = max(self.since, self.known.get(outcome.sku, self.since))
            if outcome.decided_at > seen and outcome.savings is not None:
                self.counted.append(outcome)
                self.known[outcome.sku] = outcome.settled_at

    def _fall(self, at: datetime, why: str) -> None:
        floor = lowest(self.rules.floor, self.level)
        below = STEPS[max(STEPS.index(self.level) - 1, STEPS.index(floor))]
        self.fallen = at
        self._step(at, below, why)

    def _fall_by_small_losses(self, at: datetime) -> None:
        saved = _by_order(self.counted)
        lost = -sum(saved.values(), Decimal(0))
        if lost > _most_lost(self.counted, self.rules):
            money = _money(lost, self.counted[-1])
            self._fall(at, f"Its last {len(saved)} orders cost {money} more than the rule's.")

    def _rise(self, at: datetime) -> None:
        saved = _by_order(self.counted)
        if len(self.counted) < self.rules.lines or len(saved) < self.rules.orders:
            return
        most, sure = float(_most_lost(self.counted, self.rules)), self.rules.confidence
        if is_proven(_floats(saved), most, sure, -float(self.rules.margin)):
            self._step(at, STEPS[STEPS.index(self.level) + 1], self._proof())

    def _proof(self) -> str:
        found, of = self.evidence(), self.counted[-1]
        return (
            f"{found.lines} lines of {found.orders} orders saved {_money(found.saved, of)} against "
            f"the simple rule's quantities: with {self.rules.confidence:.0%} confidence "
            f"{_money(found.at_least or Decimal(0), of)} or more per order."
        )

    def _step(self, at: datetime, after: Approval, why: str) -> None:
        """Take a step; trust is earned anew from there, also where there is no step below."""
        if after is not self.level:
            self.moves.append(Move(self.group, at, self.level, after, why))
        self.level, self.since, self.counted = after, at, []

    def evidence(self) -> Evidence:
        """What was shown since the last step."""
        saved = _by_order(self.counted)
        lines, orders, total = len(self.counted), len(saved), sum(saved.values(), Decimal(0))
        if lines < self.rules.lines or orders < self.rules.orders:
            return Evidence(lines, orders, total, None)
        most = float(_most_lost(self.counted, self.rules))
        bound = lower_bound(_floats(saved), most, self.rules.confidence)
        return Evidence(lines, orders, total, Decimal(bound).quantize(CENT, ROUND_FLOOR))

    def standing(self) -> Standing:
        """Where it is."""
        ceiling, found = self.rules.ceiling_of(self.group), self.evidence()
        level = lowest(self.level, ceiling)
        return Standing(
            self.group,
            self.level,
            level,
            ceiling,
            found,
            tuple(self.moves),
            _why(self.level, ceiling, found, self.moves, self.rules),
        )


def _by_order(outcomes: Iterable[OrderOutcome]) -> dict[str, Decimal]:
    """What the group's lines of each order saved together."""
    saved: dict[str, Decimal] = defaultdict(Decimal)
    for outcome in outcomes:
        saved[outcome.order_id] += outcome.savings or Decimal(0)
    return saved


def _floats(saved: Mapping[str, Decimal]) -> list[float]:
    return [float(money) for money in saved.values()]


def _most_lost(outcomes: Iterable[OrderOutcome], rules: AutonomyRules) -> Decimal:
    """What an order can have lost of which no line was a bad one: the most of all of them."""
    lost: dict[str, Decimal] = defaultdict(Decimal)
    for outcome in outcomes:
        lost[outcome.order_id] += rules.bad_beyond(outcome.value or Decimal(0))
    return max(lost.values(), default=rules.bad_floor)


def _why(
    earned: Approval,
    ceiling: Approval,
    found: Evidence,
    moves: Sequence[Move],
    rules: AutonomyRules,
) -> str:
    told = moves[-1].why if moves else "Where every group begins."
    if lowest(earned, ceiling) is not earned:
        return f"It has earned {earned}, and its ceiling is {ceiling}. {told}"
    if earned is Approval.AUTOMATIC:
        return told
    if found.at_least is None:
        return (
            f"{told} To rise it takes {rules.lines} settled lines of {rules.orders} orders: there "
            f"are {found.lines} of {found.orders}."
        )
    return (
        f"{told} To rise, an order must be known to save {-rules.margin:,.2f} or more on average: "
        f"so far that is {found.at_least:,.2f}, with {rules.confidence:.0%} confidence."
    )


def _money(amount: Decimal, of: OrderOutcome) -> str:
    return f"{amount:,.2f} {of.currency}"
