"""A simple look at an anomaly when nobody can examine the business's figures."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta

import pandas as pd
from pydantic import AwareDatetime, Field

from agents.capability import ANYBODY, action
from agents.sre_reliability.system_monitoring.assessment import worst_first
from agents.sre_reliability.system_monitoring.services import metric_findings, watched_history
from blocks.business.business import Business
from blocks.ledger import CallRecord, Ledger
from blocks.models import Strict
from blocks.vocabulary.blame import says_nothing
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Severity

HISTORY_HOURS = 7 * 24.0
ERRORS = timedelta(hours=24)
"""How far back failed calls count: the last trading day, and the night after it."""

MOST_CALLS = 2000
NOTABLE_SHARE = 0.2
"""From this share of failed calls on, the failures are a finding."""


class AnomalyScreening(Strict):
    """What the platform's side shows at the time of an anomaly.

    Attributes:
        summary: One sentence a manager understands.
        checked_at: When.
        degraded: Always: the business's own figures were not looked at.
        metrics: Watched metrics of services that were looked at.
        unusual: Those that are unlike the days before or have stopped, by
            ``metric:service/name``.
        calls: Answered calls of the last 24 hours, without those that were asked wrongly or called
            off.
        failed: Those that failed, by error code.
        missing: What could not be had, and why.
        findings: What is wrong.
    """

    summary: str
    checked_at: AwareDatetime
    degraded: bool = True
    metrics: int
    unusual: list[str]
    calls: int
    failed: dict[str, int]
    missing: list[str] = Field(default_factory=list)
    findings: list[Finding] = Field(default_factory=list)


@action(timeout=60, askers=ANYBODY)
async def screen_anomaly(
    business: Business, ledger: Ledger, now: datetime, metric: str | None = None
) -> AnomalyScreening:
    """Look for unusual service metrics and failed calls around an anomaly. Degraded.

    Args:
        business: Whose services' metrics are looked at.
        ledger: Knows which calls failed in the last 24 hours.
        now: The instant of the look.
        metric: A watched metric of a service, to look at it alone. Any other name (such as a
            figure of the business) leaves nothing out.

    Raises:
        LedgerUnavailable: The ledger cannot be read.
    """
    histories = await asyncio.gather(
        *(
            watched_history(service, now, HISTORY_HOURS, ledger.samples.history)
            for service in business.services
        )
    )
    watched = [
        (service, name, series)
        for service, history in zip(business.services, histories, strict=True)
        for name, series in history.items()
    ]
    alone = [each for each in watched if each[1] == metric]
    found: list[Finding] = []
    missing: list[str] = []
    for service, name, series in alone or watched:
        if not isinstance(series, pd.DataFrame):
            missing.append(f"metric:{service.name}/{name}: {series}")
        else:
            found += await asyncio.to_thread(
                metric_findings, service, name, series, now, business.timezone
            )
    calls = await ledger.calls(since=now - ERRORS, limit=MOST_CALLS)
    return judge(len(alone or watched) - len(missing), found, calls, missing, now)


def judge(
    metrics: int,
    unusual: list[Finding],
    calls: list[CallRecord],
    missing: list[str],
    now: datetime,
) -> AnomalyScreening:
    """What unusual metrics and failed calls say together."""
    answered = [c for c in calls if c.outcome and not (c.error and says_nothing(c.error.code))]
    failed = Counter(call.error.code for call in answered if call.error)
    told = [finding.title for finding in unusual]
    findings = list(unusual)
    if failed.total():
        often = f"{failed.total()} of {len(answered)} calls failed within 24 hours"
        told.append(f"{often}, mostly with {failed.most_common(1)[0][0]}")
        if failed.total() >= NOTABLE_SHARE * len(answered):
            findings.append(_failures(often, failed))
    said = "; ".join(told) or f"{metrics} service metrics and {len(answered)} calls are as usual"
    return AnomalyScreening(
        summary=f"Without the business's own figures: {said}.",
        checked_at=now,
        metrics=metrics,
        unusual=list(dict.fromkeys(finding.resource for finding in unusual)),
        calls=len(answered),
        failed=dict(failed.most_common()),
        missing=missing,
        findings=worst_first(findings),
    )


def _failures(title: str, failed: Counter[str]) -> Finding:
    return Finding(
        kind="calls-failing",
        resource="ledger:calls",
        severity=Severity.WARNING,
        title=title,
        evidence=dict(failed.most_common()),
        advice="Figures of that time may rest on data that could not be read.",
    )
