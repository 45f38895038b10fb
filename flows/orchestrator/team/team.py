"""A workflow run as the orchestrator sees it: who is asked, what came back, how it ended."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from prefect.logging import get_logger

from agents.calls import PLAIN, Envelope, Reply, Toolbox
from agents.data_intelligence.predictive_analytics.baskets.drafts import PurchasePlan
from blocks.ledger.calls.records import ReportRecord, RunRecord
from blocks.ledger.work.approvals import ApprovalRecord
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.frames import Snapshot
from blocks.vocabulary.gaps import left_out
from blocks.vocabulary.messages import Outcome, utc_now
from flows.orchestrator.approvals.escalation import escalate
from flows.orchestrator.digests.telling import tell
from flows.orchestrator.dispatch.context import RunContext
from flows.orchestrator.dispatch.dispatcher import dispatch
from flows.orchestrator.dispatch.policy import InForce
from flows.orchestrator.effects.asked_for import act_as_asked
from flows.orchestrator.runs.endings import is_askers_fault
from flows.orchestrator.team.outcome import (
    currency_of,
    publish,
    what_is_missing,
    with_what_was_left_out,
)
from flows.reports.model import PlacedOrder, RemediationLine, Report, Section


class Orchestrator(RunContext):
    """Sends a run's messages, keeps its replies, and leaves a receipt of each decision."""

    def __init__(
        self, run: RunRecord, toolbox: Toolbox, in_force: InForce, *, passes_on: bool = False
    ) -> None:
        super().__init__(run, toolbox, in_force.policy)
        self._passes_on = passes_on
        self.replies: list[Reply] = []
        self.notes: list[str] = [in_force.fault] if in_force.fault else []
        if toolbox.business is not None:
            self.notes += [f"Left out of the business: {why}" for why in toolbox.business.left_out]

    async def ask(
        self,
        agent: str,
        action: str,
        params: dict[str, Any] | None = None,
        envelope: Envelope = PLAIN,
        *,
        avoid: Collection[str] = (),
        approved: bool = False,
    ) -> Reply:
        """Have an agent do something; see ``flows.orchestrator.dispatch.dispatcher``.

        What acts on the world passes the door of ``effects.acting``, whoever asks.
        """
        params = params or {}
        spec = self.toolbox.registry.action(agent, action)
        if spec.policy.effect:
            reply = await act_as_asked(self, spec, params, envelope, avoid=avoid, approved=approved)
        else:
            reply = await dispatch(self, agent, action, params, envelope, avoid=avoid)
        self.replies.append(reply)
        return reply

    async def tell(self, report: Report) -> None:
        """Tell people what is news to them; see ``flows.orchestrator.digests.telling``."""
        for fault in await tell(self, self.business.name, report, self.replies):
            get_logger("digests").warning("%s", fault)

    async def escalate(self, record: ApprovalRecord) -> ApprovalRecord:
        """Put a question to a person; see ``flows.orchestrator.approvals.escalation``."""
        return await escalate(self, record)

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
        """Whether a result says that it is partial, or a snapshot is not of now or lacks much."""
        if getattr(result, "partial", False):
            return True
        if not isinstance(result, Snapshot) or not self.business.store:
            return False
        meant = self.business.store.frames
        lost = any(not problem.rows and problem.frame in meant for problem in result.problems)
        gaps = any(gap.matters for gap in left_out(result))
        return lost or gaps or bool(result.stale_because)

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
        orders: PurchasePlan | None = None,
        placed: Sequence[PlacedOrder] = (),
    ) -> Report:
        """Compile the run's report; durable in the ledger, shown as an artifact in the Prefect UI.

        Args:
            title: What the workflow is to a person.
            headline: The whole in two or three sentences; what was left out of the store's data is
                added where it matters.
            sections: What was seen, most important first.
            findings: What was found, ranked.
            replies: Whose results say what they lack.
            remediations: What was done about the findings.
            orders: What was drafted.
            placed: What became of the drafts.
        """
        business = self.toolbox.business
        report = Report(
            workflow=self.run.workflow,
            title=title,
            run_id=self.run.id,
            started_at=self.run.started_at,
            finished_at=utc_now(),
            outcome=self.outcome,
            headline=with_what_was_left_out(headline, replies),
            currency=currency_of(business, replies) if business else "",
            timezone=business.timezone if business else "UTC",
            sections=list(sections),
            findings=list(findings),
            remediations=list(remediations),
            missing=what_is_missing([*self.notes, *self.failures], replies),
            orders=orders,
            placed=list(placed),
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
