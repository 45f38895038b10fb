"""The processes of Prefect runs, as this machine shows them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psutil

from flows.orchestrator.runs.deaths import Process

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

_RUN_ID = "PREFECT__FLOW_RUN_ID"  # Prefect's workers put it into the environment of a run
_CLOCKS = 5.0  # seconds by which a process's start and the server's clock may disagree


class RunProcesses:
    """One look at the processes; what is costly is looked at when it is first asked for."""

    def __init__(self) -> None:
        self._engines: set[str] | None = None

    def look(self, run_id: UUID, pid: int | None, here: bool, state: State[Any]) -> Process:
        """What is seen of a run's process.

        Args:
            run_id: The run.
            pid: Number of its process, as far as it is known; maybe of its last life.
            here: Whether the run is known to be on this machine.
            state: Its state: a process begins while its run is PENDING, and then says itself that
                it is RUNNING. One that began at another time only has the number.
        """
        process = _running(pid)
        if process is not None and here and _began_in_time(process, state):
            return Process.LIVES
        if self.has_engine(run_id):
            return Process.LIVES
        known = here and pid is not None and not state.is_pending()
        return Process.GONE if known else Process.UNSEEN

    def end(self, pid: int | None, state: State[Any]) -> bool:
        """Kill a run's process and what it started; whether it was there."""
        process = _running(pid)
        if process is None or not _began_in_time(process, state):
            return False
        with suppress(ProcessLookupError):  # it has just ended
            os.killpg(process.pid, signal.SIGKILL)
        return True

    def has_engine(self, run_id: UUID) -> bool:
        """Whether a process that Prefect started for the run lives here, whoever started it."""
        if self._engines is None:
            self._engines = set(_engines())
        return str(run_id) in self._engines


def _running(pid: int | None) -> psutil.Process | None:
    try:
        process = psutil.Process(pid) if pid is not None else None
        return process if process and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def _began_in_time(process: psutil.Process, state: State[Any]) -> bool:
    early = process.create_time() - state.timestamp.timestamp()
    return early > -_CLOCKS if state.is_pending() else early < _CLOCKS


def _engines() -> Iterable[str]:
    for process in psutil.process_iter():
        try:
            # What a run starts inherits its environment, and may outlive it.
            is_engine = any(word.startswith("prefect.") for word in process.cmdline())
            if is_engine and (run_id := process.environ().get(_RUN_ID)):
                yield run_id
        except psutil.Error:
            continue  # gone meanwhile, or another user's
