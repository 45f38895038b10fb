"""The metrics by which services are watched: read all the time, and told when they stop.

A Prometheus keeps its own history and is only asked whether samples still come. Where there is
none, the service is read directly and its values are kept here; what counts becomes a rate.
Nothing about metrics says that a service is ill: whoever stopped answering altogether is told as
such by others, and its metrics are not told then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pandas as pd

from agents.sre_reliability.system_monitoring.own_history import History, frame_of, series_name
from agents.sre_reliability.system_monitoring.services import stopped, watched_history
from blocks.business.services import MonitoredService
from blocks.errors import NotFound, OrchestratorError
from blocks.formats.exposition import Exposition
from blocks.formats.sample_times import SILENT_AT_LEAST, has_stopped
from blocks.formats.selectors import Chosen, choose
from blocks.vocabulary.looks import Look, Sample, Signal

PART = "metrics"

STOPPED = "metric.stopped"

KNOWN = timedelta(days=7)
"""So far back it is asked how often samples come, and whether they often rest."""

_HOUR = timedelta(hours=1)

LONGEST_GAP = timedelta(minutes=15)
"""Between two readings of a counter. Over a longer one its rate says nothing about now."""

SHORTEST_GAP = timedelta(seconds=5)
"""The same. A single request within the blink between the looks of two processes is no rush."""


@dataclass
class _Seen:
    """What was seen of one service's metrics."""

    covered: set[str] = field(default_factory=set)
    signals: list[Signal] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


async def look_at_metrics(
    services: Sequence[MonitoredService], history: History, now: datetime
) -> Look:
    """Look at the watched metrics of every service, side by side.

    Args:
        services: Whose.
        history: Reads what was kept of those without a Prometheus.
        now: The instant of the look.
    """
    watched = [service for service in services if service.metrics]
    found = await asyncio.gather(*(_look(service, history, now) for service in watched))
    return Look(
        part=PART,
        covered=frozenset().union(*(seen.covered for seen in found)),
        signals=tuple(signal for seen in found for signal in seen.signals),
        samples=tuple(sample for seen in found for sample in seen.samples),
        missing=tuple(note for seen in found for note in seen.missing),
    )


def subjects(services: Sequence[MonitoredService]) -> list[str]:
    """What the look is about: every watched metric."""
    return [series_name(service, metric) for service in services for metric in service.metrics]


async def _look(service: MonitoredService, history: History, now: datetime) -> _Seen:
    if service.history_url:
        return await _asked(service, now)
    if service.metrics_url:
        return await _read(service, history, now)
    return _Seen(missing=[f"service:{service.name}: neither metrics_url nor history_url is set"])


async def _asked(service: MonitoredService, now: datetime) -> _Seen:
    """Ask its Prometheus whether samples still come."""
    seen = _Seen()
    silent: dict[str, pd.DataFrame] = {}
    lately = await watched_history(service, now, SILENT_AT_LEAST / _HOUR)
    quiet = [m for m, series in lately.items() if isinstance(series, pd.DataFrame) and series.empty]
    # How often samples come is only asked where none came: it is a week of them.
    known = await watched_history(service, now, KNOWN / _HOUR) if quiet else {}
    for metric in service.metrics:
        subject = series_name(service, metric)
        series = known[metric] if metric in quiet else lately[metric]
        if isinstance(series, OrchestratorError):
            seen.missing.append(f"{subject}: {series.what}")
        elif metric in quiet and has_stopped(series["ts"], now):
            silent[metric] = series
        else:
            seen.covered.add(subject)
    await _tell(seen, service, silent, now)
    return seen


async def _read(service: MonitoredService, history: History, now: datetime) -> _Seen:
    """Read its metrics, and keep their values."""
    seen = _Seen()
    try:
        exposition = await service.scrape()
    except OrchestratorError as error:
        seen.missing.append(f"service:{service.name}: {error.what}")
        exposition = Exposition()
    chosen: dict[str, Chosen] = {}
    absent: list[str] = []
    for metric in service.metrics:
        try:
            chosen[metric] = choose(exposition, metric)
        except NotFound:
            absent.append(metric)
        except OrchestratorError as error:
            seen.missing.append(f"{series_name(service, metric)}: {error.what}")
    counters = [_counter(service, metric) for metric, one in chosen.items() if one.counts]
    since, until = now - LONGEST_GAP, now - SHORTEST_GAP
    before = await history(counters, since, until) if counters else {}
    for metric, one in chosen.items():
        seen.covered.add(series_name(service, metric))
        seen.samples += _samples(service, metric, one, before, now)
    names = {series_name(service, metric): metric for metric in absent}
    kept = await history(list(names), now - KNOWN, now) if names else {}
    silent = {names[name]: frame_of(points) for name, points in kept.items() if points}
    gone = {metric: series for metric, series in silent.items() if has_stopped(series["ts"], now)}
    await _tell(seen, service, gone, now)
    never = [metric for metric in absent if metric not in silent]
    seen.missing += [f"{series_name(service, metric)}: never seen so far" for metric in never]
    return seen


async def _tell(
    seen: _Seen, service: MonitoredService, silent: Mapping[str, pd.DataFrame], now: datetime
) -> None:
    """Tell of metrics that stopped, unless their service does not do its work anyway."""
    if not silent or not (await service.probe(now)).healthy:
        return
    for metric, series in silent.items():
        finding = stopped(service, metric, series)
        seen.covered.add(finding.resource)
        seen.signals.append(
            Signal(
                kind=STOPPED,
                subject=finding.resource,
                severity=finding.severity,
                summary=f"{finding.title}.",
                runbook=finding.advice,
                evidence=finding.evidence,
            )
        )


def _samples(
    service: MonitoredService,
    metric: str,
    one: Chosen,
    before: Mapping[str, Sequence[tuple[datetime, float]]],
    now: datetime,
) -> Iterable[Sample]:
    if not one.counts:
        yield Sample(series=series_name(service, metric), at=now, value=one.value)
        return
    counter = _counter(service, metric)
    yield Sample(series=counter, at=now, value=one.value)
    if known := before.get(counter):
        at, value = known[-1]
        # It began anew with its service when it is less than it was, as Prometheus has it.
        grown = one.value - value if one.value >= value else one.value
        rate = grown / (now - at).total_seconds()
        yield Sample(series=series_name(service, metric), at=now, value=rate)


def _counter(service: MonitoredService, metric: str) -> str:
    """The series of what a counter showed, from which its rate is told."""
    return f"counter:{service.name}/{metric}"
