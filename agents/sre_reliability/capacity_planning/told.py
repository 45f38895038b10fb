"""How full a service says it is: what its metrics tell of a limit, and of how much of it is used.

Two forms are understood, by their names. A share (``cpu_utilization_percent``,
``heap_usage_ratio``) has its limit in its unit. A number in use beside the most that there is
(``process_open_fds`` and ``process_max_fds``, ``hikaricp_connections_active`` and ``…_max``,
``queue_depth`` and ``queue_capacity``) has it in the other metric of the same labels. Everything
else tells a load without a limit, and nothing follows from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from agents.sre_reliability.capacity_planning.assessment import Load
from agents.sre_reliability.capacity_planning.queueing import busy_at
from agents.sre_reliability.system_monitoring.assessment import ServiceHealth
from agents.sre_reliability.system_monitoring.services import ILL

_SHARE = re.compile(
    r"(?P<what>.*?)_?(?:(?:utili[sz]ation|usage|used|busy)_)?(?P<unit>percent|ratio)"
)
_WHOLE = {"percent": 100.0, "ratio": 1.0}
_FILLS = frozenset(
    {"cpu", "memory", "mem", "heap", "disk", "storage", "connections", "connection", "pool"}
    | {"threads", "thread", "workers", "worker", "queue", "fds", "descriptors"}
)
"""What can be full. Of a share of anything else (errors, hits) more is not fuller."""

_EMPTY = frozenset(
    {"idle", "free", "available", "unused", "hit", "hits", "miss", "error", "errors", "success"}
)
_IN_USE = ("in_flight", "in_use", "current", "active", "length", "depth", "used", "open", "busy")
_AT_MOST = ("max", "limit", "capacity")

_GROWS_LATENCY = frozenset({"cpu", "threads", "thread", "workers", "worker"})
"""What work waits for, so that response grows with it."""

PROPORTIONAL = "assumed: its load grows with the surge"


def loads_of(service: ServiceHealth, share: float) -> list[Load]:
    """What a service tells of itself, one entry per limit.

    Args:
        service: As it answered.
        share: Of a limit that may be used.

    Returns:
        A single entry without present and limit where it tells nothing, or does not work.
    """
    resource = f"service:{service.name}"
    if service.status in ILL or service.status == "unknown":
        return [
            Load(
                resource,
                "health",
                detail=f"It is {service.status} now. {service.detail}".strip(),
                is_out=service.status in ILL,
            )
        ]
    told = [*_shares(service.metrics), *_pairs(service.metrics)]
    if not told:
        detail = "It tells no limit: nothing of it is both measured and bounded."
        return [Load(resource, "metrics", detail=detail)]
    return [
        Load(
            resource,
            measure,
            present,
            limit,
            share=min(share, _share_by_latency(service, measure, present / limit)),
            basis=PROPORTIONAL,
        )
        for measure, present, limit in told
    ]


def _share_by_latency(service: ServiceHealth, measure: str, busy: float) -> float:
    """How busy it may be before it answers later than its budget; 1 where that says nothing."""
    if service.latency_ms is None or not _GROWS_LATENCY & set(_words(measure)):
        return 1.0
    return busy_at(service.latency_ms, service.budget_ms, busy)


def _shares(samples: Mapping[str, float]) -> Iterable[tuple[str, float, float]]:
    """Sample, value and whole of each share of something that can be full."""
    for sample, value in samples.items():
        found = _SHARE.fullmatch(_name(sample))
        if found is None:
            continue
        words, whole = set(_words(found["what"])), _WHOLE[found["unit"]]
        # More than the whole is a share of something else: of one core, of several.
        if words & _FILLS and not words & _EMPTY and 0 <= value <= whole:
            yield sample, value, whole


def _pairs(samples: Mapping[str, float]) -> Iterable[tuple[str, float, float]]:
    """Sample, value and limit of each number in use whose limit is told beside it."""
    for sample, value in samples.items():
        name, labels = _name(sample), sample[len(_name(sample)) :]
        limits = (samples.get(limit + labels) for limit in _names_of_limit(name))
        limit = next((each for each in limits if each is not None), None)
        if limit is not None and limit > 0 and value >= 0:  # -1 is some runtimes' "none"
            yield sample, value, limit


def _names_of_limit(name: str) -> Iterable[str]:
    """How the most of something that is in use may be called."""
    padded = f"_{name}_"
    for word in _IN_USE:
        if f"_{word}_" in padded:
            for most in _AT_MOST:
                yield padded.replace(f"_{word}_", f"_{most}_", 1).strip("_")


def _name(sample: str) -> str:
    return sample.partition("{")[0]


def _words(name: str) -> Sequence[str]:
    return _name(name).lower().split("_")
