"""What is known of each agent instance: how its recent attempts went, old ones counting less."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter
from types import MappingProxyType

from blocks.ledger import Ledger
from blocks.ledger.calls.records import PastAttempt
from blocks.ledger.receipts.outcomes import OutcomeRecord, Verdict
from blocks.vocabulary.blame import Blame
from blocks.vocabulary.messages import Outcome

WINDOW = timedelta(hours=24)
HALF_LIFE = timedelta(hours=2)
"""An attempt of so long ago counts half: what failed this morning is given another chance."""
HALF_COUNT = 35
"""So does one that so many followed at the same instance: under load, a death shows at once
(``benchmarks.balance``)."""
ATTEMPTS = 400
"""The newest attempts that are looked at."""
FRESH = 5.0
"""Seconds for which a process takes what it read to be current."""


@dataclass(frozen=True)
class TrackRecord:
    """How an instance's attempts went, each weighted by its age.

    Attributes:
        successes, failures: Attempts of all its actions.
        mean_ms: Mean duration of its attempts at one action; None when there are none.
        timed: How many the mean is of.
    """

    successes: float = 0.0
    failures: float = 0.0
    mean_ms: float | None = None
    timed: float = 0.0


NEW = TrackRecord()
"""An instance of which nothing is known."""


def track_records(
    attempts: Iterable[PastAttempt],
    action: str,
    now: datetime,
    recurrences: Mapping[str, Sequence[datetime]] = MappingProxyType({}),
) -> dict[str, TrackRecord]:
    """The record of each instance, as it matters for one action.

    What was called off says nothing of who was called, and counts as neither. So does what failed
    by the source that was asked, or by the request: it would have failed with anybody.

    Args:
        attempts: Finished attempts, in any order.
        action: The durations of this action are compared.
        now: The instant from which ages are counted.
        recurrences: By instance, when it solved what came back: each counts as a failure.
    """
    sums: dict[str, list[float]] = {}
    followers: Counter[str] = Counter()
    for attempt in sorted(attempts, key=attrgetter("finished_at"), reverse=True):
        if attempt.blame not in (None, Blame.ASKED):
            continue
        age = max(0.0, (now - attempt.finished_at) / HALF_LIFE)
        weight = 0.5 ** (age + followers[attempt.instance] / HALF_COUNT)
        followers[attempt.instance] += 1
        total = sums.setdefault(attempt.instance, [0.0, 0.0, 0.0, 0.0])
        total[attempt.outcome is Outcome.FAILED] += weight
        if attempt.action == action and attempt.outcome is not Outcome.FAILED:
            total[2] += (
                weight * (attempt.finished_at - attempt.started_at) / timedelta(seconds=0.001)
            )
            total[3] += weight
    for instance, instants in recurrences.items():
        total = sums.setdefault(instance, [0.0, 0.0, 0.0, 0.0])
        total[1] += sum(0.5 ** max(0.0, (now - instant) / HALF_LIFE) for instant in instants)
    return {
        instance: TrackRecord(good, bad, spent / timed if timed else None, timed)
        for instance, (good, bad, spent, timed) in sums.items()
    }


@dataclass(frozen=True)
class _Known:
    """What was read of a ledger, and the records that were made of it, by action."""

    read_at: float
    attempts: Sequence[PastAttempt]
    recurrences: Mapping[str, Sequence[datetime]]
    records: dict[str, Mapping[str, TrackRecord]] = field(default_factory=dict)


_known: dict[str, _Known] = {}


async def known_records(ledger: Ledger, action: str, now: datetime) -> Mapping[str, TrackRecord]:
    """The track records in the ledger, read anew every few seconds.

    Raises:
        LedgerUnavailable: The ledger cannot be read.
    """
    known = _known.get(ledger.where)
    if known is None or time.monotonic() - known.read_at > FRESH:
        since = now - WINDOW
        recurred = await ledger.outcomes.list(since=since, verdict=Verdict.RECURRED)
        attempts = await ledger.past_attempts(since, ATTEMPTS)
        known = _Known(time.monotonic(), attempts, failures_by_instance(recurred))
        _known[ledger.where] = known
    if action not in known.records:
        known.records[action] = track_records(known.attempts, action, now, known.recurrences)
    return known.records[action]


def forget() -> None:
    """Have the next question read the ledger anew."""
    _known.clear()


def failures_by_instance(outcomes: Sequence[OutcomeRecord]) -> Mapping[str, list[datetime]]:
    """When each instance solved what came back: for selection, as good as a failure."""
    found: dict[str, list[datetime]] = {}
    for outcome in outcomes:
        if outcome.verdict is Verdict.RECURRED and outcome.instance:
            found.setdefault(outcome.instance, []).append(outcome.decided_at)
    return found
