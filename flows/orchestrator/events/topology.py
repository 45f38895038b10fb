"""What depends on what: as it is configured, and proposed from what is seen, with the evidence.

Nothing that is proposed counts before a person has put it into the policy.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, Field

from blocks.business.business import Business
from blocks.egress import host_in
from blocks.ledger import Ledger
from blocks.ledger.events.records import IncidentRecord
from blocks.models import Frozen
from blocks.policy.policy import Policy
from blocks.store.url import host_of, parse_url
from blocks.text import printable
from blocks.vocabulary.messages import Severity, SystemEvent
from flows.orchestrator.events.correlation import dependencies
from flows.orchestrator.events.incident import resource_of

WINDOW = timedelta(minutes=5)
"""Trouble that begins within it after another's may come of that."""

LEAST = 3
"""Outages that must have followed each other before that is evidence."""

SHARE = 0.8
"""The share of a resource's outages that must have followed the other's."""

LOOKED_BACK = timedelta(days=30)
MOST = 20_000

_LOCAL = ("localhost", "127.0.0.1", "[::1]", "::1")

# Labels by which monitoring says on what the thing stands that it is about; and what that is.
_BELOW = {
    "node": "node",
    "persistentvolumeclaim": "persistentvolumeclaim",
    "database": "database",
    "db": "database",
    "broker": "broker",
    "cache": "cache",
    "upstream": "service",
    "backend": "service",
    "depends_on": "",
}


class Edge(Frozen):
    """One resource that depends on another."""

    resource: str
    depends_on: str
    why: list[str] = Field(description="What it was seen by; empty of what is configured.")


class Node(Frozen):
    """A line of the tree."""

    resource: str
    depth: int
    open: int = Field(description="Incidents about it that are not over.")
    seen: bool = Field(description="Whether anything of it was ever told, or it is configured.")


class TopologyShown(Frozen):
    """What depends on what, and what may."""

    at: AwareDatetime
    configured: list[Edge]
    tree: list[Node]
    proposed: list[Edge]
    circles: list[str] = Field(description="Resources that depend on themselves, by others.")
    snippet: str = Field(
        description="What is configured with what is proposed, as a part of a policy file; empty "
        "when nothing is proposed."
    )


