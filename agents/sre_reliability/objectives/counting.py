"""Good and bad events, second by second, from what was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import pairwise

from agents.sre_reliability.objectives.traffic import Bucket

Points = Sequence[tuple[datetime, float]]


def second_of(at: datetime) -> int:
    """The second that an instant lies in, since 1970."""
    return int(at.timestamp() // 1)


def looks(points: Points, is_bad: Callable[[float], bool]) -> list[Bucket]:
    """One event per measured value, bad or not."""
    return _by_second((second_of(at), 1, int(is_bad(value))) for at, value in points)


def counted(totals: Points, bads: Points) -> list[Bucket]:
    """Events that were counted elsewhere: two series of the same instants.

    Of two counters that are not read in the same moment the bad one may run ahead; no more are
    taken to be bad than there are.
    """
    bad_at = {at: round(value) for at, value in bads}
    return _by_second(
        (second_of(at), total := round(value), min(bad_at.get(at, 0), total))
        for at, value in totals
    )


def increments(counter: Points) -> list[tuple[datetime, float]]:
    """What a counter grew by from each point to the next, told at the later of the two.

    A counter that fell was reset: it counted from 0 again, and what it counted between the last
    point and the reset is lost, as in Prometheus.
    """
    return [
        (at, float(after - before if after >= before else after))
        for (_, before), (at, after) in pairwise(counter)
    ]


def _by_second(events: Iterable[tuple[int, int, int]]) -> list[Bucket]:
    """Events in order of time, those of one second together."""
    buckets: list[Bucket] = []
    for second, total, bad in events:
        if buckets and buckets[-1].second == second:
            last = buckets.pop()
            total, bad = last.total + total, last.bad + bad
        buckets.append(Bucket(second, total, bad))
    return buckets
