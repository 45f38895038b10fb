"""The one door to acting on the world: decide, wait for a free agent, intend, act, verify, record.

Remedies of findings pass it, and so does every effect that a message or a task asks for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any

from prefect.logging import get_logger

from agents.calls import Envelope, Reply, address, answer
from agents.registry import ActionSpec
from agents.sre_reliability.automation import (
    HISTORY,
    Reason,
    RemediationResult,
    reason_not_to_act,
)
from blocks.crash_points import reach
from blocks.errors import PolicyError, ResourceBusy
from blocks.ledger.calls.records import ReceiptKind, RemediationRecord, RemediationStatus
from blocks.prefect_api.notifications import notify
from blocks.vocabulary.blame import Blame, blame
from blocks.vocabulary.findings import Finding, Remedy
from blocks.vocabulary.messages import ErrorInfo, Priority, new_id, utc_now
from blocks.vocabulary.severity import Severity
from flows.orchestrator.dispatch.dispatcher import Perform, dispatch
from flows.orchestrator.effects.claims import Held, claim, purpose_of

if TYPE_CHECKING:
    from flows.orchestrator.dispatch.context import RunContext

PATIENCE = 240.0
"""Seconds that an act waits for a free agent; nothing is intended, and nothing held, meanwhile."""

NOBODY_KNOWS = "Nobody knows whether it was done: look before it is done again."


@dataclass(frozen=True)
class Acted:
    """What came of wanting to act.

    Attributes:
        detail: What happened, or why nothing did, in words.
        status: How it ended; None when nothing was done.
        reply: The agent's; None when a rule forbade to ask.
        refusal: The rule that forbade it.
    """

    detail: str
    status: RemediationStatus | None = None
    reply: Reply | None = None
    refusal: PolicyError | None = None


async def act_as_asked(
    team: RunContext,
    spec: ActionSpec,
    params: dict[str, Any],
    envelope: Envelope,
    *,
    avoid: Collection[str] = (),
    approved: bool = False,
) -> Reply:
    """Have an effect that a message or a task asks for, unless there is a reason not to.

    Args:
        team: The run that asks.
        spec: The action.
        params: Its own parameters.
        envelope: What the message says beside its payload.
        avoid: Instances that are not asked.
        approved: Whether a person, who knows what was tried, said yes.

    Returns:
        The agent's reply, or one whose error names the rule that forbade it.

    Raises:
        NotAllowed, InvalidMessage, LedgerError: As ``dispatch``.
    """
    envelope = replace(envelope, message_id=envelope.message_id or new_id(), run_id=team.run.id)
    message = address(spec, envelope, params)
    finding = Finding(
        kind="asked-for",
        resource=spec.resource(params),
        severity=_severity_of(message.priority),
        title=f"{message.sender} asks for {spec.full_name}.",
    )
    remedy = Remedy(agent=spec.agent, action=spec.name, params=params)
    acted = await act(team, finding, remedy, envelope, avoid=avoid, approved=approved)
    if acted.refusal is None:
        assert acted.reply is not None, "asked, as nothing forbade it"
        return acted.reply
    error = ErrorInfo.of(acted.refusal)
    team.ledger.record(message)
    answer(team.toolbox, message, None, error, 0, perf_counter())
    return Reply(message, None, error)


def _severity_of(priority: Priority) -> Severity:
    return next(severity for severity in Severity if severity.priority is priority)


async def act(
    team: RunContext,
    finding: Finding,
    remedy: Remedy,
    envelope: Envelope,
    *,
    avoid: Collection[str] = (),
    approved: bool = False,
) -> Acted:
    """Act on a finding's resource, unless there is a reason not to.

    Args:
        team: The run that acts.
        finding: On behalf of what.
        remedy: What is to be done.
        envelope: What the message to the agent says beside its payload.
        avoid: Instances that are not asked.
        approved: Whether a person, who knows what was tried, said yes.

    Raises:
        NotAllowed, InvalidMessage, LedgerError: As ``dispatch``.
    """
    wanted = _Wanted(team, finding.model_copy(update={"remedy": remedy}), remedy, approved)
    try:
        await wanted.check(utc_now())  # who must not act need not wait for a free agent
        reply = await dispatch(
            team,
            remedy.agent,
            remedy.action,
            remedy.params,
            envelope,
            avoid=avoid,
            patience=PATIENCE,
            around=wanted.act,
        )
    except PolicyError as refusal:
        wanted.leave_receipt(refusal.reason, refusal.what)
        return Acted(refusal.what, refusal=refusal)
    if (done := wanted.done) is None:
        assert reply.error is not None, "nobody was free"
        detail = f"Nobody was free to do it: {reply.error.what} {reply.error.hint}"
        return Acted(detail, reply=reply)
    return Acted(done.detail, done.status, reply)


class _Wanted:
    """An act on its way through the door."""

    def __init__(self, team: RunContext, finding: Finding, remedy: Remedy, approved: bool) -> None:
        self._team, self._finding, self._remedy = team, finding, remedy
        self._approved = approved
        self.done: RemediationRecord | None = None

    async def check(self, now: datetime) -> None:
        """See whether a rule forbids it.

        Raises:
            PolicyError: Which one, in ``reason``.
        """
        if reason := await self._reason(now):
            raise _forbidden(reason, reason.explanation)

    async def act(self, perform: Perform, deadline: datetime) -> Reply:
        """Act under the claim of the resource, with the intent on record before.

        Raises:
            PolicyError: A rule forbids it.
        """
        finding = self._finding
        priority, purpose = finding.severity.priority, finding.fingerprint
        try:
            # Nobody waits here: what another has just done must show its effect first.
            async with (
                claim(self._team, finding.resource, priority=priority, purpose=purpose) as held,
                held.acting(deadline - utc_now()),
            ):
                intent = await self._intend(held, deadline)
                reach("remedy.intended")
                return await self._act(intent, perform)
        except ResourceBusy as busy:
            is_same = purpose_of(busy.holder) == finding.fingerprint
            reason = Reason.DUPLICATE_IN_PROGRESS if is_same else Reason.RESOURCE_BUSY
            raise _forbidden(reason, busy.what) from None

    async def _intend(self, held: Held, deadline: datetime) -> RemediationRecord:
        ledger, finding = self._team.ledger, self._finding
        earlier = await ledger.remediations(resource=finding.resource)
        now = utc_now()
        await self.check(now)
        intent = RemediationRecord(
            run_id=self._team.run.id,
            # Runs that know the same latest remediation of the resource decide the same thing,
            # whatever they found wrong with it: one wins.
            need_key=f"{finding.resource} after {earlier[0].id if earlier else 'none'}",
            finding=finding.fingerprint,
            resource=finding.resource,
            action=f"{self._remedy.agent}.{self._remedy.action}",
            started_at=now,
            deadline=deadline,
            before=finding.evidence,
        )
        if not await ledger.intend(intent, fence=(held.resource, held.token)):
            reason = await self._reason(utc_now()) or Reason.RESOURCE_BUSY
            raise _forbidden(reason, reason.explanation)
        self.leave_receipt("", f"{finding.title} Nothing forbids {intent.action}.")
        return intent

    async def _act(self, intent: RemediationRecord, perform: Perform) -> Reply:
        try:
            reply = await perform()
        except asyncio.CancelledError:
            await self._settle(intent, RemediationStatus.UNKNOWN, "It was called off.")
            raise
        result = reply.result if isinstance(reply.result, RemediationResult) else None
        if result is not None:
            measured = {"before": result.before, "after": result.after}
            await self._settle(intent, result.status, result.detail, **measured)
        elif reply.error is not None:
            # Who refuses what it is asked has not begun; after any other error, who knows?
            refused = blame(reply.error.code) is Blame.ASKER
            status = RemediationStatus.FAILED if refused else RemediationStatus.UNKNOWN
            await self._settle(intent, status, reply.error.what)
        else:
            detail = "It was done; it does not say what it changed."
            await self._settle(intent, RemediationStatus.INCONCLUSIVE, detail)
        return reply

    async def _settle(
        self,
        intent: RemediationRecord,
        status: RemediationStatus,
        detail: str,
        **measured: dict[str, Any],
    ) -> None:
        is_unknown = status is RemediationStatus.UNKNOWN
        outcome = {
            "status": status,
            "finished_at": utc_now(),
            "detail": f"{detail} {NOBODY_KNOWS}" if is_unknown else detail,
        }
        self.done = intent.model_copy(update=outcome | measured)
        await self._team.ledger.settle(self.done)
        if is_unknown:
            await tell_a_person(self.done)

    async def _reason(self, now: datetime) -> Reason | None:
        history = await self._team.ledger.remediations(since=now - HISTORY)
        return reason_not_to_act(self._finding, history, now, approved=self._approved)

    def leave_receipt(self, reason: str, why: str) -> None:
        """Record the decision; ``reason`` names the rule that forbids it, if one does."""
        finding, remedy = self._finding, self._remedy
        self._team.receipt(
            ReceiptKind.REMEDIATE,
            finding.resource,
            inputs={
                "finding": finding.fingerprint,
                "severity": finding.severity.value,
                "action": f"{remedy.agent}.{remedy.action}",
                "approved": self._approved,
            },
            decision={"act": not reason, "reason": reason},
            why=why,
        )


def _forbidden(reason: Reason, why: str) -> PolicyError:
    return PolicyError(reason, f"{reason}: {why}")


async def tell_a_person(record: RemediationRecord) -> None:
    """Tell whoever is to be notified that an outcome is unknown, beside the report and the page."""
    subject = f"Look at {record.resource}: nobody knows whether {record.action} was done"
    for fault in await notify(subject, f"{record.detail} It was begun for {record.finding}."):
        get_logger("acting").warning("%s: %s", record.id, fault)
