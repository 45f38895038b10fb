"""When an error budget burns too fast: the rules of Google's SRE workbook, exact to the second.

The burn rate over a window is its share of bad events over the share that may be bad. History that
is missing counts as time without errors, at the traffic of the time that is known: a service of
which nothing is known yet, or nothing for an hour, pages no sooner than one with a good past.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from agents.sre_reliability.objectives.traffic import Bucket, Sums, Traffic
from blocks.policy.watching.objective_rules import BurnRule, Objective


def burn_rate(sums: Sums, length: int, allowed: Fraction) -> Fraction:
    """How many times faster than allowed a window of ``length`` seconds spends the budget.

    Args:
        sums: What the window holds.
        length: Its seconds.
        allowed: Share that may be bad, above 0.
    """
    if not sums.total:
        return Fraction(0)
    return Fraction(sums.bad * sums.known, sums.total * length) / allowed


class Threshold:
    """One rule of one objective, ready to be asked about every second."""

    def __init__(self, rule: BurnRule, objective: Objective) -> None:
        self.rule = rule
        share = rule.exact_factor * objective.allowed
        self._over, self._under = share.numerator, share.denominator
        self._least_bad = max(objective.least_bad, 1)

    def fires(self, traffic: Traffic, at: int) -> bool:
        """Whether both windows that end with the second ``at`` burn faster than the factor."""
        short, long = self.rule.short_seconds, self.rule.long_seconds
        return (
            traffic.bad_in(at, short) > 0  # most seconds end here
            and self._exceeds(traffic.window(at, short), short)
            and (sums := traffic.window(at, long)).bad >= self._least_bad
            and self._exceeds(sums, long)
        )

    def _exceeds(self, sums: Sums, length: int) -> bool:
        # burn_rate > factor, multiplied out: whole numbers, no rounding, strictly more.
        return sums.bad * sums.known * self._under > self._over * sums.total * length


class Change(NamedTuple):
    """A rule began or ended to fire at a second.

    Attributes:
        rule: Its place among the objective's rules.
    """

    second: int
    rule: int
    fires: bool


def thresholds(objective: Objective) -> list[Threshold]:
    """All rules of an objective, in their order."""
    return [Threshold(rule, objective) for rule in objective.rules]


def changes(
    traffic: Traffic, rules: Sequence[Threshold], seconds: range, standing: list[bool]
) -> Iterator[Change]:
    """When rules begin and end to fire, judged at each of some seconds.

    Args:
        traffic: What happened.
        rules: What is asked.
        seconds: When, in order.
        standing: Which rules fired before; brought up to date.
    """
    for second in seconds:
        for i, threshold in enumerate(rules):
            if (fires := threshold.fires(traffic, second)) != standing[i]:
                standing[i] = fires
                yield Change(second, i, fires)


class BurnAlerts:
    """The pages and tickets of a stream of events, second by second.

    What comes late is counted in its second, and all that followed from there is judged again, as
    long as it is no more than ``lateness`` seconds older than the newest second that was judged.
    What is older is not counted, and said so.

    Attributes:
        changes: When which rule began and ended to fire, by what is known now.

    Args:
        objective: What is promised, with its rules.
        holds: Seconds that a bucket speaks for, see ``Traffic``.
        lateness: Seconds; when the clock is set back by no more, nothing is lost.
    """

    def __init__(
        self, objective: Objective, *, holds: int | None = None, lateness: int = 3600
    ) -> None:
        self.changes: list[Change] = []
        self._rules = thresholds(objective)
        self._longest = max(rule.long_seconds for rule in objective.rules)
        self._traffic = Traffic(holds=holds)
        self._lateness = lateness
        self._standing = [False] * len(self._rules)
        self._newest: int | None = None
        self._judged: int | None = None

    def add(self, bucket: Bucket) -> bool:
        """Count events; False when they are too old to be counted.

        Raises:
            InvalidMessage: The counts cannot be meant.
        """
        if self._newest is not None and bucket.second < self._newest - self._lateness:
            return False
        self._traffic.add(bucket)
        if self._judged is not None and bucket.second <= self._judged:
            self._judge_again_from(bucket.second)
        return True

    def advance(self, now: int) -> None:
        """Judge every second up to ``now``; a clock that went back judges nothing new."""
        first = self._traffic.first
        if first is None:
            return
        begin = first if self._judged is None else self._judged + 1
        if now < begin:
            return
        seconds = range(begin, now + 1)
        self.changes.extend(changes(self._traffic, self._rules, seconds, self._standing))
        self._judged = now
        self._newest = now if self._newest is None else max(now, self._newest)
        self._traffic.forget(self._newest - self._lateness - self._longest)

    def _judge_again_from(self, second: int) -> None:
        while self.changes and self.changes[-1].second >= second:
            undone = self.changes.pop()
            self._standing[undone.rule] = not undone.fires
        self._judged = second - 1
