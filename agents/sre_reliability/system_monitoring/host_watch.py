"""This machine, looked at all the time: what is short now, and what will be full in days."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from agents.sre_reliability.system_monitoring.assessment import HostHealth
from agents.sre_reliability.system_monitoring.host import (
    LOAD_WARNING,
    MEMORY_WARNING,
    judge_host,
    read_host,
)
from agents.sre_reliability.system_monitoring.own_history import History, Points
from agents.sre_reliability.system_monitoring.saturation import DAY, HOUR, Forecast, forecast_full
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.looks import Look, Sample, Signal
from blocks.vocabulary.messages import Severity

PART = "host"

HOST = "host:local"

KEPT = timedelta(days=28)
"""So far back a trend looks: a log that is rotated each week shows its teeth within."""

FILLING = {"disk_percent": ("disk.filling", "disk"), "inodes_percent": ("inodes.filling", "inodes")}
"""What only grows until somebody empties it, by sample: the kind of signal, and its name."""

_KINDS = {
    "disk-low": "disk.full",
    "memory-low": "memory.low",
    "cpu-overloaded": "cpu.overloaded",
    "clock-off": "clock.off",
    "inodes-low": "inodes.full",
    "files-low": "files.full",
}

BUSY_FOR = timedelta(minutes=15)
"""A machine that is busy, or short of memory, for a shorter time is at work."""

_APART = HOUR
"""Two looks at this machine may be so far apart."""


async def look_at_host(
    folder: Path, history: History, now: datetime, *, horizon: timedelta, serves: bool
) -> Look:
    """Look at the machine that this process runs on.

    Args:
        folder: Where the ledger lies: its disk is looked at.
        history: Reads the samples of earlier looks.
        now: The instant of the look.
        horizon: What will be full within it, at the earliest, is told.
        serves: Whether our work is done here: else nobody minds how busy it is.
    """
    host = await asyncio.to_thread(read_host, folder, serves=serves)
    samples = list(_samples(host, now))
    current = {sample.series: (now, sample.value) for sample in samples}
    filling = [name for name in current if _what(name) in FILLING]
    coming = [f"{HOST}/{what}" for what, _ in _COMES_AND_GOES.values()]
    brief, long = await asyncio.gather(
        history(coming, now - BUSY_FOR - _APART, now), history(filling, now - KEPT, now)
    )
    earlier = {name: [*brief[name], current[name]] for name in coming if name in current}
    found = [finding for finding in judge_host(host) if _lasts(finding, earlier, now)]
    signals = [_level(finding) for finding in found]
    full = {signal.kind.partition(".")[0] for signal in signals if signal.kind.endswith(".full")}
    for name in filling:
        kind, thing = FILLING[_what(name)]
        if kind.partition(".")[0] in full:
            continue  # what is nearly full is told already
        series = [*long[name], current[name]]
        forecast = await asyncio.to_thread(forecast_full, series, now)
        if forecast is not None and forecast.earliest * DAY <= horizon:
            signals.append(_filling(kind, thing, forecast, host))
    return Look(
        part=PART, covered=frozenset({HOST}), signals=tuple(signals), samples=tuple(samples)
    )


def _samples(host: HostHealth, now: datetime) -> Iterable[Sample]:
    values = {
        "disk_percent": host.disk_percent,
        "inodes_percent": host.inodes_percent,
        "memory_percent": host.memory_percent,
        "swap_percent": host.swap_percent,
        "cpu_percent": host.cpu_percent,
        "cpu_steal_percent": host.cpu_steal_percent,
        "load_per_cpu": host.load_per_cpu,
        "files_percent": host.files_percent,
    }
    for what, value in values.items():
        if value is not None:
            yield Sample(series=f"{HOST}/{what}", at=now, value=value)


def _what(series: str) -> str:
    return series.rpartition("/")[2]


_COMES_AND_GOES = {
    "cpu-overloaded": ("load_per_cpu", LOAD_WARNING),
    "memory-low": ("memory_percent", 100 - MEMORY_WARNING),
}
"""What comes and goes with work: the sample and the limit that tell for how long it has been so."""


def _lasts(finding: Finding, earlier: Mapping[str, Points], now: datetime) -> bool:
    """Whether it has been so for long enough to be told."""
    if finding.kind not in _COMES_AND_GOES:
        return True
    what, limit = _COMES_AND_GOES[finding.kind]
    series = earlier.get(f"{HOST}/{what}", [])
    since = bisect_right(series, now - BUSY_FOR, key=lambda point: point[0]) - 1
    if since < 0:
        return False  # nothing is known of so long ago: it may have begun just now
    return min(value for _, value in series[since:]) > limit


def _level(finding: Finding) -> Signal:
    return Signal(
        kind=_KINDS[finding.kind],
        subject=HOST,
        severity=finding.severity,
        summary=f"{finding.title}.",
        runbook=finding.advice,
        evidence=finding.evidence,
    )


def _filling(kind: str, thing: str, forecast: Forecast, host: HostHealth) -> Signal:
    left = timedelta(days=forecast.earliest)
    severity = Severity.WARNING
    if left < DAY:
        severity = Severity.CRITICAL if left < DAY / 4 else Severity.ERROR
    return Signal(
        kind=kind,
        subject=HOST,
        severity=severity,
        summary=f"The {thing} where the ledger lies will be {forecast.said}: "
        f"{forecast.level:.0f}% used, {forecast.per_day:.1f} points more a day.",
        runbook="See what grows (du -xh --max-depth=3), free space or add some before then.",
        evidence={
            "path": host.disk_path,
            "level_percent": round(forecast.level, 2),
            "per_day_percent": round(forecast.per_day, 3),
            "days": round(forecast.days, 2),
            "earliest_days": round(forecast.earliest, 2),
            "latest_days": forecast.latest and round(forecast.latest, 2),
            "known_days": round(forecast.known_days, 1),
        },
    )
