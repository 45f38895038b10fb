"""How an objective stands: what is left of its error budget, how fast it burns, until when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pydantic import AwareDatetime

from agents.sre_reliability.objectives.burning import burn_rate, changes, thresholds
from agents.sre_reliability.objectives.counting import second_of
from agents.sre_reliability.objectives.traffic import Traffic
from blocks.models import Frozen
from blocks.policy.watching.objective_rules import BurnRule, Loudness, Objective

DAY = 86400

_LOOK_BACK = 3600
"""Seconds within which the second at which a rule began to fire is looked for."""


class Burning(Frozen):
    """How one rule of an objective stands.

    Attributes:
        long_rate: Burn rate over the long window; 1 spends the budget in exactly its days.
        short_rate: The same over the short window.
        fires: Whether both exceed the rule's factor, strictly, and enough events were bad.
    """

    rule: BurnRule
    long_rate: float
    short_rate: float
    fires: bool


class ObjectiveStanding(Frozen):
    """How an objective stands at an instant.

    Attributes:
        name: The objective's.
        target: What it is about, ``type:name``.
        objective: Share that must be good.
        days: Days that the budget is for, those before ``at``.
        last: Second of the last event or look; None when there never was one.
        total: Events in those days.
        bad: How many of them were bad.
        known_days: For how much of those days anything is known. The rest counts as time without
            errors at the traffic of what is known.
        good_share: Share of the events that was good; None when there were none.
        budget_left: Share of the error budget that is left, below 0 when more than all was spent;
            None when there were no events.
        pace: Burn rate of the last day, or over the long window of the fiercest rule that fires.
        empty_at: When the budget is spent if it goes on at this pace and nothing old falls out of
            the days meanwhile, so at the earliest; None when it is spent, or will not be.
        burns: Its rules, in their order.
        calls: Whom the rules that fire call; None when none does.
        since: When the first of the rules that fire began to, if that is less than an hour ago.
        course: Budget that was left at the end of each of the days, the last one now.
    """

    name: str
    target: str
    description: str
    objective: float
    days: int
    at: AwareDatetime
    last: AwareDatetime | None
    total: int
    bad: int
    known_days: float
    good_share: float | None
    budget_left: float | None
    pace: float
    empty_at: AwareDatetime | None
    burns: tuple[Burning, ...]
    calls: Loudness | None
    since: AwareDatetime | None
    course: tuple[float, ...]

    @property
    def is_spent(self) -> bool:
        """Whether nothing of the budget is left."""
        return self.budget_left is not None and self.budget_left <= 0


def burning(objective: Objective, traffic: Traffic, now: datetime) -> tuple[Burning, ...]:
    """How each rule of an objective stands at the second of ``now``."""
    at, found = second_of(now), []
    for threshold in thresholds(objective):
        rule = threshold.rule
        long_rate, short_rate = (
            burn_rate(traffic.window(at, length), length, objective.allowed)
            for length in (rule.long_seconds, rule.short_seconds)
        )
        found.append(
            Burning(
                rule=rule,
                long_rate=float(long_rate),
                short_rate=float(short_rate),
                fires=threshold.fires(traffic, at),
            )
        )
    return tuple(found)


def loudest(burns: tuple[Burning, ...]) -> Loudness | None:
    """Whom the rules that fire call."""
    called = {burn.rule.loudness for burn in burns if burn.fires}
    return next((loudness for loudness in Loudness if loudness in called), None)


def stand(objective: Objective, traffic: Traffic, now: datetime) -> ObjectiveStanding:
    """How an objective stands.

    Args:
        objective: What is promised.
        traffic: What happened in its days before ``now``, and in its longest window.
        now: The instant; the second that it lies in counts.
    """
    at, length = second_of(now), objective.days * DAY
    sums = traffic.window(at, length)
    spent = float(burn_rate(sums, length, objective.allowed))
    burns = burning(objective, traffic, now)
    left = 1 - spent if sums.total else None
    pace = _pace(objective, traffic, burns, at)
    return ObjectiveStanding(
        name=objective.name,
        target=objective.target,
        description=objective.description,
        objective=objective.objective,
        days=objective.days,
        at=now,
        last=_instant(traffic.last),
        total=sums.total,
        bad=sums.bad,
        known_days=sums.known / DAY,
        good_share=1 - sums.bad / sums.total if sums.total else None,
        budget_left=left,
        pace=pace,
        empty_at=_empty_at(left, pace, objective.days, now),
        burns=burns,
        calls=loudest(burns),
        since=_since(objective, traffic, burns, at),
        course=_course(traffic, at, objective.days, spent) if sums.total else (),
    )


def _pace(objective: Objective, traffic: Traffic, burns: tuple[Burning, ...], at: int) -> float:
    if fierce := [burn for burn in burns if burn.fires]:
        return max(fierce, key=lambda burn: burn.rule.factor).long_rate
    return float(burn_rate(traffic.window(at, DAY), DAY, objective.allowed))


def _empty_at(left: float | None, pace: float, days: int, now: datetime) -> datetime | None:
    # At a burn rate of 1 or less as much falls out of the days as is spent: it is never empty.
    if left is None or left <= 0 or pace <= 1:
        return None
    return now + timedelta(days=left * days / pace)


def _since(
    objective: Objective, traffic: Traffic, burns: tuple[Burning, ...], at: int
) -> datetime | None:
    if loudest(burns) is None:
        return None
    rules, begin = thresholds(objective), at - _LOOK_BACK
    standing = [rule.fires(traffic, begin) for rule in rules]
    firing, since = any(standing), None
    for change in changes(traffic, rules, range(begin + 1, at + 1), standing):
        if any(standing) and not firing:
            since = change.second
        firing = any(standing)
    return _instant(since)


def _instant(second: int | None) -> datetime | None:
    return None if second is None else datetime.fromtimestamp(second, UTC)


def _course(traffic: Traffic, at: int, days: int, spent: float) -> tuple[float, ...]:
    """What was left day by day: all at the beginning of the days, what is left now at the end."""
    begin, bad = at - days * DAY, traffic.bad_in(at, days * DAY)
    shares = (
        traffic.bad_in(begin + day * DAY, day * DAY) / bad if bad else 0.0
        for day in range(1, days + 1)
    )
    return tuple(1 - spent * share for share in shares)
