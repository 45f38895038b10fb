"""Mending what can be mended without asking a person: decide, intend, act, verify, record."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from agents.sre_reliability.automation import HISTORY, IN_PROGRESS, Reason, reason_not_to_act
from blocks.errors import ResourceBusy
from blocks.findings import Finding, Remedy
from blocks.ledger.records import RemediationRecord, RemediationStatus
from blocks.messages import utc_now
from flows.claims import Held, claim, purpose_of
from flows.orchestrator import Orchestrator
from flows.reports import RemediationLine


async def remediate(team: Orchestrator, findings: Sequence[Finding]) -> list[RemediationLine]:
    """Try the remedy of each finding that has one.

    Different remedies run side by side. Findings that ask for the same remedy share one run of
    it, taken on behalf of the worst of them.

    Args:
        team: The run that remediates.
        findings: Ranked findings, worst first; those without a remedy are passed over.

    Returns:
        One line per finding with a remedy, in the order of the findings.
    """
    wanted = [(finding, finding.remedy) for finding in findings if finding.remedy is not None]
    first: dict[str, tuple[Finding, Remedy]] = {}
    for finding, remedy in wanted:
        first.setdefault(remedy.model_dump_json(), (finding, remedy))
    lines = await asyncio.gather(*(_mend(team, *pair) for pair in first.values()))
    done = dict(zip(first, lines, strict=True))
    return [
        done[remedy.model_dump_json()].model_copy(update={"finding": finding.fingerprint})
        for finding, remedy in wanted
    ]


async def _mend(team: Orchestrator, finding: Finding, remedy: Remedy) -> RemediationLine:
    priority, purpose = finding.severity.priority, finding.fingerprint
    try:
        # Nobody waits here: what another has just done to the resource must show its effect first.
        async with (
            claim(team, finding.resource, priority=priority, purpose=purpose) as held,
            held.acting(IN_PROGRESS),
        ):
            return await _mend_under(held, team, finding, remedy)
    except ResourceBusy as busy:
        is_same = purpose_of(busy.holder) == finding.fingerprint
        reason = Reason.DUPLICATE_IN_PROGRESS if is_same else Reason.RESOURCE_BUSY
        return _line(finding, remedy, None, f"{reason}: {busy.what}")


async def _mend_under(
    held: Held, team: Orchestrator, finding: Finding, remedy: Remedy
) -> RemediationLine:
    earlier = await team.ledger.remediations(resource=finding.resource)
    now = utc_now()
    if reason := await _reason_not_to_act(team, finding, now):
        return _line(finding, remedy, None, f"{reason}: {reason.explanation}")

    intent = RemediationRecord(
        run_id=team.run.id,
        # Runs that know the same latest remediation of the resource decide the same thing,
        # whatever they found wrong with it: one wins.
        need_key=f"{finding.resource} after {earlier[0].id if earlier else 'none'}",
        finding=finding.fingerprint,
        resource=finding.resource,
        action=f"{remedy.agent}.{remedy.action}",
        started_at=now,
        before=finding.evidence,
    )
    if not await team.ledger.intend(intent, fence=(held.resource, held.token)):
        reason = await _reason_not_to_act(team, finding, utc_now()) or Reason.RESOURCE_BUSY
        return _line(finding, remedy, None, f"{reason}: {reason.explanation}")

    reply = await team.ask(
        remedy.agent, remedy.action, priority=finding.severity.priority, **remedy.params
    )
    result = reply.result
    done = intent.model_copy(
        update={
            "finished_at": utc_now(),
            "status": result.status if result else RemediationStatus.FAILED,
            "detail": result.detail if result else reply.error.what if reply.error else "",
            "before": result.before if result else intent.before,
            "after": result.after if result else {},
        }
    )
    await team.ledger.settle(done)
    return _line(finding, remedy, done.status, done.detail)


async def _reason_not_to_act(team: Orchestrator, finding: Finding, now: datetime) -> Reason | None:
    return reason_not_to_act(finding, await team.ledger.remediations(since=now - HISTORY), now)


def _line(
    finding: Finding, remedy: Remedy, status: RemediationStatus | None, detail: str
) -> RemediationLine:
    return RemediationLine(
        finding=finding.fingerprint, action=remedy.action, status=status, detail=detail
    )
