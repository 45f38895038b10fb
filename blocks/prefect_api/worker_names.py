"""The names under which the workers of this machine report to Prefect."""

from __future__ import annotations

import socket


def worker_name(pool: str) -> str:
    """The name under which this machine's worker of a pool reports to Prefect.

    It tells the machine, because the runs that the worker takes carry it: a process number means
    something only where the process is.
    """
    return f"worker-{pool}@{socket.gethostname()}"


def is_here(worker: object) -> bool:
    """Whether the worker of that name is on this machine."""
    return str(worker or "").endswith(f"@{socket.gethostname()}")
