"""A machine looked at all the time: samples, levels that last, and disks that will be full."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agents.sre_reliability.system_monitoring import host_watch
from agents.sre_reliability.system_monitoring.assessment import HostHealth
from agents.sre_reliability.system_monitoring.host_watch import HOST, look_at_host
from agents.sre_reliability.system_monitoring.own_history import Points
from blocks.vocabulary.looks import Look
from blocks.vocabulary.messages import Severity

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
WELL = HostHealth(
    cpus=2,
    cpu_percent=10,
    load_per_cpu=0.5,
    memory_total_gb=8,
    memory_available_gb=4,
    swap_percent=0,
    disk_path="/var",
    disk_total_gb=100,
    disk_free_gb=50,
    disk_percent=50.0,
)


async def look(monkeypatch: pytest.MonkeyPatch, host: HostHealth | None, **earlier: Points) -> Look:
    """A look at a machine that reads so, and of which so much is known."""

    async def history(
        names: Collection[str], since: datetime, until: datetime
    ) -> Mapping[str, Points]:
        known = {f"{HOST}/{what}": series for what, series in earlier.items()}
        return {name: [p for p in known.get(name, []) if since <= p[0] < until] for name in names}

    if host is not None:
        monkeypatch.setattr(host_watch, "read_host", lambda folder, serves: host)
    return await look_at_host(Path("/"), history, NOW, horizon=timedelta(days=7), serves=True)


def minutes(count: int, value: float) -> Points:
    return [(NOW - timedelta(minutes=i), value) for i in range(count, 0, -1)]


def rising(per_day: float, days: int = 14) -> Points:
    """Up to 50 percent, an hour a sample."""
    hours = range(days * 24, 0, -1)
    return [(NOW - timedelta(hours=h), 50 - per_day * h / 24) for h in hours]


async def test_this_machine_is_measured(monkeypatch):
    seen = await look(monkeypatch, None)
    values = {sample.series.removeprefix("host:local/"): sample.value for sample in seen.samples}
    assert {"disk_percent", "memory_percent", "cpu_percent", "swap_percent"} <= set(values)
    assert all(0 <= value <= 100 for what, value in values.items() if what != "load_per_cpu")
    assert seen.covered == {HOST}


async def test_a_disk_that_fills_is_told_by_the_earliest_day(monkeypatch):
    seen = await look(monkeypatch, WELL, disk_percent=rising(8.0))
    (signal,) = seen.signals
    assert (signal.kind, signal.subject, signal.severity) == (
        "disk.filling",
        HOST,
        Severity.WARNING,
    )
    assert signal.summary.startswith("The disk where the ledger lies will be full in 6 days (5 to")
    assert signal.evidence["path"] == "/var"
    assert (await look(monkeypatch, WELL, disk_percent=rising(3.0))).signals == ()


@pytest.mark.parametrize(
    ("level", "severity"),
    [(94.0, Severity.ERROR), (98.5, Severity.CRITICAL)],
)
async def test_the_less_time_is_left_the_worse_it_is(monkeypatch, level, severity):
    host = WELL.model_copy(update={"disk_percent": level})
    past = [(at, value + level - 50) for at, value in rising(6.0)]
    (signal,) = (await look(monkeypatch, host, disk_percent=past)).signals
    assert signal.severity is severity


async def test_a_disk_that_is_full_already_is_not_told_twice(monkeypatch):
    full = WELL.model_copy(update={"disk_free_gb": 0.4, "disk_percent": 99.6})
    past = [(at, value + 49.6) for at, value in rising(8.0)]
    (signal,) = (await look(monkeypatch, full, disk_percent=past)).signals
    assert (signal.kind, signal.severity) == ("disk.full", Severity.ERROR)


async def test_a_busy_machine_is_told_when_it_has_been_so_for_a_while(monkeypatch):
    busy = WELL.model_copy(update={"load_per_cpu": 5.0})
    assert (await look(monkeypatch, busy)).signals == (), "it may have begun just now"
    assert (await look(monkeypatch, busy, load_per_cpu=minutes(14, 5.0))).signals == ()
    calm = [*minutes(14, 5.0)[:5], *minutes(9, 0.5)]
    assert (await look(monkeypatch, busy, load_per_cpu=calm)).signals == ()
    before = [(NOW - timedelta(minutes=40), 0.5), *minutes(15, 5.0)]
    (signal,) = (await look(monkeypatch, busy, load_per_cpu=before)).signals
    assert (signal.kind, signal.severity) == ("cpu.overloaded", Severity.ERROR)
    seldom = [(NOW - timedelta(minutes=50), 5.0)]
    assert (await look(monkeypatch, busy, load_per_cpu=seldom)).signals, "a look an hour"


async def test_inodes_and_open_files_run_out_too(monkeypatch):
    short = WELL.model_copy(update={"inodes_percent": 98.0, "files_percent": 81.0})
    kinds = {s.kind: s.severity for s in (await look(monkeypatch, short)).signals}
    assert kinds == {"inodes.full": Severity.ERROR, "files.full": Severity.WARNING}
