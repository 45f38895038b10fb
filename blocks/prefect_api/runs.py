"""Runs of deployments: started here alone, found, and waited for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Scheduled

from blocks.errors import ConfigurationError, NotFound, SourceError, SourceUnavailable
from blocks.prefect_api.client import in_our_words
from blocks.prefect_api.templates import refuse_templates
from blocks.text.masking import without_passwords

log = logging.getLogger("orchestrator.runs")

DEADLINE = 10.0
"""Seconds that Prefect's server may take for one answer."""

PROBE = 3.0
"""Seconds that it may take to say that it is there: who asks wants to know whether it is now."""

_SOON = timedelta(minutes=1)


def _has_ended(run: FlowRun) -> bool:
    return run.state is not None and run.state.is_final()


class Runs:
    """Starts runs of deployments, finds them and waits for them, over one connection.

    Whatever the server fails at is SourceUnavailable here. However many wait, one look at a time
    asks for all of their runs.

    Args:
        client: The connection to Prefect's server.
        hint: What to do when the server does not answer; else what is usual.
        is_over: Whether nothing more is to come of a run in a final state.
        look: Seconds between two looks at the runs that somebody waits for.
    """

    def __init__(
        self,
        client: PrefectClient,
        *,
        hint: str = "",
        is_over: Callable[[FlowRun], bool] = _has_ended,
        look: float = 0.1,
    ) -> None:
        self._client, self._hint, self._is_over, self._look = client, hint, is_over, look
        self._deployments: dict[str, UUID] = {}
        self._flows: dict[UUID, str] = {}
        self._awaited: dict[UUID, list[asyncio.Future[FlowRun]]] = {}
        self._looking: asyncio.Task[None] | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, **options: Any) -> AsyncIterator[Runs]:
        """Open the connection, with options as above; the server need not answer yet."""
        async with get_client() as client:
            runs = cls(client, **options)
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
        parameters: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        name: str | None = None,
        queue: str | None = None,
        at: datetime | None = None,
        tags: Collection[str] = (),
    ) -> FlowRun:
        """Create a run of a deployment, once per key.

        Args:
            deployment: ``flow/deployment``.
            parameters: The flow's, as JSON has them. Prefect keeps them in clear, so a password
                in a URL is masked.
            key: Of all requests for the deployment with one key, one run comes.
            name: The run's name; Prefect's choice when None.
            queue: The work queue; the deployment's own when None.
            at: When it is to start; at once when None.
            tags: What else it is to be found by.

        Raises:
            InvalidMessage: The parameters hold what Prefect would render or resolve.
            RequestError: The server refuses the parameters.
            ConfigurationError: The server has no such deployment.
            SourceUnavailable: The server does not answer.
        """
        given = dict(parameters or {})
        refuse_templates(given)
        known = deployment in self._deployments
        try:
            async with self._answering():
                if not known:
                    found = await self._client.read_deployment_by_name(deployment)
                    self._deployments[deployment] = found.id
                return await self._client.create_flow_run_from_deployment(
                    self._deployments[deployment],
                    parameters=without_passwords(given),
                    idempotency_key=key and f"{deployment} {key}",
                    name=name,
                    work_queue_name=queue,
                    state=Scheduled(scheduled_time=at) if at else None,
                    tags=tags,
                )
        except ObjectNotFound:
            if not known:
                raise ConfigurationError(
                    f"Prefect has no deployment {deployment}.",
                    hint="Make it with ./orchestrator register.",
                ) from None
        del self._deployments[deployment]  # it was registered anew
        return await self.start(
            deployment, parameters, key=key, name=name, queue=queue, at=at, tags=tags
        )

    async def awaited(self, deployment: str, at: datetime) -> FlowRun | None:
        """A run of a deployment that is due by then and has not begun yet, if there is one.

        One that has been due for more than a minute does not count: nobody may be there to run it.

        Raises:
            SourceUnavailable: The server does not answer.
        """
        found = await self._find(
            deployment,
            FlowRunFilter(
                state=_state(any_=[StateType.SCHEDULED, StateType.PENDING]),
                expected_start_time=FlowRunFilterExpectedStartTime(before_=at, after_=at - _SOON),
            ),
        )
        return found[0] if found else None

    async def waiting(self, deployment: str, by: datetime) -> list[FlowRun]:
        """The runs of a deployment due by then that have not begun, however long they wait.

        Raises:
            SourceUnavailable: The server does not answer.
        """
        due = FlowRunFilter(
            state=_state(any_=[StateType.SCHEDULED, StateType.PENDING]),
            expected_start_time=FlowRunFilterExpectedStartTime(before_=by),
        )
        return await self._find(deployment, due)

    async def going_on(self, deployment: str) -> list[FlowRun]:
        """The runs of a deployment that have not ended.

        Raises:
            SourceUnavailable: The server does not answer.
        """
        not_ended = FlowRunFilter(state=_state(not_any_=list(TERMINAL_STATES)))
        return await self._find(deployment, not_ended)

    async def read(self, run_id: UUID) -> FlowRun:
        """A run as Prefect has it.

        Raises:
            NotFound: There is no such run.
            SourceUnavailable: The server does not answer.
        """
        try:
            async with self._answering():
                return await self._client.read_flow_run(run_id)
        except ObjectNotFound:
            raise NotFound(
                f"There is no run {run_id}.", hint="Prefect's server forgets runs in time."
            ) from None

    async def past(self, run_id: UUID) -> list[tuple[str, str]]:
        """Type and name of every state that a run was in, the first one first.

        Raises:
            SourceUnavailable: The server does not answer.
        """
        async with self._answering():
            states = await self._client.read_flow_run_states(run_id)
        return [(state.type.value, state.name or "") for state in states]

    async def workflow_of(self, run: FlowRun) -> str:
        """Name of the flow that a run is of."""
        if run.flow_id not in self._flows:
            async with self._answering():
                self._flows[run.flow_id] = (await self._client.read_flow(run.flow_id)).name
        return self._flows[run.flow_id]

    async def wait(self, run_id: UUID, seconds: float) -> FlowRun | None:
        """Wait for a run to be over; while the server is away, it is asked again.

        Returns:
            The run; None when it is not over by then.
        """
        ended: asyncio.Future[FlowRun] = asyncio.get_running_loop().create_future()
        self._awaited.setdefault(run_id, []).append(ended)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._keep_looking())
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

    async def _keep_looking(self) -> None:
        while self._awaited:
            # Of more than Prefect gives at once the next look has the rest.
            ended = FlowRunFilter(
                id=FlowRunFilterId(any_=list(self._awaited)),
                state=_state(any_=list(TERMINAL_STATES)),
            )
            found: list[FlowRun] = []
            try:
                async with self._answering():
                    found = await self._client.read_flow_runs(flow_run_filter=ended)
            except SourceUnavailable:
                pass  # it may be starting again; who waits has a limit of their own
            except Exception:
                # Whoever waits is not told: their work was accepted, whatever this is.
                log.exception("Looking at the runs that somebody waits for failed")
            for run in filter(self._is_over, found):
                for waiting in self._awaited.pop(run.id, ()):
                    if not waiting.done():
                        waiting.set_result(run)
            await asyncio.sleep(self._look)

    async def _find(self, deployment: str, which: FlowRunFilter) -> list[FlowRun]:
        name = DeploymentFilterName(any_=[deployment.rpartition("/")[2]])
        async with self._answering():
            return await self._client.read_flow_runs(
                deployment_filter=DeploymentFilter(name=name), flow_run_filter=which
            )

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        try:
            async with in_our_words(DEADLINE):
                yield
        except SourceError as error:
            raise SourceUnavailable(error.what, hint=self._hint or error.hint) from None


def _state(**types: list[StateType]) -> FlowRunFilterState:
    return FlowRunFilterState(type=FlowRunFilterStateType(**types))
