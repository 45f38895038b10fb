"""One connection in depth: what fails, whether it always fails, and what to do about it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from agents.capability import ANYBODY, action
from agents.integration_specialist.api_management.connections import Checked, check
from agents.integration_specialist.api_management.report import ConnectionCheck
from blocks.business.business import Business
from blocks.business.connections import Connection, find_connection
from blocks.models import Strict
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Severity

Condition = Literal["unreachable", "refused", "misconfigured", "failing", "garbled", "slow", "well"]

LOOKS = 3
"""A connection that is not well at the first look is looked at so often: does it always fail?"""

GAP = 0.5  # seconds between looks
LIMIT = 25.0
"""Seconds that one look may take."""

_SAID: dict[Condition, str] = {
    "unreachable": "does not answer",
    "refused": "answers, but refuses us",
    "misconfigured": "is not configured as it must be",
    "failing": "answers with errors of its own",
    "garbled": "answers something else than it promises",
    "slow": "answers, but too slowly",
    "well": "is well",
}
_ADVICE: dict[Condition, str] = {
    "unreachable": "See whether it runs, and whether its address and our network are right.",
    "refused": "Renew our credentials, and ask the partner whether they changed our rights.",
    "misconfigured": "Correct the connection's settings.",
    "failing": "See its log, or ask the partner: it is reached and fails by itself.",
    "garbled": "Compare its answer with the connection's format, paths and columns.",
    "slow": "Ask the partner, or do without it while it lasts.",
    "well": "Nothing to do; if it failed before, it has recovered.",
}
_SERVICE_KINDS = {"unreachable": "down", "failing": "failing", "slow": "slow"}
"""What sre-reliability calls the same trouble: one problem is told once."""


class ConnectionDiagnosis(Strict):
    """What is wrong with one connection.

    Attributes:
        summary: One sentence a manager understands.
        connection: Its name.
        kind: What it connects to.
        checked_at: When.
        condition: ``unreachable``: no answer, or HTTP 5xx of a supplier; ``refused``: it does
            not know us, or our right; ``misconfigured``: it cannot even be asked; ``failing``: a
            service is ill and says so; ``garbled``: it answers what it should not; ``slow``: over
            its latency budget.
        always: Whether every look saw it so.
        looks: How often it was looked at.
        latency_ms: Time to its answer at the last look that had one.
        advice: What to do.
        evidence: Each look, as it was.
        findings: What is wrong.
    """

    summary: str
    connection: str
    kind: str
    checked_at: AwareDatetime
    condition: Condition
    always: bool
    looks: int
    latency_ms: float | None = None
    advice: str
    evidence: list[dict[str, Any]] = Field(default_factory=list)
    findings: list[Finding] = Field(default_factory=list)


@action(timeout=LOOKS * LIMIT + 10, retries=0, askers=ANYBODY)
async def diagnose_connection(
    business: Business, now: datetime, connection: str
) -> ConnectionDiagnosis:
    """Check one connection in depth, and say how it fails and what to do.

    Args:
        business: Whose connection.
        now: The instant of the check.
        connection: Its name: the store's, a supplier's or a service's; or ``kind:name``.

    Raises:
        InvalidMessage: There is no such connection; names the nearest.
    """
    found = find_connection(business, connection)
    looks = [await check(found, now, LIMIT, deep=True)]
    while classify(found, looks[-1]) != "well" and len(looks) < LOOKS:
        await asyncio.sleep(GAP)
        looks.append(await check(found, now, LIMIT, deep=True))
    return judge(found, looks, now)


def classify(connection: Connection, look: Checked) -> Condition:
    """How the connection was at one look."""
    seen, findings = look
    manners = {finding.kind.removeprefix(f"{connection.kind}-") for finding in findings}
    if "misconfigured" in manners:
        return "misconfigured"
    if not seen.reached:
        return "unreachable"
    if seen.authenticated is False or "refused" in manners:
        return "refused"
    if seen.healthy is False:
        return "failing"
    if seen.shape_ok is False:
        return "garbled"
    return "slow" if (seen.latency_ms or 0.0) > connection.budget_ms else "well"


def judge(connection: Connection, looks: list[Checked], now: datetime) -> ConnectionDiagnosis:
    """What the looks say together: the most frequent condition, the latest among equals."""
    seen = [classify(connection, look) for look in looks]
    condition = max(reversed(seen), key=seen.count)
    times = f"at {seen.count(condition)} of {len(looks)} looks"
    check, findings = next(
        look for look, its in zip(looks[::-1], seen[::-1], strict=True) if its == condition
    )
    always = len(set(seen)) == 1
    detail = f": {check.detail.rstrip('.')}" if check.detail and condition != "well" else ""
    latencies = [look.latency_ms for look, _ in looks if look.latency_ms is not None]
    if condition != "well" and not findings:
        findings = [_finding(connection, condition, check)]
    return ConnectionDiagnosis(
        summary=f"{connection.name} {_SAID[condition]}{'' if always else ' ' + times}{detail}.",
        connection=connection.name,
        kind=connection.kind,
        checked_at=now,
        condition=condition,
        always=always,
        looks=len(looks),
        latency_ms=latencies[-1] if latencies else None,
        advice=next((f.advice for f in findings if f.advice), _ADVICE[condition]),
        evidence=[
            {"condition": its} | look.model_dump(mode="json", exclude={"name", "kind"})
            for its, (look, _) in zip(seen, looks, strict=True)
        ],
        findings=findings,
    )


def _finding(connection: Connection, condition: Condition, check: ConnectionCheck) -> Finding:
    manner = _SERVICE_KINDS.get(condition, condition)
    return Finding(
        kind=f"{connection.kind}-{manner if connection.kind == 'service' else condition}",
        resource=connection.resource,
        severity=Severity.WARNING if condition == "slow" else Severity.ERROR,
        title=f"{connection.name} {_SAID[condition]}",
        evidence={"detail": check.detail, "latency_ms": check.latency_ms},
        advice=_ADVICE[condition],
    )
