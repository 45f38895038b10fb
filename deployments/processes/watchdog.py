"""Ends the stack's processes when their supervisor is gone.

A program: ``python -m deployments.processes.watchdog ID``.

The supervisor holds the other end of this process's standard input. The kernel closes it however
the supervisor ends, ``kill -9`` included. Then every process that carries the stack's mark in its
environment is ended, wherever in the process tree it went: Prefect's worker puts each run into a
session of its own, so neither process groups nor parent-death signals would reach them all.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

import psutil

MARK = "ORCHESTRATOR_STACK_ID"
_GRACE = 3.0  # seconds between SIGTERM and SIGKILL


def marked(stack_id: str) -> list[psutil.Process]:
    """The running processes that carry the mark, this one excepted."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == stack_id:
                found.append(process)
        except psutil.Error:
            continue  # gone meanwhile, or another user's and so not ours
    return found


def sweep(stack_id: str) -> None:
    """End all processes that carry the mark: politely, and after the grace period for good."""
    asked = marked(stack_id)
    for process in asked:
        _signal(process, signal.SIGTERM)
    psutil.wait_procs(asked, timeout=_GRACE)
    while left := marked(stack_id):  # a process may have started another one meanwhile
        for process in left:
            _signal(process, signal.SIGKILL)
        psutil.wait_procs(left, timeout=1)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def main() -> None:
    """Wait for the end of standard input, then sweep."""
    sys.stdin.buffer.read()
    sweep(sys.argv[1])


if __name__ == "__main__":
    main()
