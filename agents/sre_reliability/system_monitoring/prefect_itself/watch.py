"""Prefect, looked at all the time: what stands still or waits in vain is told within minutes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from agents.sre_reliability.system_monitoring.prefect_itself.database import judge_database
from agents.sre_reliability.system_monitoring.prefect_itself.runs import judge_prefect
from blocks.errors import OrchestratorError
from blocks.prefect_api.client import PrefectApi, PrefectHealth
from blocks.prefect_api.database import PrefectDatabase, read_database
from blocks.settings import Settings
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.looks import Look, Sample, Signal
from blocks.vocabulary.messages import Severity

PART = "prefect"

SIZE = "prefect:database/size_mb"

LOCKED_WITHIN = timedelta(hours=1)

API = "prefect:api"

_NOT_HERE = frozenset({"runs-failing"})
"""What is history and no state: the daily check tells it. An alert would be open for a day."""


async def look_at_prefect(prefect: PrefectApi, settings: Settings, now: datetime) -> Look:
    """Look at Prefect and its database.

    Whatever was found earlier and is not found now is over: the one who settles the look has it
    cover all that fires, by its ``covered`` with ``prefect:api`` in it. A Prefect that does not
    answer is told, and nothing else is judged then.

    Args:
        prefect: Prefect.
        settings: Where its database is, when it is the embedded one.
        now: The instant of the look.
    """
    database = asyncio.to_thread(read_database, settings, now, LOCKED_WITHIN)
    health, known = await asyncio.gather(prefect.health(now), database, return_exceptions=True)
    if isinstance(known, BaseException):
        known = None
    if isinstance(health, OrchestratorError):
        return Look(part=PART, covered=frozenset({API}), signals=(_silent(health),))
    if isinstance(health, BaseException):
        raise health
    findings = judge_prefect(health, now) + judge_database(known, LOCKED_WITHIN)
    return Look(
        part=PART,
        covered=frozenset({API}),
        signals=tuple(_signals(findings)),
        samples=tuple(_samples(health, known, now)),
        missing=tuple(
            f"prefect: of the runs that count as {what} only the first 200 were read"
            for what in health.truncated
        ),
    )


def answered(look: Look) -> bool:
    """Whether Prefect answered in a look, completely: then it covers whatever fired before."""
    return bool(look.samples) and not look.missing


def _signals(findings: Sequence[Finding]) -> Iterable[Signal]:
    for finding in findings:
        if finding.severity is Severity.INFO or finding.kind in _NOT_HERE:
            continue
        yield Signal(
            kind=kind_of(finding),
            subject=finding.resource,
            severity=finding.severity,
            summary=f"{finding.title}.",
            runbook=finding.advice,
            evidence=finding.evidence,
        )


def kind_of(finding: Finding) -> str:
    """The kind of the signal that a finding becomes: ``prefect.limit_zero``."""
    return f"prefect.{finding.kind.removeprefix('prefect-').replace('-', '_')}"


def _silent(error: OrchestratorError) -> Signal:
    return Signal(
        kind="prefect.unreachable",
        subject=API,
        severity=Severity.ERROR,
        summary="Prefect's API does not answer: no workflow starts or ends.",
        runbook=error.hint or "See the Prefect server's log.",
        evidence={"error": error.code, "detail": error.what},
    )


def _samples(
    health: PrefectHealth, database: PrefectDatabase | None, now: datetime
) -> Iterable[Sample]:
    values: dict[str, float | None] = {
        f"{API}/latency_ms": health.latency_ms,
        "prefect:runs/late": len(health.late),
        "prefect:runs/running": len(health.running),
        "prefect:runs/stuck": len(health.stalled) + len(health.cancelling),
        SIZE: database.size_mb if database else None,
    }
    for series, value in values.items():
        if value is not None:
            yield Sample(series=series, at=now, value=value)
