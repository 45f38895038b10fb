"""Which events belong together: one incident per trouble, named after its lowest cause.

Pure: the same events give the same incidents in whatever order they came in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from blocks.policy.event_rules import EventRules
from blocks.vocabulary.messages import FIRING, Severity, SystemEvent
from blocks.vocabulary.urgency import PriorityRules, urgency
from flows.orchestrator.events.incident import (
    Correlated,
    Known,
    around,
    in_order,
    resource_of,
    worst,
)

K = TypeVar("K")


@dataclass
class _Cluster:
    """Events of one resource, close together in time."""

    resource: str
    events: list[SystemEvent]
    below: set[int] = field(default_factory=set)  # clusters that may explain it, itself included

    @property
    def first(self) -> datetime:
        return self.events[0].time

    @property
    def last(self) -> datetime:
        return self.events[-1].time

    @property
    def severity(self) -> Severity:
        return worst(self.events)

    @property
    def troubled(self) -> bool:
        return self.severity >= Severity.WARNING

    def near(self, other: _Cluster, window: timedelta) -> bool:
        return around(self.first, -window) <= other.last and (
            around(other.first, -window) <= self.last
        )

    @property
    def weight(self) -> tuple[int, datetime, str]:
        """Of several causes the least: the most severe, then the earliest, then by name."""
        return -self.severity.rank, self.first, self.resource


def correlate(
    events: Iterable[SystemEvent],
    rules: EventRules,
    now: datetime,
    known: Sequence[Known] = (),
    priorities: PriorityRules | None = None,
    at_risk: Mapping[str, float] | None = None,
) -> list[Correlated]:
    """Put events together into incidents.

    Events of one resource whose times lie within the window of each other are together. Trouble
    with a resource that depends on another, by the topology and within the window, belongs to the
    lowest one that is troubled; of several lowest ones to the worst, then the earliest. News
    (``info``) explains nothing and is explained by nothing.

    They join a known incident of that resource, or of one below it, within the window, when it
    is at least as severe, and the events happened before its response began or that response
    heard every agent and mended nothing. An alert that fires joins none that is over: it is
    another outage. One that stands takes up whatever says again what it was told, at any time.

    Args:
        events: In any order; events of equal source and id are one.
        rules: Window and topology.
        now: The instant to judge urgency at.
        known: Incidents that exist already.
        priorities: How urgency is judged.
        at_risk: Money per hour that trouble with a resource puts at risk, as far as is known.

    Returns:
        The incidents, the most urgent first.
    """
    window = timedelta(seconds=rules.window_seconds)
    below = _depths(rules.topology)
    clusters = _clusters(events, window)
    _explain(clusters, below, window)
    grouped: dict[int, list[int]] = {}
    for number in range(len(clusters)):
        grouped.setdefault(_cause(number, clusters), []).append(number)
    found = []
    for cause, members in grouped.items():
        joined = [clusters[i] for i in members]
        together = tuple(sorted((e for c in joined for e in c.events), key=in_order))
        standing = _standing(clusters[cause], together, known, below, window)
        found.append(
            Correlated(
                resource=clusters[cause].resource,
                events=together,
                urgency=urgency(
                    worst(together),
                    now,
                    impact_per_hour=_most_at_risk(joined, at_risk or {}),
                    since=together[0].time,
                    rules=priorities,
                ),
                why=tuple(_reasons(clusters[cause], joined, window, standing)),
                candidates=tuple(_others(clusters, cause, members)),
                known=standing.id if standing else None,
            )
        )
    return sorted(found, key=lambda s: (-s.urgency.score, *in_order(s.events[0])))


def _clusters(events: Iterable[SystemEvent], window: timedelta) -> list[_Cluster]:
    unique = {(event.source, event.id): event for event in events}
    clusters: list[_Cluster] = []
    for event in sorted(unique.values(), key=lambda e: (resource_of(e), *in_order(e))):
        last = clusters[-1] if clusters else None
        if last and last.resource == resource_of(event) and event.time - last.last <= window:
            last.events.append(event)
        else:
            clusters.append(_Cluster(resource_of(event), [event]))
    return clusters


def _depths(topology: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
    """Every resource with all that it depends on, directly or not."""
    return {resource: set(dependencies(resource, topology)) for resource in topology}


def dependencies(resource: str, topology: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """All that a resource depends on, directly or not."""
    seen, ahead = {resource}, list(topology.get(resource, ()))
    while ahead:
        if (each := ahead.pop()) not in seen:
            seen.add(each)
            yield each
            ahead += topology.get(each, ())


def _explain(clusters: list[_Cluster], below: Mapping[str, set[str]], window: timedelta) -> None:
    """Note for each cluster all that may explain it, through others too."""
    at: dict[str, list[int]] = {}
    for number, cluster in enumerate(clusters):
        cluster.below = {number}
        if cluster.troubled:
            at.setdefault(cluster.resource, []).append(number)
    for number in (n for numbers in at.values() for n in numbers):
        for resource in below.get(clusters[number].resource, ()):
            clusters[number].below |= {
                n for n in at.get(resource, ()) if clusters[n].near(clusters[number], window)
            }
    growing = True
    while growing:
        growing = False
        for cluster in clusters:
            further = set().union(*(clusters[n].below for n in cluster.below))
            if further - cluster.below:
                cluster.below |= further
                growing = True


def lowest_of(one: K, below: Callable[[K], Collection[K]]) -> list[K]:
    """Of what may explain one thing, itself included, that which nothing else explains.

    Args:
        one: The thing.
        below: All that may explain a thing, itself included. A circle explains itself.
    """
    return [n for n in below(one) if all(n in below(deeper) for deeper in below(n))]


def _lowest(number: int, clusters: Sequence[_Cluster]) -> list[int]:
    return lowest_of(number, lambda n: clusters[n].below)


def _cause(number: int, clusters: Sequence[_Cluster]) -> int:
    return min(_lowest(number, clusters), key=lambda n: clusters[n].weight)


def _standing(
    cause: _Cluster,
    events: Sequence[SystemEvent],
    known: Sequence[Known],
    below: Mapping[str, set[str]],
    window: timedelta,
) -> Known | None:
    """The known incident that covers these events, the latest of several."""
    first, last, gravest = events[0].time, events[-1].time, worst(events)
    fires = any(event.status == FIRING for event in events)
    things = {event.fingerprint for event in events}
    covering = [
        incident
        for incident in known
        if incident.resource == cause.resource
        or (cause.troubled and incident.resource in below.get(cause.resource, ()))
        if things <= incident.things
        or (
            incident.severity >= gravest
            and around(first, -window) <= incident.opened_at
            and incident.opened_at <= around(first, window)
            and (last <= incident.since or not incident.over)
            and not (fires and incident.ended)
        )
    ]
    return max(covering, key=lambda s: (s.opened_at, s.id), default=None)


def _most_at_risk(clusters: Sequence[_Cluster], at_risk: Mapping[str, float]) -> float | None:
    known = [at_risk[c.resource] for c in clusters if c.troubled and c.resource in at_risk]
    return max(known, default=None)


def _reasons(
    cause: _Cluster, joined: Sequence[_Cluster], window: timedelta, standing: Known | None
) -> Iterator[str]:
    within = f"within {window.total_seconds():g} s of each other"
    for cluster in joined:
        if len(cluster.events) > 1:
            said = len({event.content_hash for event in cluster.events})
            yield (
                f"{len(cluster.events)} events are about {cluster.resource}, {within}; "
                f"they say {said} different {'thing' if said == 1 else 'things'}."
            )
        if cluster is not cause:
            yield (
                f"{cluster.resource} depends on {cause.resource}, which is in trouble too: "
                "trouble below explains trouble above."
            )
    if standing:
        yield f"The incident of {standing.resource} ({standing.id}) covers it already."


def _others(
    clusters: Sequence[_Cluster], cause: int, members: Sequence[int]
) -> Iterator[dict[str, Any]]:
    considered = {n for member in members for n in clusters[member].below}
    for number in sorted(considered - {cause}, key=lambda n: clusters[n].weight):
        cluster = clusters[number]
        lowest = number in _lowest(number, clusters)
        yield {
            "name": cluster.resource,
            "severity": cluster.severity.value,
            "lost_because": "less severe, later, or later by name"
            if lowest
            else "explained by what it depends on",
        }
