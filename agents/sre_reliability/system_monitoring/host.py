"""Looks at the machine that we run on, and judges what it sees."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from agents.sre_reliability.system_monitoring.assessment import HostHealth
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Severity

GB = 1e9

WORKERS_MARK = "PREFECT__FLOW_RUN_ID"
"""A worker puts it into the environment of the processes that it starts; a shell does not."""

CPU_SAMPLE = 0.3  # seconds over which CPU use is measured

LOAD_WARNING, LOAD_ERROR = 1.5, 4.0  # runnable processes per CPU, 5-minute average
MEMORY_WARNING, MEMORY_ERROR = 10.0, 4.0  # percent still available
DISK_WARNING, DISK_ERROR = 10.0, 3.0  # percent still free
INODES_WARNING, INODES_ERROR = 90.0, 97.0  # percent used
FILES_WARNING, FILES_ERROR = 80.0, 95.0  # percent of the files that this process may have open
DISK_WARNING_GB, DISK_ERROR_GB = 2.0, 0.5  # and less than this, so that big disks don't cry wolf
CLOCK_WARNING, CLOCK_ERROR = 5.0, 60.0
"""Seconds. Signed requests are refused at 300, and Date headers are good to a second or two."""


def read_host(folder: Path, *, serves: bool | None = None) -> HostHealth:
    """Measure CPU, memory and the disk of a folder (or of its nearest parent that exists).

    Args:
        folder: On the disk that is looked at.
        serves: Whether our work is done on this machine; by the marks of a worker when None.
    """
    while not folder.exists():
        folder = folder.parent
    memory, disk = psutil.virtual_memory(), psutil.disk_usage(str(folder))
    cpus = psutil.cpu_count() or 1
    try:
        load = psutil.getloadavg()[1] / cpus
    except OSError:  # a system that keeps no load average
        load = None
    before = psutil.cpu_times()
    busy = psutil.cpu_percent(interval=CPU_SAMPLE)
    return HostHealth(
        name=socket.gethostname(),
        serves=WORKERS_MARK in os.environ if serves is None else serves,
        cpus=cpus,
        cpu_percent=busy,
        cpu_steal_percent=_stolen(before, psutil.cpu_times()),
        load_per_cpu=load,
        memory_total_gb=memory.total / GB,
        memory_available_gb=memory.available / GB,
        swap_percent=psutil.swap_memory().percent,
        disk_path=str(folder),
        disk_total_gb=disk.total / GB,
        disk_free_gb=disk.free / GB,
        disk_percent=_share(disk.used, disk.used + disk.free),
        inodes_percent=_inodes(folder),
        files_percent=_files(),
    )


def _share(used: float, whole: float) -> float | None:
    return 100 * used / whole if whole > 0 else None


def _stolen(before: Any, after: Any) -> float | None:
    if not hasattr(after, "steal"):
        return None
    return _share(after.steal - before.steal, sum(after) - sum(before))


def _inodes(folder: Path) -> float | None:
    if not hasattr(os, "statvfs"):
        return None
    found = os.statvfs(folder)
    used = found.f_files - found.f_ffree
    return _share(used, used + found.f_favail) if found.f_files else None  # some keep no count


def _files() -> float | None:
    process = psutil.Process()
    if not hasattr(process, "num_fds"):
        return None
    most, _ = process.rlimit(psutil.RLIMIT_NOFILE)
    return _share(process.num_fds(), most)  # negative: without a limit


def with_clock(host: HostHealth, skews: Iterable[float | None]) -> HostHealth:
    """Adds how far the others' clocks are from ours: the median, so that no single one decides."""
    known = [skew for skew in skews if skew is not None]
    return host.model_copy(update={"clock_skew_s": median(known) if known else None})


def judge_host(host: HostHealth) -> list[Finding]:
    """What is wrong with a machine that reads so.

    How busy it is counts only where our work is done: where somebody typed a command, the command
    itself, an editor or a build makes the load, and the business is none the worse.
    """
    load = (host.load_per_cpu or 0.0) if host.serves else 0.0
    free = 100 * host.disk_free_gb / host.disk_total_gb if host.disk_total_gb else 100.0
    available = 100 * host.memory_available_gb / host.memory_total_gb
    skew = abs(host.clock_skew_s or 0.0)
    found = [
        _finding(
            "cpu-overloaded",
            _grade(load, LOAD_WARNING, LOAD_ERROR),
            f"{load:.1f} processes per CPU want to run",
            {"load_per_cpu": host.load_per_cpu, "cpu_percent": host.cpu_percent, "cpus": host.cpus},
            "See which process needs it; lower ORCHESTRATOR_WORKER_LIMIT or add CPUs.",
        ),
        _finding(
            "memory-low",
            _grade(-available, -MEMORY_WARNING, -MEMORY_ERROR),
            f"Only {host.memory_available_gb:.1f} GB of memory are available",
            {"available_gb": round(host.memory_available_gb, 2), "available_percent": available},
            "See which process grew; lower ORCHESTRATOR_WORKER_LIMIT or add memory.",
        ),
        _finding(
            "disk-low",
            min(
                _grade(-free, -DISK_WARNING, -DISK_ERROR),
                _grade(-host.disk_free_gb, -DISK_WARNING_GB, -DISK_ERROR_GB),
            ),
            f"Only {host.disk_free_gb:.2f} GB are free where the ledger lies",
            {"free_gb": round(host.disk_free_gb, 3), "free_percent": free, "path": host.disk_path},
            "Free space: without it neither the ledger nor Prefect can record anything.",
        ),
        _finding(
            "inodes-low",
            _grade(host.inodes_percent or 0.0, INODES_WARNING, INODES_ERROR),
            f"{host.inodes_percent or 0:.0f}% of the inodes are used where the ledger lies",
            {"inodes_percent": host.inodes_percent, "path": host.disk_path},
            "Remove what consists of many small files: without inodes no file can be made.",
        ),
        _finding(
            "files-low",
            _grade(host.files_percent or 0.0, FILES_WARNING, FILES_ERROR),
            f"{host.files_percent or 0:.0f}% of the files that a process of ours may open are open",
            {"files_percent": host.files_percent},
            "Raise the limit (ulimit -n), and see what it has open (ls -l /proc/PID/fd).",
        ),
        _finding(
            "clock-off",
            _grade(skew, CLOCK_WARNING, CLOCK_ERROR),
            f"This machine's clock is {skew:.0f} s away from the others'",
            {"clock_skew_s": host.clock_skew_s},
            "Let it be set by NTP: schedules and signed requests depend on it.",
        ),
    ]
    # The machine's name is evidence, no part of a title: the public page shows titles.
    return [
        finding.model_copy(update={"evidence": finding.evidence | {"host": host.name}})
        for finding in found
        if finding.severity is not Severity.INFO
    ]


def _grade(value: float, warning: float, error: float) -> Severity:
    if value > error:
        return Severity.ERROR
    return Severity.WARNING if value > warning else Severity.INFO


def _finding(
    kind: str, severity: Severity, title: str, evidence: dict[str, float | str | None], advice: str
) -> Finding:
    return Finding(
        kind=kind,
        resource="host:local",
        severity=severity,
        title=title,
        evidence=evidence,
        advice=advice,
    )
