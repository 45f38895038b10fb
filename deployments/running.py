"""Runs one workflow in this process, for the command line."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import httpx
import yaml

from blocks.errors import OrchestratorError, RequestError, SourceUnavailable, StackError
from blocks.messages import Outcome
from blocks.prefect_env import use_embedded_prefect

if TYPE_CHECKING:
    from prefect import Flow

    from flows.reports import Report

EXIT_CODES = {Outcome.SUCCEEDED: 0, Outcome.FAILED: 1, Outcome.PARTIAL: 3}


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
    entrypoint = _entrypoint(workflow)
    use_embedded_prefect()
    from prefect.flows import load_flow_from_entrypoint

    from flows.orchestrator import NothingAchieved

    flow: Flow[..., Any] = load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)
    run: Any = flow(**_validated(flow, given), return_state=True)
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


def _entrypoint(workflow: str) -> str:
    from deployments.registration import PREFECT_FILE

    stanzas = yaml.safe_load(PREFECT_FILE.read_text())["deployments"]
    known = {
        stanza["name"]: stanza["entrypoint"]
        for stanza in stanzas
        if "internal" not in stanza.get("tags", ())
    }
    if workflow not in known:
        near = get_close_matches(workflow.replace("_", "-"), known, cutoff=0.4)
        raise RequestError(
            f"There is no workflow {workflow!r}.",
            hint=f"Did you mean {' or '.join(near)}?" if near else f"There are {', '.join(known)}.",
        )
    return str(known[workflow])


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


def _validated(flow: Flow[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    from prefect.exceptions import ParameterTypeError

    known = flow.parameters.properties
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, cutoff=0.4)
            takes = f"It takes {', '.join(known)}." if known else "It takes none."
            raise RequestError(
                f"{flow.name} has no parameter {name!r}.",
                hint=f"Did you mean {' or '.join(near)}?" if near else takes,
            )
    if missing := [name for name in flow.parameters.required or () if name not in given]:
        raise RequestError(
            f"{flow.name} needs {', '.join(missing)}.",
            hint=" ".join(f"--param {name}=…" for name in missing),
        )
    try:
        return flow.validate_parameters(given)
    except (ParameterTypeError, ValueError) as error:
        # One line per fault, after a heading of Prefect's own.
        faults = "; ".join(line.strip(" -") for line in str(error).splitlines()[1:])
        raise RequestError(f"{flow.name}: {faults or error}.") from None