async def read_topology(
    ledger: Ledger | None, policy: Policy, business: Business | None, now: datetime
) -> TopologyShown:
    """What depends on what, with proposals from the last thirty days.

    Args:
        ledger: Has events and incidents; None: nothing happened yet.
        policy: Has the topology.
        business: Its parts say where they stand; None: none is configured.
        now: The instant to look back from.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    topology = policy.events.topology
    since = now - LOOKED_BACK
    events = await ledger.inbox.received(since, MOST) if ledger else []
    every = await ledger.inbox.incidents(limit=MOST) if ledger else []
    incidents = [each for each in every if each.opened_at >= since]
    proposed = propose(business, events, incidents, topology)
    now_open = Counter(i.resource for i in incidents if not i.is_over)
    told = {resource_of(event) for event in events} | set(_named(business))
    return TopologyShown(
        at=now,
        configured=[
            Edge(resource=name, depends_on=each, why=[])
            for name in sorted(topology)
            for each in sorted(topology[name])
        ],
        tree=[
            Node(resource=name, depth=depth, open=now_open[name], seen=name in told)
            for depth, name in tree(topology)
        ],
        proposed=proposed,
        circles=sorted(
            name
            for name in topology
            if any(name in topology.get(d, ()) for d in (name, *dependencies(name, topology)))
        ),
        snippet=snippet_of(topology, proposed),
    )


def propose(
    business: Business | None,
    events: Sequence[SystemEvent],
    incidents: Sequence[IncidentRecord],
    topology: Mapping[str, Sequence[str]],
) -> list[Edge]:
    """What may depend on what, and by what that is seen; what is configured is left out. Pure.

    Seen are: parts of the business that stand on one host; services that take the shop's revenue,
    and its store; labels of alerts that name what the thing stands on; and outages that followed
    each other, at least ``LEAST`` times and in ``SHARE`` of both resources' outages.
    """
    seen: dict[tuple[str, str], list[str]] = defaultdict(list)
    found = (*_by_blocks(business), *_by_labels(events), *_by_time(incidents))
    for resource, below, why in found:
        seen[resource, below].append(why)
    return [
        Edge(resource=resource, depends_on=below, why=list(dict.fromkeys(why)))
        for (resource, below), why in sorted(seen.items())
        if resource != below
        and below not in dependencies(resource, topology)
        and resource not in dependencies(below, topology)  # no circle is proposed
    ]


def snippet_of(topology: Mapping[str, Sequence[str]], proposed: Iterable[Edge]) -> str:
    """A part of a policy file: what is configured, with what is proposed marked as such."""
    import json

    edges = list(proposed)
    if not edges:
        return ""
    whole: dict[str, list[str]] = {name: list(below) for name, below in topology.items()}
    for edge in edges:
        whole.setdefault(edge.resource, []).append(edge.depends_on)
    lines = ["[events.topology]"]
    for name, below in sorted(whole.items()):
        new = [e for e in edges if e.resource == name]
        lines += [f"# {printable(why)}" for e in new for why in e.why]
        lines.append(f"{json.dumps(name)} = {json.dumps(below)}")
    return "\n".join(lines) + "\n"


_Found = tuple[str, str, str]
"""A resource, what it may depend on, and by what that is seen."""


def _by_blocks(business: Business | None) -> Iterator[_Found]:
    if business is None:
        return
    at: dict[str, list[str]] = defaultdict(list)
    for name, host in _hosts(business):
        at["local" if host in _LOCAL else host].append(name)
    for host, names in at.items():
        for name in names if len(names) > 1 else ():
            others = [each for each in names if each != name]
            do = "does" if len(others) == 1 else "do"
            yield (
                name,
                f"host:{host}",
                f"{name} answers at {host}, as {' and '.join(others)} {do}.",
            )
    if business.store is not None:
        store = f"store:{business.store.name}"
        for service in business.services:
            if service.revenue_share > 0:
                share = f"{service.revenue_share:.0%} of the revenue passes through it"
                yield f"service:{service.name}", store, f"{share}, and the orders are kept there."


def _hosts(business: Business) -> Iterator[tuple[str, str]]:
    for service in business.services:
        if host := host_in(service.health_url):
            yield f"service:{service.name}", host
    if business.store is not None:
        host = host_of(parse_url(business.store.url.get_secret_value()))
        if host and not host.startswith("/"):
            yield f"store:{business.store.name}", host


def _named(business: Business | None) -> Iterator[str]:
    if business is not None:
        yield from (f"service:{each.name}" for each in business.services)
        yield from (f"supplier:{each.name}" for each in business.suppliers)
        if business.store is not None:
            yield f"store:{business.store.name}"


def _by_labels(events: Iterable[SystemEvent]) -> Iterator[_Found]:
    counted: Counter[tuple[str, str, str]] = Counter()
    for event in events:
        labels: Any = event.data.get("labels")
        if not event.subject or not isinstance(labels, dict):
            continue
        for label, kind in _BELOW.items():
            value = labels.get(label)
            if isinstance(value, str) and value and value.isprintable():
                below = value if not kind or ":" in value else f"{kind}:{value}"
                if ":" in below:
                    counted[event.subject, below, label] += 1
    for (resource, below, label), times in sorted(counted.items()):
        if resource != below:
            yield resource, below, f"{_times(times)} an alert about it said {label}={below}."


def _by_time(incidents: Iterable[IncidentRecord]) -> Iterator[_Found]:
    began: dict[str, list[datetime]] = defaultdict(list)
    for each in incidents:
        if each.severity >= Severity.WARNING:
            began[each.resource].append(each.opened_at)
    often = {name: sorted(at) for name, at in began.items() if len(at) >= LEAST}
    for above, later in sorted(often.items()):
        for below, earlier in sorted(often.items()):
            if above == below:
                continue
            followed = [at for at in earlier if _any_within(later, at)]
            explained = [at for at in later if _any_before(earlier, at)]
            if (
                len(followed) >= LEAST
                and len(followed) >= SHARE * len(earlier)
                and len(explained) >= SHARE * len(later)
            ):
                yield (
                    above,
                    below,
                    f"{len(followed)} of {len(earlier)} outages of {below} were followed by one "
                    f"of {above} within {WINDOW.total_seconds() / 60:g} minutes, and "
                    f"{len(explained)} of {len(later)} of its outages came so.",
                )


def _any_within(instants: Sequence[datetime], after: datetime) -> bool:
    return any(after < at <= after + WINDOW for at in instants)


def _any_before(instants: Sequence[datetime], before: datetime) -> bool:
    return any(before - WINDOW <= at < before for at in instants)


def _times(count: int) -> str:
    return "Once" if count == 1 else f"{count:,} times"


def tree(topology: Mapping[str, Sequence[str]]) -> list[tuple[int, str]]:
    """A topology as lines with their depth, each resource under what depends on it.

    A resource that several depend on stands under each of them, unfolded once; a circle ends
    where it began.
    """
    below = {d for ds in topology.values() for d in ds}
    lines: list[tuple[int, str]] = []
    unfolded: set[str] = set()

    def unfold(resource: str, depth: int, path: tuple[str, ...]) -> None:
        lines.append((depth, resource))
        if resource in path or resource in unfolded:
            return
        unfolded.add(resource)
        for each in sorted(topology.get(resource, ())):
            unfold(each, depth + 1, (*path, resource))

    for top in sorted(set(topology) - below):
        unfold(top, 0, ())
    for left in sorted(set(topology) - unfolded):  # only circles have no top
        if left not in unfolded:
            unfold(left, 0, ())
    return lines
