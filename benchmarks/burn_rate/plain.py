"""The rules of burning as they are written, summed up anew for every second.

Nothing here is shared with the engine but the words: no running sums, no look-ups, and fractions
instead of a comparison that is multiplied out. The logical order is used alone: where the short
window does not exceed, the long one is not summed.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from agents.sre_reliability.objectives.burning import Change
from agents.sre_reliability.objectives.traffic import Bucket
from blocks.policy.watching.objective_rules import Objective

Ints = NDArray[np.int64]


def read_plainly(
    events: Iterable[Bucket], objective: Objective, holds: int | None, end: int
) -> list[Change]:
    """When each rule begins and ends to fire, from the first event to the second ``end``."""
    events = [event for event in events if event.second <= end]
    first = min(event.second for event in events)
    total, bad, known = (np.zeros(end - first + 1, dtype=np.int64) for _ in range(3))
    for event in events:
        total[event.second - first] += event.total
        bad[event.second - first] += event.bad
    for second in {event.second - first for event in events}:
        known[second : None if holds is None else second + holds] = 1
        if holds is None and second == 0:
            break  # from the first second on everything is known
    allowed = 1 - Fraction(str(objective.objective))
    rules = [
        (Fraction(str(rule.factor)) * allowed, rule.short_seconds, rule.long_seconds)
        for rule in objective.rules
    ]

    def exceeds(at: int, length: int, threshold: Fraction, least_bad: int) -> bool:
        window = slice(max(at - length + 1, 0), at + 1)
        wrong = int(bad[window].sum())
        if wrong == 0 or wrong < least_bad:
            return False
        seen, known_seconds = int(total[window].sum()), int(known[window].sum())
        return Fraction(wrong, seen) * Fraction(known_seconds, length) > threshold

    found, standing = [], [False] * len(rules)
    for at in range(len(total)):
        for i, (threshold, short, long) in enumerate(rules):
            fires = exceeds(at, short, threshold, 0) and exceeds(
                at, long, threshold, objective.least_bad
            )
            if fires != standing[i]:
                standing[i] = fires
                found.append(Change(first + at, i, fires))
    return found
