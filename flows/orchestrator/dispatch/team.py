"""A workflow run as the orchestrator sees it: who is asked, what came back, how it ended."""

from __future__ import annotations

import atexit
import logging
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from prefect.context import FlowRunContext
from prefect.states import Completed, Failed

from agents.calls import Envelope, Reply, Toolbox
from agents.registry import Registry, registry
from blocks.business.business import Business, current_business
from blocks.errors import OrchestratorError
from blocks.ledger import Ledger
from blocks.ledger.calls.records import ReceiptKind, ReceiptRecord, ReportRecord, RunRecord
from blocks.policy.policy import DATA, INTEGRATION, SRE, Policy
from blocks.prefect_api.calls import REFUSED
from blocks.prefect_api.client import PrefectApi
from blocks.settings import get_settings
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.frames import Snapshot
from blocks.vocabulary.messages import ORCHESTRATOR, MessageType, Outcome, Priority, new_id, utc_now
from flows.orchestrator.dispatch.dispatcher import dispatch
from flows.orchestrator.dispatch.policy import InForce, policy_in_force
from flows.orchestrator.remedies.acting import act_as_asked
from flows.orchestrator.runs.deaths import record_id
from flows.orchestrator.runs.refusals import is_askers_fault
from flows.reports.markdown import publish
from flows.reports.model import RemediationLine, Report, Section

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

SCHEDULE = "schedule"
"""Trigger of a run that nobody asked for."""

__all__ = ["DATA", "INTEGRATION", "SRE", "Orchestrator", "conclude", "workflow_run"]


def _no_expected_traceback(record: logging.LogRecord) -> bool:
    # What we raise on purpose says what is wrong; where in the code it was noticed helps nobody.
    if record.exc_info and isinstance(record.exc_info[1], OrchestratorError):
        record.exc_info = None
    return True


logging.getLogger("prefect.flow_runs").addFilter(_no_expected_traceback)


@cache
def shared_ledger(url: str) -> Ledger:
    """The process's ledger for a URL: opened once, drained and closed when the process ends."""
    ledger = Ledger.open(url)
    atexit.register(ledger.close)
    return ledger


class Orchestrator:
    """Sends a run's messages, keeps its replies, and leaves a receipt of each decision."""

    def __init__(
        self, run: RunRecord, toolbox: Toolbox, in_force: InForce, *, passes_on: bool = False
    ) -> None:
        self.run, self.toolbox = run, toolbox
        self._passes_on = passes_on
        self._in_force = in_force
        self.replies: list[Reply] = []
        self.notes: list[str] = [in_force.fault] if in_force.fault else []
        if toolbox.business is not None:
            self.notes += [f"Left out of the business: {why}" for why in toolbox.business.left_out]

    @property
    def ledger(self) -> Ledger:
        """The ledger of this run."""
        return self.toolbox.ledger

    @property
    def business(self) -> Business:
        """The business this run looks after."""
        assert self.toolbox.business is not None, "opened without a business"
        return self.toolbox.business

    @property
    def policy(self) -> Policy:
        """The policy that this run decides under, from its beginning to its end."""
        return self._in_force.policy

    async def ask(
        self,
        agent: str,
        action: str,
        /,
        *,
        priority: Priority | None = None,
        sender: str = ORCHESTRATOR,
        kind: MessageType = MessageType.REQUEST,
        message_id: str | None = None,
        **params: Any,
    ) -> Reply:
        """Have an agent do something; see ``flows.orchestrator.dispatch.dispatcher``."""
        envelope = Envelope(message_id=message_id, sender=sender, type=kind, priority=priority)
        return await self.send(agent, action, params, envelope)

    async def send(
        self,
        agent: str,
        action: str,
        params: dict[str, Any],
        envelope: Envelope,
        *,
        avoid: Collection[str] = (),
        approved: bool = False,
    ) -> Reply:
        """Have an agent do something, with everything that a message can say beside it.

        What acts on the world passes the door of ``remedies.acting``, whoever asks.
        """
        spec = self.toolbox.registry.action(agent, action)
        if spec.policy.effect:
            reply = await act_as_asked(self, spec, params, envelope, avoid=avoid, approved=approved)
        else:
            reply = await dispatch(self, agent, action, params, envelope, avoid=avoid)
        self.replies.append(reply)
        return reply

    def receipt(
        self,
        kind: ReceiptKind,
        subject: str,
        *,
        inputs: dict[str, Any],
        decision: dict[str, Any],
        why: str,
        candidates: Sequence[dict[str, Any]] = (),
    ) -> None:
        """Leave a receipt of a decision; durable with whatever the ledger commits next."""
        body = {"inputs": inputs, "decision": decision, "why": why, "candidates": list(candidates)}
        self.ledger.record(
            ReceiptRecord(
                at=utc_now(),
                kind=kind,
                subject=subject,
                run_id=self.run.id,
                policy_version=self.policy.version,
                body=body,
            )
        )

    @property
    def outcome(self) -> Outcome:
        """Succeeded when every call did and brought all of its data, failed when no call did.

        Refused when no call did because of what the run was handed to pass on.
        """
        errors = [reply.error for reply in self.replies if reply.error]
        if self.replies and len(errors) == len(self.replies):
            wrongly = self._passes_on and all(is_askers_fault(error.code) for error in errors)
            return Outcome.REFUSED if wrongly else Outcome.FAILED
        whole = all(reply.ok and not self._lacks_data(reply.result) for reply in self.replies)
        return Outcome.SUCCEEDED if whole else Outcome.PARTIAL

    def _lacks_data(self, result: Any) -> bool:
        """Whether a snapshot is not of now, or lacks a frame that the store is meant to have."""
        if not isinstance(result, Snapshot) or not self.business.store:
            return False
        meant = self.business.store.frames
        lost = any(not problem.rows and problem.frame in meant for problem in result.problems)
        return lost or bool(result.stale_because)

    @property
    def failures(self) -> list[str]:
        """What failed, in words, one entry per failed call."""
        return [
            f"{reply.called}: {reply.error.what} {reply.error.hint}".strip()
            for reply in self.replies
            if reply.error
        ]

    async def report(
        self,
        title: str,
        headline: str,
        *,
        sections: Sequence[Section],
        findings: Sequence[Finding],
        replies: Sequence[Reply],
        remediations: Sequence[RemediationLine] = (),
    ) -> Report:
        """Compile the run's report; durable in the ledger, shown as an artifact in the Prefect UI.

        Args:
            title: What the workflow is to a person.
            headline: The whole in two or three sentences.
            sections: What was seen, most important first.
            findings: What was found, ranked.
            replies: Whose results say what they lack.
            remediations: What was done about the findings.
        """
        business = self.toolbox.business
        report = Report(
            workflow=self.run.workflow,
            title=title,
            run_id=self.run.id,
            started_at=self.run.started_at,
            finished_at=utc_now(),
            outcome=self.outcome,
            headline=headline,
            currency=business.currency if business else "",
            timezone=business.timezone if business else "UTC",
            sections=list(sections),
            findings=list(findings),
            remediations=list(remediations),
            missing=what_is_missing([*self.notes, *self.failures], replies),
        )
        await self.ledger.save_report(
            ReportRecord(
                run_id=report.run_id,
                workflow=report.workflow,
                created_at=report.finished_at,
                body=report.model_dump(mode="json"),
            )
        )
        await publish(report)
        return report


