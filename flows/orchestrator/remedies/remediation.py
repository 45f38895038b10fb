"""Mending what can be mended without asking a person."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agents.calls import Envelope
from blocks.vocabulary.findings import Finding, Remedy
from flows.orchestrator.effects.acting import act
from flows.reports.model import RemediationLine

if TYPE_CHECKING:
    from flows.orchestrator.team.team import Orchestrator


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
    envelope = Envelope(priority=finding.severity.priority)
    acted = await act(team, finding, remedy, envelope)
    if acted.reply is not None:
        team.replies.append(acted.reply)
    return RemediationLine(
        finding=finding.fingerprint,
        action=remedy.action,
        status=acted.status,
        detail=acted.detail,
    )
