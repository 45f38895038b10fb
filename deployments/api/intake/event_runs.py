"""Runs of the event-driven workflow, started soon after events came: a few, however many came.

The events are safe already. What goes wrong here is logged and no more: the workflow's schedule is
the safety net.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from blocks.errors import OrchestratorError
from blocks.prefect_api.runs import Runs
from blocks.vocabulary.messages import Severity, utc_now
from flows.orchestrator.events.wake import bucket_end, run_for_events

log = logging.getLogger("orchestrator.api")

_REST = 0.25
"""Seconds between two runs that are asked for."""

_REST_AFTER_FAILURE = 5.0


class EventRuns:
    """Asks Prefect for runs, in the background.

    A critical event gets a run at once. The others wait until their bucket of time is over, so
    that one run finds all of them. A run that has not begun yet will see whatever is in the ledger
    by then: as long as there is one, no other is asked for.
    """

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._asked = asyncio.Event()
        self._urgent = False
        self._served = datetime.min.replace(tzinfo=UTC)

    @classmethod
    @asynccontextmanager
    async def open(cls, runs: Runs) -> AsyncIterator[EventRuns]:
        """Start asking; ends with the context."""
        event_runs = cls(runs)
        asking = asyncio.create_task(event_runs._keep_asking())
        try:
            yield event_runs
        finally:
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking

    def heed(self, worst: Severity) -> None:
        """Events are in the ledger; have a run deal with them. Returns at once.

        Args:
            worst: The severity of the most severe of them.
        """
        if worst is Severity.CRITICAL:
            self._urgent = True
        elif utc_now() < self._served:
            return  # a run at the end of this bucket was asked for already
        self._asked.set()

    async def _keep_asking(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            urgent, self._urgent = self._urgent, False
            rest = _REST
            try:
                await self._ask(urgent)
            except OrchestratorError as error:
                log.warning("Events wait for the next scheduled run: %s", error.what)
                rest = _REST_AFTER_FAILURE
            except Exception:
                log.exception("Events wait for the next scheduled run.")
                rest = _REST_AFTER_FAILURE
            await asyncio.sleep(rest)

    async def _ask(self, urgent: bool) -> None:
        now = utc_now()
        due = now if urgent else bucket_end(now)
        await run_for_events(self._runs, due, urgent=urgent)
        if not urgent:
            self._served = due
