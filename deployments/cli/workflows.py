"""Runs one workflow in this process, for the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx

from blocks.errors import (
    NoAgentAvailable,
    OrchestratorError,
    RequestError,
    SourceUnavailable,
    StackError,
)
from blocks.prefect_api.env import use_embedded_prefect
from blocks.vocabulary.messages import Outcome, utc_now
from deployments.registration.catalogue import entrypoint_of, load_workflow, validated

if TYPE_CHECKING:
    from prefect import Flow

    from flows.reports.model import Report

EXIT_CODES = {Outcome.SUCCEEDED: 0, Outcome.FAILED: 1, Outcome.REFUSED: 2, Outcome.PARTIAL: 3}


async def run_here(workflow: str, assignments: list[str]) -> Report:
    """Run a workflow in this process.

    Args:
        workflow: Name of a deployment in ``prefect.yaml``.
        assignments: Its parameters as ``name=value``; a value is JSON, or else text.

    Raises:
        RequestError: There is no such workflow or parameter, or a value does not fit.
        OrchestratorError: The workflow could not be done.
    """
    return await run_with(workflow, _parse(assignments))


async def run_with(workflow: str, given: dict[str, Any]) -> Report:
    """Run a workflow in this process, with its parameters by name; see ``run_here``."""
    entrypoint_of(workflow)  # refused before anything is prepared
    use_embedded_prefect()
    flow = load_workflow(workflow)
    from flows.orchestrator.team.outcome import NothingAchieved

    parameters = validated(flow, given)
    await _check_task(flow, parameters)
    run: Any = flow(**parameters, return_state=True)
    try:
        state = await run
    except (RuntimeError, ValueError, httpx.HTTPError) as error:  # Prefect's own: ours is a state
        raise SourceUnavailable(
            f"Prefect cannot be used ({type(error).__name__}: {error}).",
            hint="Start the stack with ./orchestrator up, or check PREFECT_API_URL.",
        ) from None
    result: Report | Exception = await state.aresult(raise_on_failure=False)
    if isinstance(result, NothingAchieved):
        return result.report  # as worth reading as any other
    if isinstance(result, OrchestratorError):
        raise result
    if isinstance(result, BaseException):
        raise StackError(
            f"{workflow} ended unexpectedly ({type(result).__name__}: {result}).",
            hint="Its log is on the run's page in the Prefect UI.",
        ) from result
    return result


async def _check_task(flow: Flow[..., Any], parameters: dict[str, Any]) -> None:
    """See that a task can be routed: a typo is refused, and leaves no run and no record.

    Raises:
        RequestError: It cannot; names the nearest.
    """
    from agents.registry import registry
    from flows.orchestrator.dispatch.policy import read_changes, read_policy
    from flows.route_task import judge_parameters, route_task

    if flow.name != route_task.name or parameters.get("task_id"):
        return
    try:
        policy = read_policy(await read_changes(), registry())
    except OrchestratorError:
        return  # the run knows which policy stands in
    try:
        judge_parameters(policy, registry(), utc_now(), parameters)
    except NoAgentAvailable as error:
        raise RequestError(error.what, hint=error.hint) from None


def _parse(assignments: list[str]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name:
            raise RequestError(f"--param {assignment!r} is not NAME=VALUE.")
        try:
            given[name] = json.loads(text)
        except ValueError:
            given[name] = text
    return given
