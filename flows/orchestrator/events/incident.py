"""Events that belong together, and how a person is told of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from blocks.vocabulary.messages import Severity, SystemEvent
from blocks.vocabulary.told import in_short, in_words
from blocks.vocabulary.urgency import Urgency


@dataclass(frozen=True)
class Known:
    """An incident that exists already, as far as new events are compared with it.

    Attributes:
        since: When its response began; what happened before it, the response covers.
        over: Whether the response mended it, or did not hear every agent: trouble after that is
            new.
        ended: Whether it is over: an alert that fires is none of it.
        things: Of one that stands, the fingerprints of what it has been told of: the same said
            again is no news.
    """

    id: str
    resource: str
    severity: Severity
    opened_at: datetime
    since: datetime
    over: bool = False
    ended: bool = False
    things: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Correlated:
    """Events that make up one incident.

    Attributes:
        resource: What it is named after: the lowest troubled resource.
        events: Sorted by time, source and id.
        urgency: How soon it must be seen to.
        why: Why these events were joined, one sentence per reason.
        candidates: Other causes that were considered, and why they lost.
        known: The incident that they join; None: they open one.
        tries: How often a run has taken them on.
    """

    resource: str
    events: tuple[SystemEvent, ...]
    urgency: Urgency
    why: tuple[str, ...]
    candidates: tuple[dict[str, Any], ...] = ()
    known: str | None = None
    tries: int = 1

    @cached_property
    def severity(self) -> Severity:
        """The worst of the events'."""
        return worst(self.events)

    @cached_property
    def lead(self) -> SystemEvent:
        """The event that tells most: the worst about the cause, of equal ones the latest."""
        about = [e for e in self.events if resource_of(e) == self.resource]
        return max(about or self.events, key=lambda e: (e.severity, *in_order(e)))

    @cached_property
    def affected(self) -> tuple[str, ...]:
        """The other resources, by name."""
        return tuple(sorted({resource_of(e) for e in self.events} - {self.resource}))

    @property
    def need_key(self) -> str:
        """The same for whoever puts together the same events."""
        first = self.events[0]
        return f"event {first.source} {first.id}"

    @property
    def title(self) -> str:
        """One sentence a manager understands."""
        title = f"{in_words(self.resource)}: {in_short(self.lead.type)}"
        if len(self.events) > 1:
            title += f", told by {len(self.events)} events"
        if self.affected:
            names = [in_words(resource) for resource in self.affected]
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            title += f"; it explains trouble with {', '.join(names[:3])}{more}"
        return title


def around(instant: datetime, by: timedelta) -> datetime:
    """An instant that much earlier or later, as far as the calendar reaches."""
    try:
        return instant + by
    except OverflowError:
        return datetime(1 if by < timedelta(0) else 9999, 1, 1, tzinfo=UTC)


def resource_of(event: SystemEvent) -> str:
    """What an event is about; its source where it names no subject."""
    return event.subject or event.source


def in_order(event: SystemEvent) -> tuple[datetime, str, str]:
    """What events are sorted by."""
    return event.time, event.source, event.id


def worst(events: Iterable[SystemEvent]) -> Severity:
    """The greatest severity of some events."""
    return worst_of(event.severity for event in events)


def worst_of(severities: Iterable[Severity]) -> Severity:
    """The greatest of some severities."""
    return max(severities)
