"""Runs of deployments as the API starts, watches and shows them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES
from prefect.exceptions import ObjectNotFound

from blocks.errors import ConfigurationError, NotFound, RequestError, SourceUnavailable
from blocks.prefect_api.runs import new_run
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.runs.starting import is_over

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

log = logging.getLogger("orchestrator.api")

DEADLINE = 10.0
"""Seconds that Prefect's server may take for one answer."""

PROBE = 3.0
"""Seconds that it may take to say that it is there: who asks wants to know whether it is now."""
_SOON = timedelta(minutes=1)

_LOOK = 0.1  # seconds between two looks at the runs that somebody waits for


class Runs:
    """Starts runs and waits for them, over one connection to Prefect's server.

    However many wait, one look at a time asks for all of their runs.
    """

    def __init__(self, client: PrefectClient) -> None:
        self._client = client
        self._deployments: dict[str, UUID] = {}
        self._flows: dict[UUID, str] = {}
        self._awaited: dict[UUID, list[asyncio.Future[FlowRun]]] = {}
        self._looking: asyncio.Task[None] | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[Runs]:
        """Open the connection; the server need not answer yet."""
        async with get_client() as client:
            runs = cls(client)
            try:
                yield runs
            finally:
                if runs._looking is not None:
                    runs._looking.cancel()
                    with suppress(asyncio.CancelledError):
                        await runs._looking

    @property
    def pages(self) -> str:
        """Where Prefect's pages are."""
        return str(self._client.api_url).rstrip("/").removesuffix("/api")

    async def is_reachable(self) -> bool:
        """Whether Prefect's server answers."""
        try:
            async with asyncio.timeout(PROBE):
                return await self._client.api_healthcheck() is None
        except TimeoutError:
            return False

    async def start(
        self,
        deployment: str,
        parameters: dict[str, Any],
        *,
        key: str,
        queue: str | None = None,
        at: datetime | None = None,
    ) -> UUID:
        """Create a run of a deployment, once per key.

        Args:
            deployment: ``flow/deployment``.
            parameters: The flow's, as JSON has them.
            key: Of all requests with one key, one run comes.
            queue: The work queue; the deployment's own when None.
            at: When it is to start; at once when None.

        Raises:
            RequestError: The server refuses the parameters.
            ConfigurationError: The server has no such deployment.
            SourceUnavailable: The server does not answer.
        """
        known = deployment in self._deployments
        try:
            return await self._create(deployment, parameters, key, queue, at)
        except ObjectNotFound:
            if known:  # it was registered anew
                self._deployments.pop(deployment, None)
                return await self.start(deployment, parameters, key=key, queue=queue, at=at)
            raise ConfigurationError(
                f"The Prefect server has no deployment {deployment}.",
                hint="Make it with ./orchestrator register.",
            ) from None

    async def _create(
        self,
        deployment: str,
        parameters: dict[str, Any],
        key: str,
        queue: str | None,
        at: datetime | None,
    ) -> UUID:
        from prefect.states import Scheduled

        async with _answering(self._client):
            if deployment not in self._deployments:
                found = await self._client.read_deployment_by_name(deployment)
                self._deployments[deployment] = found.id
            run = await new_run(
                self._client,
                self._deployments[deployment],
                parameters,
                state=Scheduled(scheduled_time=at) if at else None,
                idempotency_key=f"api {key}",
                work_queue_name=queue,
                tags=["api"],
            )
            return run.id

    async def is_awaited(self, deployment: str, at: datetime) -> bool:
        """Whether a run of a deployment that is due by then has not begun yet.

        One that has been due for more than a minute does not count: nobody may be there to run it.

        Raises:
            SourceUnavailable: The server does not answer.
        """
        from prefect.client.schemas.filters import (
            DeploymentFilter,
            DeploymentFilterName,
            FlowRunFilterExpectedStartTime,
            FlowRunFilterState,
            FlowRunFilterStateType,
        )
        from prefect.client.schemas.objects import StateType

        not_begun = FlowRunFilterStateType(any_=[StateType.SCHEDULED, StateType.PENDING])
        async with _answering(self._client):
            found = await self._client.read_flow_runs(
                deployment_filter=DeploymentFilter(
                    name=DeploymentFilterName(any_=[deployment.rpartition("/")[2]])
                ),
                flow_run_filter=FlowRunFilter(
                    state=FlowRunFilterState(type=not_begun),
                    expected_start_time=FlowRunFilterExpectedStartTime(
                        before_=at, after_=at - _SOON
                    ),
                ),
                limit=1,
            )
        return bool(found)

    async def read(self, run_id: UUID) -> FlowRun:
        """A run as Prefect has it.

        Raises:
            NotFound: There is no such run.
            SourceUnavailable: The server does not answer.
        """
        try:
            async with _answering(self._client):
                return await self._client.read_flow_run(run_id)
        except ObjectNotFound:
            raise NotFound(
                f"There is no run {run_id}.", hint="Prefect's server forgets runs in time."
            ) from None

    async def workflow_of(self, run: FlowRun) -> str:
        """Name of the flow that a run is of."""
        if run.flow_id not in self._flows:
            async with _answering(self._client):
                self._flows[run.flow_id] = (await self._client.read_flow(run.flow_id)).name
        return self._flows[run.flow_id]

    async def recent(self, limit: int = 20) -> list[FlowRun]:
        """The newest runs, newest first."""
        from prefect.client.schemas.sorting import FlowRunSort

        async with _answering(self._client):
            return await self._client.read_flow_runs(
                limit=limit, sort=FlowRunSort.EXPECTED_START_TIME_DESC
            )

    async def wait(self, run_id: UUID, seconds: float) -> FlowRun | None:
        """Wait for a run to end.

        Returns:
            The run; None when it has not ended by then.

        Raises:
            SourceUnavailable: The server does not answer.
        """
        ended: asyncio.Future[FlowRun] = asyncio.get_running_loop().create_future()
        self._awaited.setdefault(run_id, []).append(ended)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            return await asyncio.wait_for(ended, seconds)
        except TimeoutError:
            return None
        finally:
            waiting = self._awaited.get(run_id, [])
            with suppress(ValueError):
                waiting.remove(ended)
            if not waiting:
                self._awaited.pop(run_id, None)

    async def _look(self) -> None:
        while self._awaited:
            try:
                found = await self._ended(list(self._awaited))
            except SourceUnavailable:
                found = []  # it may be starting again; who waits has a limit of their own
            except Exception:
                # Whoever waits is not told: their work was accepted, whatever this is.
                log.exception("Looking at the runs that somebody waits for failed")
                found = []
            for run in (run for run in found if is_over(run, utc_now())):
                for ended in self._awaited.pop(run.id, ()):
                    if not ended.done():
                        ended.set_result(run)
            await asyncio.sleep(_LOOK)

    async def _ended(self, ids: Collection[UUID]) -> list[FlowRun]:
        """Those in a final state; of more than Prefect gives at once the next look has the rest."""
        terminal = FlowRunFilterStateType(any_=list(TERMINAL_STATES))
        async with _answering(self._client):
            return await self._client.read_flow_runs(
                flow_run_filter=FlowRunFilter(
                    id=FlowRunFilterId(any_=list(ids)), state=FlowRunFilterState(type=terminal)
                )
            )


@asynccontextmanager
async def _answering(client: PrefectClient) -> AsyncIterator[None]:
    """Prefect's failures as our errors."""
    from prefect.exceptions import PrefectHTTPStatusError

    try:
        async with asyncio.timeout(DEADLINE):
            yield
    except ObjectNotFound:
        raise
    except PrefectHTTPStatusError as error:
        if error.response.status_code in (409, 422):
            raise RequestError(
                f"The Prefect server refuses it: {error.response.text[:200]}."
            ) from None
        raise _unavailable(client, f"{error.response.status_code}") from None
    except (httpx.HTTPError, JSONDecodeError, TimeoutError, RuntimeError) as error:
        raise _unavailable(client, type(error).__name__) from None


def _unavailable(client: PrefectClient, why: str) -> SourceUnavailable:
    return SourceUnavailable(
        f"The Prefect server at {client.api_url} does not answer as it should ({why}).",
        hint="Nothing was lost: send the request again, with the same Idempotency-Key.",
    )
