"""The one place where an action becomes a Prefect task with a ledger entry.

A call reads: the message is recorded, the action's task runs (retried by Prefect while the error
says that it may help), each attempt is recorded, and the reply closes it. Deliberate errors end
the task in a Failed state without a traceback; anything else is a bug and keeps its traceback in
the log. Either way the caller gets a Reply: one agent's failure never sinks the others.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from datetime import datetime, timedelta
from functools import cache
from time import perf_counter
from typing import Any

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.logging import get_run_logger
from prefect.states import Failed

from agents.calls import PLAIN, Envelope, Reply, Toolbox, address, answer
from agents.capability import tools_of
from agents.registry import ActionSpec, Registry
from blocks.errors import DeadlineMissed, OrchestratorError
from blocks.ledger.calls.records import AttemptRecord
from blocks.machine.computing import compute
from blocks.vocabulary.messages import CALLED_OFF, AgentMessage, ErrorInfo, Outcome, utc_now

RETRY_DELAYS = [0.5, 1.0, 2.0, 4.0, 8.0]
"""Seconds before each retry; Prefect spreads them (jitter factor 1) so that callers don't herd."""


def _no_empty_traceback(record: logging.LogRecord) -> bool:
    # Prefect asks for a traceback where a returned state has none: "NoneType: None" in the log.
    if record.exc_info == (None, None, None):
        record.exc_info = None
    return True


logging.getLogger("prefect.task_runs").addFilter(_no_empty_traceback)


_INTERRUPTED = ErrorInfo(code=CALLED_OFF, what="The call was cancelled.")


class _Call:
    """One call on its way.

    A plain object on purpose: Prefect walks through containers and models among a task's
    parameters looking for futures, and there may be large frames inside.
    """

    def __init__(
        self,
        spec: ActionSpec,
        message: AgentMessage,
        toolbox: Toolbox,
        params: dict[str, Any],
        instance: str,
    ) -> None:
        self.spec, self.message, self.toolbox, self.params = spec, message, toolbox, params
        self.instance = instance
        self.time_limit = toolbox.time_limit(spec, params)
        self.attempts = 0
        self.result: Any = None
        self.error: ErrorInfo | None = _INTERRUPTED  # until an attempt ends

    def __str__(self) -> str:
        words = [str(v) for v in self.params.values() if isinstance(v, str) and len(v) <= 40]
        return f"{self.spec.full_name}({', '.join(words)})" if words else self.spec.full_name


async def ask(
    toolbox: Toolbox,
    agent: str,
    action: str,
    params: dict[str, Any],
    envelope: Envelope = PLAIN,
) -> Reply:
    """Have an agent do something, inside a flow run.

    Args:
        toolbox: What the action may use.
        agent: Dashed id of the agent.
        action: Name of the action.
        params: The action's own parameters; their description travels in the message.
        envelope: What the message says beside its payload.

    Returns:
        The reply; ``reply.error`` tells when the action failed after its last attempt.

    Raises:
        UnknownAction: There is no such agent or action.
        InvalidMessage: The parameters do not fit the action's signature.
    """
    spec = toolbox.registry.action(agent, action)
    return await deliver(toolbox, spec, address(spec, envelope, params), params, envelope.instance)


async def deliver(
    toolbox: Toolbox,
    spec: ActionSpec,
    message: AgentMessage,
    params: dict[str, Any],
    instance: str = "",
) -> Reply:
    """Deliver a message to one instance of an agent (its own when empty), and log both ways."""
    toolbox.ledger.record(message)
    call = _Call(spec, message, toolbox, params, instance or spec.agent)
    began = perf_counter()
    try:
        await _run(spec, call)
    finally:  # a call that is cancelled has its reply too
        answer(toolbox, message, call.result, call.error, max(call.attempts, 1), began)
    return Reply(message, call.result, call.error, call.instance)


async def _run(spec: ActionSpec, call: _Call) -> None:
    # With return_state, Prefect's types name the state, but a coroutine of an async task comes.
    state: Any = _task_for(spec)(call, return_state=True)
    await state


def prepare_tasks(team: Registry) -> None:
    """Make the Prefect tasks of all actions now; else each is made at its first call (5 ms)."""
    for spec in team.actions():
        _task_for(spec)


@cache
def _task_for(spec: ActionSpec) -> Task[[_Call], Any]:
    policy = spec.policy
    return Task(
        _attempt,
        name=spec.full_name,
        task_run_name="{call}",
        description=spec.summary,
        retries=policy.retries,
        retry_delay_seconds=RETRY_DELAYS[: max(policy.retries, 1)],
        retry_jitter_factor=1,
        retry_condition_fn=_may_help,
        cache_policy=NO_CACHE,
        persist_result=False,
    )


async def _attempt(call: _Call) -> Any:
    """One attempt; the result stays on the call, so that Prefect keeps no copy."""
    _tag_run(call.spec)
    policy, ledger = call.spec.policy, call.toolbox.ledger
    now = utc_now()
    call.attempts += 1
    attempt = AttemptRecord(
        message_id=call.message.id,
        attempt=call.attempts,
        agent=call.spec.agent,
        instance=call.instance,
        action=call.spec.name,
        sent_at=call.message.timestamp,
        started_at=now,
        deadline=now + timedelta(seconds=call.time_limit),
    )
    ledger.record(attempt)
    call.error = _INTERRUPTED
    try:
        if policy.effect:
            await ledger.flush()  # what acts on the world must be known before it acts
        call.result = await _perform(call, now)
        call.error = None
    except OrchestratorError as error:
        call.error = ErrorInfo.of(error)
        # A returned state keeps the traceback of an expected failure out of the run's log.
        return Failed(message=str(error), data=error)
    except Exception as error:
        call.error = ErrorInfo(code="unexpected", what=f"{type(error).__name__}: {error}")
        get_run_logger().exception("%s failed unexpectedly", call.spec.full_name)
        return Failed(message=call.error.what, data=error)
    finally:
        outcome = Outcome.FAILED if call.error else Outcome.SUCCEEDED
        ledger.record(
            attempt.model_copy(
                update={"finished_at": utc_now(), "outcome": outcome, "error": call.error}
            )
        )
    return None


def _tag_run(spec: ActionSpec) -> None:
    """Tag the task run by agent and capability.

    Tags given to the task would make Prefect ask its server for a concurrency slot per call
    (2 to 100 ms, more than the rest of a call); an agent's capacity is the ledger's business.
    Set here, they reach the server with the run's states.
    """
    if context := TaskRunContext.get():
        context.task_run.tags = [spec.agent, spec.capability]


async def _perform(call: _Call, now: datetime) -> Any:
    function = call.spec.function
    wanted = tools_of(function) - call.params.keys()
    arguments = call.params | call.toolbox.tools(wanted, now, call.message.id)
    try:
        async with asyncio.timeout(call.time_limit):
            if inspect.iscoroutinefunction(function):
                return await function(**arguments)
            # Number crunching must not hold up what runs beside it, nor go on when it is too late.
            return await compute(function, **arguments)
    except TimeoutError:
        raise DeadlineMissed(
            f"{call.spec.full_name} did not finish within {call.time_limit:g} s.",
            # What only computes would take as long once more.
            retryable=inspect.iscoroutinefunction(function),
        ) from None


def _may_help(task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Whether another attempt may help: the error itself says so."""
    error = state.data
    return isinstance(error, OrchestratorError) and error.worth_repeating
