"""The reconciler: runs that died or were cut off are run again while somebody wants them.

A look is a handful of small queries while nothing is wrong. Whatever it does, it does from the
state that it saw, so that two stacks on one server may look at once (docs/adr/0006-reconciler.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from json import JSONDecodeError
from time import monotonic
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from blocks.errors import SourceUnavailable
from blocks.ledger import Ledger
from blocks.policy.policy import RecoveryRules
from blocks.prefect_api.worker_names import is_here
from blocks.vocabulary.messages import ErrorInfo, Outcome
from deployments.services.prefect_runs import WORKER, PrefectRuns
from deployments.services.run_processes import RunProcesses
from flows.orchestrator.runs import deaths as run_deaths
from flows.orchestrator.runs.deaths import Next, Process, Sight

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun, State

DEADLINE = 60.0
"""Seconds that a look may take; what it did not come to, the next one does."""

_SLOW = 5.0  # seconds: a look that took longer may have waited for the server to come back
_RECORDS = timedelta(days=7)  # runs in the ledger that began before are not looked at any more


class Reconciler:
    """Looks after the runs of some work pools.

    Args:
        pools: Their names.
        ledger: Where runs leave their reports and tasks.
        say: Told of every run that is settled, restarted or given up.
    """

    def __init__(self, pools: Sequence[str], ledger: Ledger, say: Callable[[str], None]) -> None:
        self._pools, self._ledger, self._say = list(pools), ledger, say
        self._listening_since: datetime | None = None
        self._heard: dict[UUID, datetime] = {}

    async def look(self, now: datetime) -> None:
        """Settle runs that died, restart those that crashed, close what they left open.

        Raises:
            SourceUnavailable: The Prefect server does not answer.
            LedgerError: The ledger cannot be read or written; the dead are settled all the same.
        """
        async with self._server(now) as server:
            from prefect.client.schemas.objects import StateType

            going_on = await server.find(
                StateType.RUNNING,
                StateType.PENDING,
                StateType.CANCELLING,
                StateType.PAUSED,
            )
            await self._settle_dead(server, going_on, now)
            self._heard = {run.id: at for run in going_on if (at := self._heard.get(run.id))}
            processes = RunProcesses()
            for run in await server.find(StateType.CRASHED, since=now - run_deaths.OPEN):
                await self._follow_up(server, run, processes, now)
            await self._close_records(server, going_on, now)

    async def start_over(self, now: datetime) -> int:
        """What a stack does when it starts, before its worker: as ``look``, and what was missed.

        Scheduled runs whose hour passed while no stack ran are cancelled: three mornings' checks
        at once tell nothing that one does not. So are runs that somebody waited for who is gone.
        What was accepted otherwise stays.

        Returns:
            How many missed runs were cancelled.

        Raises:
            As ``look``.
        """
        from prefect.client.schemas.objects import StateType
        from prefect.states import Cancelled

        await self.look(now)
        async with self._server(now) as server:
            waiting = await server.find(StateType.SCHEDULED, expected_by=now)
            missed = [run for run in waiting if run.auto_scheduled or _is_on_behalf(run)]
            why: State[Any] = Cancelled(message="Its hour passed while no stack ran.")
            return sum([await server.propose(run, why) for run in missed if not _restarts(run)])

    @asynccontextmanager
    async def _server(self, now: datetime) -> AsyncIterator[PrefectRuns]:
        import httpx
        from prefect import get_client

        began = monotonic()
        try:
            async with asyncio.timeout(DEADLINE), get_client() as client:
                self._listening_since = self._listening_since or now
                yield PrefectRuns(client, self._pools)
            if monotonic() - began > _SLOW:
                self._listening_since = None
        except (httpx.HTTPError, JSONDecodeError, TimeoutError) as error:
            self._listening_since = None
            raise SourceUnavailable(
                "Runs cannot be looked after: the Prefect server does not answer as it should "
                f"({type(error).__name__})."
            ) from None

    # Who is dead.

    async def _settle_dead(
        self, server: PrefectRuns, runs: Sequence[FlowRun], now: datetime
    ) -> None:
        processes, workers = RunProcesses(), None
        for run in runs:
            assert run.state is not None
            sight = Sight(
                state=run.state.type.value,
                since=run.state.timestamp,
                process=_look(processes, run),
                heard_at=self._heard.get(run.id),
                listening_since=self._listening_since or now,
            )
            # Most are seen, or were heard of a moment ago: the server is asked about the others.
            if sight.process is Process.UNSEEN and run_deaths.cause_of_death(sight, now):
                workers = await server.workers(now) if workers is None else workers
                worker = run.labels.get(WORKER)
                watched = worker in workers and not is_here(worker)
                sight = replace(sight, heard_at=await server.heartbeat(run), watched=watched)
            if sight.heard_at is not None:
                self._heard[run.id] = sight.heard_at
            if run_deaths.is_cancelled_by_nobody(sight, now) and processes.end(
                _pid(run), run.state
            ):
                self._say(f"{_name(run)} was cancelled and its worker is gone: it is ended.")
            if why := run_deaths.cause_of_death(sight, now):
                await self._settle(server, run, why)

    async def _settle(self, server: PrefectRuns, run: FlowRun, why: str) -> None:
        from prefect.states import Cancelled, Crashed

        assert run.state is not None
        cancelling = run.state.is_cancelling()
        state: State[Any] = Cancelled(message=why) if cancelling else Crashed(message=why)
        # What is paused, Prefect only lets go by force.
        if await server.propose(run, state, force=run.state.is_paused()):
            self._say(f"{_name(run)} is dead. {why}")

    # What becomes of the crashed.

    async def _follow_up(
        self, server: PrefectRuns, run: FlowRun, processes: RunProcesses, now: datetime
    ) -> None:
        from prefect.states import Cancelled, Scheduled

        assert run.state is not None
        crashed_at, message = run.state.timestamp, run.state.message or ""
        name, tags = run.state.name or "", run.tags
        if not run_deaths.may_be_restarted(name, tags, crashed_at, run.auto_scheduled, now):
            return
        if now - crashed_at < run_deaths.SETTLING or processes.has_engine(run.id):
            return
        # Without the ledger they would be cut off again, and what they came to is not known.
        await self._ledger.health.check()
        if (done := await self._done(run)) is not None:
            if await server.propose(run, done):
                self._say(f"{_name(run)} had left its report when it died: it is {done.name}.")
            return
        past, rules = await server.past(run), await self._rules()
        match run_deaths.after_crash(past, rules):
            case Next.CANCEL:
                await server.propose(run, Cancelled(message=f"{message} It was being cancelled."))
            case Next.GIVE_UP:
                await self._give_up(server, run, message, rules, now)
            case Next.RESTART if now - crashed_at >= run_deaths.rest_after(past):
                number = run_deaths.restarts_in(past, name) + 1
                why = f"Restart {number} of {run_deaths.most_restarts(name, rules)}: {message}"
                await server.forget_process(run)
                if await server.propose(run, Scheduled(name=run_deaths.RESTARTED, message=why)):
                    self._say(f"{_name(run)} crashed. {why}")

    async def _rules(self) -> RecoveryRules:
        """How often runs are restarted, by the policy that was last used."""
        body = await self._ledger.policies.latest() or {}
        return RecoveryRules.model_validate(body.get("recovery", {}), extra="ignore")

    async def _done(self, run: FlowRun) -> State[Any] | None:
        """The state in which a run would have ended, had it not died after its report."""
        from flows.orchestrator.team.outcome import conclude
        from flows.reports.model import Report

        report = await self._ledger.report(run_deaths.record_id(run.id, run.run_count))
        if report is None:
            return None
        return cast("State[Any]", conclude(Report.model_validate(report.body)))

    async def _give_up(
        self,
        server: PrefectRuns,
        run: FlowRun,
        message: str,
        rules: RecoveryRules,
        now: datetime,
    ) -> None:
        from prefect.states import Crashed

        assert run.state is not None
        times = run_deaths.most_restarts(run.state.name or "", rules) + 1
        why = f"It crashed {times} times, the last time: {message}"
        error = ErrorInfo(code="run-crashed", what=why)
        await self._ledger.tasks.give_up(run.id.hex, error, now)
        state: State[Any] = Crashed(name=run_deaths.GIVEN_UP, message=why)
        if await server.propose(run, state, force=True):
            self._say(f"{_name(run)} is given up. {why}")

    # What they left open.

    async def _close_records(
        self, server: PrefectRuns, going_on: Sequence[FlowRun], now: datetime
    ) -> None:
        """End the ledger's entries of runs that can no longer do it themselves."""
        records = await self._ledger.runs(since=now - _RECORDS, going_on=True, limit=500)
        alive = {run_deaths.record_id(run.id, run.run_count) for run in going_on}
        suspects = [record for record in records if record.flow_run_id and record.id not in alive]
        if not suspects:
            return
        known = await server.named({UUID(record.flow_run_id) for record in suspects})
        runs = {run_id.hex: run for run_id, run in known.items()}
        # Those of the command line have no worker that knows their process: heartbeats tell.
        ad_hoc = [run for run in runs.values() if run.deployment_id is None and _goes_on(run)]
        await self._settle_dead(server, ad_hoc, now)
        for record in suspects:
            flow_run, life = run_deaths.life_of(record.id)
            run = runs.get(flow_run)
            if run is None or run.state is None:
                continue  # another server's
            if life == run.run_count and _goes_on(run):
                continue
            report = await self._ledger.report(record.id)
            outcome = Outcome(report.body["outcome"]) if report else Outcome.FAILED
            end = {"finished_at": max(run.state.timestamp, record.started_at), "outcome": outcome}
            self._ledger.record(record.model_copy(update=end))
        await self._ledger.flush()


def _goes_on(run: FlowRun) -> bool:
    return run.state is not None and not (run.state.is_final() or run.state.is_scheduled())


def _look(processes: RunProcesses, run: FlowRun) -> Process:
    assert run.state is not None
    return processes.look(run.id, _pid(run), is_here(run.labels.get(WORKER)), run.state)


def _pid(run: FlowRun) -> int | None:
    pid = run.infrastructure_pid or ""
    return int(pid) if pid.isdigit() else None


def _restarts(run: FlowRun) -> bool:
    """Whether it had begun, died, and is to go on."""
    return run.state is not None and run.state.name == run_deaths.RESTARTED


def _is_on_behalf(run: FlowRun) -> bool:
    """Whether a run was started for somebody who starts another one when it is needed."""
    return "internal" in run.tags and run_deaths.TAG not in run.tags


def _name(run: FlowRun) -> str:
    return f"Run {run.name} ({str(run.id)[:8]})"
