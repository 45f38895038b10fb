"""Recorded events, put together again under another policy: which incidents would differ. Pure.

Both policies get all the events at once. As they came, in batches, a late one may have opened a
incident of its own; that depends on the moment and not on the policy, so it is left out of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from blocks.policy.policy import Policy
from blocks.vocabulary.messages import SystemEvent
from blocks.vocabulary.told import in_words
from flows.orchestrator.decisions.replay import Difference, Question, Tally
from flows.orchestrator.events.correlation import correlate
from flows.orchestrator.events.incident import Correlated

_Key = tuple[str, str]


def replay_events(
    events: Sequence[SystemEvent], then: Policy, policy: Policy, now: datetime
) -> tuple[Tally, list[Difference]]:
    """Compare the incidents that events make up under two policies.

    Args:
        events: What came in, in any order.
        then: The policy that they were dealt with under.
        policy: The other policy.
        now: The instant at which urgency is judged, for both.

    Returns:
        How many incidents would be the same, and those that would be others: other events, named
        after another resource, or of another priority.
    """
    before = correlate(events, then.events, now, priorities=then.priorities)
    after = correlate(events, policy.events, now, priorities=policy.priorities)
    home = {_key(event): one for one in after for event in one.events}
    differences = []
    for one in before:
        other = home[_key(one.lead)]
        if _told(one) != _told(other) or _keys(one) != _keys(other):
            differences.append(_difference(one, other))
    tally = Tally(
        question=Question.CORRELATION,
        same=len(before) - len(differences),
        different=len(differences),
    )
    return tally, sorted(differences, key=lambda d: (d.at, d.subject))


def _difference(one: Correlated, other: Correlated) -> Difference:
    joined = len(other.events) != len(one.events) or other.resource != one.resource
    why = " ".join(other.why) if joined else ", ".join(other.urgency.reasons)
    return Difference(
        question=Question.CORRELATION,
        receipt="",
        subject=one.resource,
        at=one.events[0].time,
        about=one.lead.type,
        recorded=_told(one),
        replayed=_told(other),
        why=why or "Nothing joins it with others.",
    )


def _told(one: Correlated) -> str:
    count = len(one.events)
    events = "1 event" if count == 1 else f"{count} events"
    return f"{in_words(one.resource)}, {events}, {one.urgency.priority.name.lower()}"


def _key(event: SystemEvent) -> _Key:
    return event.source, event.id


def _keys(one: Correlated) -> frozenset[_Key]:
    return frozenset(map(_key, one.events))
