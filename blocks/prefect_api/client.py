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
from prefect.client.schemas.objects import FlowRun, StateType
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
from blocks.prefect_api import calls, limits, schedules
from blocks.prefect_api.answers import (
    DeploymentInfo,
    LimitInfo,
    PoolInfo,
    PrefectHealth,
    QueueDepth,
    RunInfo,
    WorkerInfo,
    WorkQueueInfo,
)

__all__ = [
    "DeploymentInfo",
    "LimitInfo",
    "PoolInfo",
    "PrefectApi",
    "PrefectHealth",
    "QueueDepth",
    "RunInfo",
    "WorkQueueInfo",
    "WorkerInfo",
]


_HOLDING = ("pending", "running", "cancelling")
"""Runs that may hold a slot of a limit."""


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
            runs, history, pools, queues, deployments = await asyncio.gather(
                _runs(client, now, window),
                calls.history(client, now - window, now),
                calls.pools(client, now),
                calls.work_queues(client),
                schedules.deployments(client),
            )
            # A younger run cannot have fallen silent for long enough to matter.
            old = [
                run for run in runs["running"] if run.start_time and now - run.start_time > silence
            ]
            flows, beats = await asyncio.gather(
                calls.flow_names(client, (run.flow_id for some in runs.values() for run in some)),
                calls.last_heartbeats(client, old),
            )
            said = {
                what: [calls.run_info(run, flows, beats.get(run.id)) for run in some]
                for what, some in runs.items()
            }
            truncated = [what for what, some in runs.items() if len(some) >= calls.PAGE]
            held, described = await asyncio.gather(
                limits.limits(
                    client,
                    deployments,
                    [run for what in _HOLDING for run in said[what]],
                    complete=not set(_HOLDING) & set(truncated),
                ),
                schedules.described(client, deployments, now - window, now),
            )
        late = [
            run for run in said["late"] if calls.waited_s(run, now) > late_after.total_seconds()
        ]
        return PrefectHealth(
            version=version,
            latency_ms=latency_ms,
            clock_skew_s=skew,
            window_hours=window.total_seconds() / 3600,
            runs_by_state=calls.count_states(history),
            mean_wait_s=calls.mean_wait_s(history),
            late=late,
            queues=calls.queue_depths(said["late"], late, now),
            running=said["running"],
            stalled=[run for run in said["running"] if _stalled(run, now, silence, max_run_time)],
            pools=pools,
            pending=said["pending"],
            cancelling=said["cancelling"],
            awaiting_slot=said["awaiting_slot"],
            work_queues=queues,
            limits=held,
            deployments=described,
            failures=[run for run in said["failures"] if run.state != calls.REFUSED],
            truncated=truncated,
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
            flows = await calls.flow_names(client, (run.flow_id for run in runs))
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


async def _runs(
    client: PrefectClient, now: datetime, window: timedelta
) -> dict[str, list[FlowRun]]:
    """The runs that tell how Prefect is, a page of each sort at most."""
    since = now - window
    asked = {
        "late": calls.due_runs(client, now),
        "awaiting_slot": calls.awaiting_slot(client),
        "pending": calls.runs_in(client, StateType.PENDING),
        "running": calls.runs_in(client, StateType.RUNNING),
        "cancelling": calls.runs_in(client, StateType.CANCELLING),
        "failures": calls.ended_runs(client, since, StateType.FAILED, StateType.CRASHED),
    }
    return dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))


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
