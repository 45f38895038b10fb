"""Records from which the status page's tests compute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from blocks.ledger.calls.records import RunRecord
from blocks.ledger.events.records import Depth, IncidentRecord, IncidentStatus
from blocks.ledger.status import SystemStatus
from blocks.ledger.work.approvals import ApprovalRecord
from blocks.ledger.work.effects import EffectOutcome, EffectRecord
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Outcome, Severity
from flows.reports.model import Report
from flows.status.page_model import Facts

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def facts(**fields: Any) -> Facts:
    status = SystemStatus(
        timestamp=NOW,
        window_hours=24,
        system_health="healthy",
        reasons=[],
        agents=[],
        workflows=[],
        active_workflows=[],
        pending_tasks=0,
        awaiting_approval=0,
        uptime_s=None,
        response_ms=None,
        throughput_per_hour=0,
        targets=[],
    )
    return Facts(**{"status": status, "depth": Depth(NOW, {}), **fields})


def run(outcome: Outcome | None = Outcome.SUCCEEDED, *, ago: timedelta = HOUR, **fields: Any):
    end = None if outcome is None else NOW - ago + MINUTE
    named = {"id": f"r{ago}", "workflow": "w", **fields}
    return RunRecord(started_at=NOW - ago, finished_at=end, outcome=outcome, **named)


def incident(*, ago: timedelta = HOUR, settled: dict[str, Any] | None = None, **fields: Any):
    status = IncidentStatus.OPEN if settled is None else IncidentStatus.SETTLED
    return IncidentRecord(
        **{
            "need_key": f"n{ago}",
            "resource": "service:shop",
            "severity": Severity.ERROR,
            "title": "service shop: down",
            "opened_at": NOW - ago,
            "updated_at": NOW - ago,
            "status": status,
            "response": settled,
            "settled_at": None if settled is None else NOW - ago + MINUTE,
            **fields,
        }
    )


def remedy(verdict: str, *, ago: timedelta, resource: str = "service:shop") -> EffectRecord:
    outcome = EffectOutcome(verdict=verdict, detail="it was restarted")
    return EffectRecord(
        run_id="r",
        need_key=f"k{ago}",
        cause=f"down/{resource}",
        target=resource,
        kind="sre-reliability.restart_service",
        status=outcome.verdict.status,
        intended_at=NOW - ago,
        finished_at=NOW - ago + MINUTE,
        outcome=outcome,
    )


def question(**fields: Any) -> ApprovalRecord:
    return ApprovalRecord(
        **{
            "need_key": str(fields),
            "title": "Order it?",
            "proposal": {"kind": "test"},
            "asked_at": NOW - HOUR,
            "expires_at": NOW + HOUR,
            **fields,
        }
    )


def finding(resource: str = "service:shop", **fields: Any) -> Finding:
    return Finding(
        **{
            "kind": "down",
            "resource": resource,
            "severity": Severity.ERROR,
            "title": f"{resource} is down",
            "advice": "Look at it.",
            **fields,
        }
    )


def daily(*findings: Finding, ago: timedelta = HOUR, **fields: Any) -> Report:
    return Report(
        **{
            "workflow": "daily-health-check",
            "title": "Daily health check",
            "run_id": "d",
            "started_at": NOW - ago - MINUTE,
            "finished_at": NOW - ago,
            "outcome": Outcome.SUCCEEDED,
            "headline": "Checked.",
            "currency": "GBP",
            "findings": list(findings),
            **fields,
        }
    )