@asynccontextmanager
async def workflow_run(
    workflow: str,
    *,
    with_business: bool = True,
    passes_on: bool = False,
    agents: Registry | None = None,
) -> AsyncIterator[Orchestrator]:
    """Open a workflow run: its ledger entry, its tools; everything durable when it closes.

    Args:
        workflow: Dashed name of the workflow.
        with_business: Whether the run looks after the configured business.
        passes_on: Whether its calls are what somebody else wrote, mistakes and all.
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


def findings_of(replies: Iterable[Reply]) -> Iterable[Finding]:
    """All findings in the results of the replies."""
    for reply in replies:
        yield from getattr(reply.result, "findings", ())


def result_of(action: str, replies: Iterable[Reply]) -> Any:
    """The result of the first reply from that action that has one, else None."""
    return next((r.result for r in replies if r.ok and r.message.action == action), None)


def what_is_missing(failures: Sequence[str], replies: Iterable[Reply]) -> list[str]:
    """What a report could not include: calls that failed, and what results say they lack.

    Each entry once, in order of appearance.
    """
    lacking = [*failures]
    for reply in replies:
        result = reply.result
        lacking += getattr(result, "missing", ())
        if isinstance(result, Snapshot):
            stale = f"Fresh data of the store: {result.stale_because}"
            lacking += [stale] if result.stale_because else []
            lacking += [str(problem) for problem in result.problems if not problem.kept]
    return list(dict.fromkeys(lacking))


class NothingAchieved(OrchestratorError):
    """Every call of a workflow failed; ``report`` says why each did."""

    def __init__(self, report: Report) -> None:
        super().__init__(f"Every call failed. {'; '.join(report.missing)}")
        self.report = report


def conclude(report: Report) -> Report:
    """The final state of a workflow: Completed, Completed as "Partial", or Failed.

    Returned from a flow, it makes the run's page tell how much was achieved; who awaits the flow
    gets the report, or NothingAchieved.
    """
    state: Any  # a flow that returns a state returns, to its caller, the state's data
    match report.outcome:
        case Outcome.SUCCEEDED:
            state = Completed(message=report.headline, data=report)
        case Outcome.PARTIAL:
            state = Completed(name="Partial", message=report.headline, data=report)
        case Outcome.FAILED:
            error = NothingAchieved(report)
            state = Failed(message=str(error), data=error)
        case Outcome.REFUSED:
            error = NothingAchieved(report)
            state = Failed(name=REFUSED, message=str(error), data=error)
    return cast(Report, state)
