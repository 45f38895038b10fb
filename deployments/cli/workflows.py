"""``./orchestrator run``: one workflow, run in this process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blocks.errors import NoAgentAvailable, OrchestratorError, RequestError, StackError
from deployments.cli.app import AsJson, command, quiet_prefect, show

if TYPE_CHECKING:
    from prefect import Flow

    from blocks.vocabulary.messages import Outcome
    from flows.reports.model import Report


@command
async def run(
    workflow: Annotated[str, typer.Argument(help="For instance daily-health-check.")],
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="JSON, or else text."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a workflow in this process and print its report.

    A running stack shows the run; without one, Prefect's ephemeral server is used.
    Exit code: 0 succeeded, 3 in part (something failed, or was left out and matters), 1 failed.
    """
    quiet_prefect()
    report = await run_here(workflow, param or [])
    from deployments.console.report import print_report

    show(report, as_json, print_report)
    raise typer.Exit(exit_code(report.outcome))


def exit_code(outcome: Outcome) -> int:
    """What the shell is told of a run."""
    return {"succeeded": 0, "failed": 1, "refused": 2, "partial": 3}[outcome.value]


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
    from blocks.prefect_api.env import use_embedded_prefect
    from blocks.prefect_api.workflows import entrypoint_of, load_workflow, validated

    entrypoint_of(workflow)  # refused before anything is prepared
    use_embedded_prefect()
    flow = load_workflow(workflow)
    from blocks.prefect_api.client import in_our_words
    from flows.orchestrator.team.outcome import NothingAchieved

    parameters = validated(flow, given)
    await _check_task(flow, parameters)
    run: Any = flow(**parameters, return_state=True)
    async with in_our_words():  # what the flow itself raises is a state
        state = await run
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
    from blocks.vocabulary.messages import utc_now
    from flows.orchestrator.dispatch.policy import read_changes, read_policy
    from flows.orchestrator.tasks.acceptance import judge_parameters
    from flows.route_task import route_task

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
