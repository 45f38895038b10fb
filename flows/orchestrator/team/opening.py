"""Opening a workflow run: its ledger entry, its tools, its policy."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from prefect.context import FlowRunContext

from agents.calls import Toolbox
from agents.registry import Registry, registry
from blocks.business.business import current_business
from blocks.errors import LedgerError, OrchestratorError
from blocks.ledger.calls.records import RunRecord
from blocks.prefect_api.client import PrefectApi
from blocks.settings import get_settings
from blocks.vocabulary.messages import Outcome, new_id, utc_now
from flows.orchestrator.dispatch.context import shared_ledger
from flows.orchestrator.dispatch.policy import policy_in_force
from flows.orchestrator.effects.heartbeats import beat
from flows.orchestrator.runs.deaths import record_id
from flows.orchestrator.team.team import Orchestrator

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

SCHEDULE = "schedule"
"""Trigger of a run that nobody asked for."""


def _no_expected_traceback(record: logging.LogRecord) -> bool:
    # What we raise on purpose says what is wrong; where in the code it was noticed helps nobody.
    if record.exc_info and isinstance(record.exc_info[1], OrchestratorError):
        record.exc_info = None
    return True


logging.getLogger("prefect.flow_runs").addFilter(_no_expected_traceback)


@asynccontextmanager
async def workflow_run(
    workflow: str,
    *,
    with_business: bool = True,
    passes_on: bool = False,
    watched: bool = False,
    agents: Registry | None = None,
) -> AsyncIterator[Orchestrator]:
    """Open a workflow run: its ledger entry, its tools; everything durable when it closes.

    Args:
        workflow: Dashed name of the workflow.
        with_business: Whether the run looks after the configured business.
        passes_on: Whether its calls are what somebody else wrote, mistakes and all.
        watched: Whether a watcher outside is told that it is over.
        agents: The team; all agents of this installation by default.

    Raises:
        NoBusinessConfigured: A business is needed and none is configured.
        LedgerError: The ledger cannot be opened, or the run's messages could not be made durable.
    """
    ledger = shared_ledger(get_settings().effective_ledger_url)
    business = await current_business() if with_business else None
    run = _new_run(workflow)
    ledger.record(run)
    toolbox = Toolbox(ledger, business, PrefectApi(), agents or registry())
    in_force = await policy_in_force(ledger, toolbox.registry)
    orchestrator = Orchestrator(run, toolbox, in_force, passes_on=passes_on)
    outcome = Outcome.FAILED
    try:
        yield orchestrator
        outcome = orchestrator.outcome
    except OrchestratorError as error:
        # Of a schedule nobody asked for anything: what is wrong there is ours.
        if error.is_askers_fault and run.trigger != SCHEDULE:
            outcome = Outcome.REFUSED
        raise
    finally:
        if watched:
            with suppress(LedgerError):  # what else the ledger does not take is told below
                await beat(orchestrator, workflow, run.id, ok=outcome is not Outcome.FAILED)
        ledger.record(run.model_copy(update={"finished_at": utc_now(), "outcome": outcome}))
        await ledger.flush()


def _new_run(workflow: str) -> RunRecord:
    context = FlowRunContext.get()
    flow_run = context.flow_run if context else None
    if flow_run is None:
        return RunRecord(id=new_id(), workflow=workflow, started_at=utc_now())
    trigger = "ad hoc"
    if flow_run.deployment_id:
        trigger = SCHEDULE if flow_run.auto_scheduled else "deployment"
    return RunRecord(
        id=ledger_id(flow_run),
        workflow=workflow,
        trigger=trigger,
        flow_run_id=str(flow_run.id),
        started_at=utc_now(),
    )


def ledger_id(flow_run: FlowRun) -> str:
    """The ledger's id of a run of Prefect's: one for both, so that who finds one finds the other.

    A run that is restarted or retried is a new one here: what the first came to stays on record.
    """
    return record_id(flow_run.id, flow_run.run_count)
