"""What we ask of Prefect: is it well, and how have its runs gone?

Every question opens one client and asks its few API calls at once. It works against whatever API
the process is set to use, an ephemeral server included.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolUpdate
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings

from blocks.errors import (
    NotFound,
    OrchestratorError,
    RequestError,
    SourceGarbled,
    SourceRefused,
    SourceTimeout,
    SourceUnavailable,
)
from blocks.prefect_api import calls
from blocks.prefect_api.answers import PoolInfo, PrefectHealth, QueueDepth, RunInfo, WorkerInfo

__all__ = ["PoolInfo", "PrefectApi", "PrefectHealth", "QueueDepth", "RunInfo", "WorkerInfo"]


class PrefectApi:
    """A typed view of Prefect's API.

    Args:
        deadline: Seconds that one question may take in all, retries of Prefect's client included.
    """

    def __init__(self, *, deadline: float = 15.0) -> None:
        self._deadline = deadline

    async def health(
        self,
        now: datetime,
        *,
        window: timedelta = timedelta(hours=24),
        late_after: timedelta = timedelta(seconds=60),
        max_run_time: timedelta = timedelta(hours=6),
    ) -> PrefectHealth:
        """How Prefect is: its runs, workers and queues.

        Args:
            now: The instant to judge at.
            window: How far back counts and failures reach.
            late_after: A due run that has waited longer is late.
            max_run_time: A run that takes longer is taken to be stalled.

        Raises:
            SourceError: As for ``in_our_words``.
        """
        silence = calls.HEARTBEATS_MISSED * _heartbeat_interval()
        async with self._client() as client:
            version, latency_ms, skew = await calls.hello(client, now)
            history, due, running, failures, pools = await asyncio.gather(
                calls.history(client, now - window, now),
                calls.due_runs(client, now),
                calls.running_runs(client),
                calls.ended_runs(client, now - window, StateType.FAILED, StateType.CRASHED),
                calls.pools(client, now),
            )
            # A younger run cannot have fallen silent for long enough to matter.
            old = [run for run in running if run.start_time and now - run.start_time > silence]
            flows, beats = await asyncio.gather(
                calls.flow_names(client, [*due, *running, *failures]),
                calls.last_heartbeats(client, old),
            )
        waiting = [calls.run_info(run, flows) for run in due]
        late = [run for run in waiting if calls.waited_s(run, now) > late_after.total_seconds()]
        running_now = [calls.run_info(run, flows, beats.get(run.id)) for run in running]
        return PrefectHealth(
            version=version,
            latency_ms=latency_ms,
            clock_skew_s=skew,
            window_hours=window.total_seconds() / 3600,
            runs_by_state=calls.count_states(history),
            mean_wait_s=calls.mean_wait_s(history),
            late=late,
            queues=calls.queue_depths(waiting, late, now),
            running=running_now,
            stalled=[run for run in running_now if _stalled(run, now, silence, max_run_time)],
            pools=pools,
            failures=[
                calls.run_info(run, flows) for run in failures if run.state_name != calls.REFUSED
            ],
            truncated=[
                name
                for name, runs in (("late", due), ("running", running), ("failures", failures))
                if len(runs) >= calls.PAGE
            ],
        )

    async def finished_runs(
        self, now: datetime, *, window: timedelta = timedelta(days=7)
    ) -> list[RunInfo]:
        """The newest runs (at most 200) that ended within ``window``, newest first.

        Raises:
            SourceError: As for health.
        """
        async with self._client() as client:
            runs = await calls.ended_runs(client, now - window)
            flows = await calls.flow_names(client, runs)
        return [calls.run_info(run, flows) for run in runs]

    async def pools(self, now: datetime) -> list[PoolInfo]:
        """All work pools with their workers.

        Raises:
            SourceError: As for health.
        """
        async with self._client() as client:
            return await calls.pools(client, now)

    async def slots_in_use(self) -> Mapping[str, int]:
        """How many slots of its worker the runs of each work pool hold; absent: none.

        Raises:
            SourceError: As for health.
        """
        async with self._client() as client:
            return await calls.slots_in_use(client)

    async def limit_pool(self, name: str, limit: int | None) -> None:
        """Set how many runs a work pool may have at once; None leaves that to its worker.

        Raises:
            NotFound: There is no such pool.
            SourceError: As for health.
        """
        async with self._client() as client:
            try:
                await client.update_work_pool(name, WorkPoolUpdate(concurrency_limit=limit))
            except ObjectNotFound:
                raise NotFound(f"There is no work pool {name!r}.") from None

    def _client(self) -> AbstractAsyncContextManager[PrefectClient]:
        return prefect_client(self._deadline)


@asynccontextmanager
async def prefect_client(deadline: float | None = 15.0) -> AsyncIterator[PrefectClient]:
    """A client of Prefect's server; every failure in the context is one of our errors.

    Args:
        deadline: Seconds that all of it may take, retries of Prefect's client included.

    Raises:
        SourceError, RequestError: As for ``in_our_words``.
    """
    async with in_our_words(deadline), get_client() as client:
        yield client


@asynccontextmanager
async def in_our_words(deadline: float | None = None) -> AsyncIterator[None]:
    """Prefect's failures as our errors; that something is not there stays ``ObjectNotFound``.

    Raises:
        SourceUnavailable: No server answers at the configured address, or it cannot answer now.
        SourceTimeout: It did not answer within the deadline.
        SourceRefused: It refused our credentials.
        SourceGarbled: Something answers there that is not Prefect.
        RequestError: It refuses what it was asked for.
    """
    where = f"Prefect at {get_current_settings().api.url or 'the ephemeral server'}"
    hint = "Start one with ./orchestrator up, or correct PREFECT_API_URL."
    try:
        async with asyncio.timeout(deadline):
            yield
    except TimeoutError:
        raise SourceTimeout(f"{where} did not answer within {deadline:g} s.", hint=hint) from None
    except httpx.HTTPStatusError as error:
        raise _refusal(where, error, hint) from None
    except (httpx.HTTPError, RuntimeError) as error:  # the ephemeral server raises the latter
        raise SourceUnavailable(_not_as_it_should(where, error), hint=hint) from None
    except (ValueError, KeyError, TypeError) as error:  # not JSON, or not the promised fields
        raise SourceGarbled(_not_as_it_should(where, error), hint=hint) from None


def _not_as_it_should(where: str, error: Exception) -> str:
    return f"{where} does not answer as it should ({type(error).__name__})."


def _refusal(where: str, error: httpx.HTTPStatusError, hint: str) -> OrchestratorError:
    status, asked = error.response.status_code, error.request
    if status in (401, 403):
        return SourceRefused(
            f"{where} refused us (HTTP {status}).",
            hint="Set PREFECT_API_AUTH_STRING to the server's.",
        )
    if status in (409, 422):
        return RequestError(
            f"{where} refuses {asked.method} {asked.url.path}: {error.response.text[:200]}."
        )
    if status == 429 or status >= 500:
        return SourceUnavailable(f"{where} answered HTTP {status}.", hint=hint)
    return SourceGarbled(f"{where} answered HTTP {status}: that is not Prefect's API.", hint=hint)


def _heartbeat_interval() -> timedelta:
    return timedelta(seconds=get_current_settings().flows.heartbeat_frequency or 180)


def _stalled(run: RunInfo, now: datetime, silence: timedelta, max_run_time: timedelta) -> bool:
    if run.started_at is None:
        return False
    # Only a heartbeat that was heard and then stopped is evidence: events may be lost or off.
    silent = run.last_heartbeat_at is not None and now - run.last_heartbeat_at > silence
    return silent or now - run.started_at > max_run_time
