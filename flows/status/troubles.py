"""What is wrong now, from incidents and the last daily check. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import takewhile

from blocks.ledger.calls.records import RunRecord
from blocks.ledger.events.records import IncidentRecord, IncidentResponse, IncidentState
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Outcome, Severity
from flows.orchestrator.events.open_incidents import how_it_stands
from flows.reports.model import Report
from flows.status.page_model import Facts, Trouble

_DAY = timedelta(hours=24)


def troubles(facts: Facts, now: datetime) -> list[Trouble]:
    """What is wrong, worst first: incidents, failing workflows, and what the daily check found.

    Args:
        facts: What the ledger knows.
        now: What was left to a person, or failed, longer than a day before is told no more.
    """
    found = [
        _incident(s, facts.heard, facts.silence, now)
        for s in facts.incidents
        if not s.is_over and s.severity is not Severity.INFO
    ]
    found += _left_to_a_person(facts, now)
    found += _failing_workflows(facts, now)
    known = {one.resource for one in found}
    if daily := last_daily_check(facts):
        found += [
            _finding(finding, daily)
            for finding in daily.findings
            if finding.severity is not Severity.INFO
            and not is_about_stock(finding)
            and finding.resource not in known
            and not _is_mended(finding, daily, facts)
        ]
    return sorted(found, key=lambda i: (-i.severity.rank, not i.open, -_weight(i), i.title))


def _weight(trouble: Trouble) -> float:
    """Money per hour by which troubles are put in order; of a day's, a 24th, to compare them."""
    if trouble.impact_per_hour is not None:
        return trouble.impact_per_hour
    return (trouble.impact_per_day or 0.0) / 24


def _incident(
    incident: IncidentRecord,
    heard: Mapping[str, datetime],
    silence: timedelta,
    now: datetime,
) -> Trouble:
    return Trouble(
        id=incident.id,
        severity=incident.severity,
        title=incident.title,
        resource=incident.resource,
        since=incident.opened_at,
        standing=how_it_stands(incident, heard, silence, now),
        open=True,
        events=incident.events,
        impact_per_hour=incident.impact_per_hour,
        runbook=incident.told.runbook,
        run_id=incident.run_id,
        incident_id=incident.id,
        state=(state := incident.state(now)),
        seen_to_by=incident.acknowledged_by if state is IncidentState.ACKNOWLEDGED else None,
        assigned_to=incident.assigned_to,
        silenced=incident.is_silenced,
        flapping=incident.flapping_since is not None,
    )


def _left_to_a_person(facts: Facts, now: datetime) -> list[Trouble]:
    """Of each resource the newest incident, if it was settled without having been mended."""
    newest: dict[str, IncidentRecord] = {}
    for incident in facts.incidents:
        if not incident.summary:
            newest.setdefault(incident.resource, incident)
    return [
        _incident(incident, facts.heard, facts.silence, now).model_copy(
            update={"open": False, "standing": incident.done}
        )
        for incident in newest.values()
        if incident.settled_at is not None
        and incident.ending is None
        and incident.severity is not Severity.INFO
        and now - incident.settled_at < _DAY
        and _needs_somebody(incident)
        and not _helped_since(incident.resource, incident.settled_at, facts)
    ]


def _failing_workflows(facts: Facts, now: datetime) -> list[Trouble]:
    """Workflows whose last run failed; a run that did better ends the trouble."""
    ended: dict[str, list[RunRecord]] = {}
    for run in facts.runs:
        if run.finished_at and run.outcome not in (None, Outcome.REFUSED):
            ended.setdefault(run.workflow, []).append(run)
    found = []
    for workflow, runs in ended.items():
        failed = list(takewhile(lambda run: run.outcome is Outcome.FAILED, runs))
        if failed and now - (failed[0].finished_at or now) < _DAY:
            times = f" {len(failed)} times in a row" if len(failed) > 1 else ""
            found.append(
                Trouble(
                    id=f"workflow:{workflow}",
                    severity=Severity.ERROR,
                    title=f"{workflow} failed{times}",
                    resource=f"workflow:{workflow}",
                    since=failed[-1].started_at,
                    standing=facts.headlines.get(failed[0].id) or "See its log in Prefect.",
                    open=False,
                    run_id=failed[0].id if failed[0].id in facts.headlines else None,
                    part="workflows",
                )
            )
    return found


def _needs_somebody(incident: IncidentRecord) -> bool:
    """Whether there is advice, or a remedy that did not help; else there was nothing to do."""
    response = incident.response or IncidentResponse()
    if response.severity is Severity.INFO:
        return False  # whatever was told, the agents looked and found nothing wrong
    left = response.advice or response.remediations or response.assessments is None
    return bool(left) and not response.mended


def is_about_stock(finding: Finding) -> bool:
    """Whether it is told with the stock at risk."""
    return finding.resource.startswith("sku:")


def _finding(finding: Finding, daily: Report) -> Trouble:
    tried = daily.remediation_of(finding)
    return Trouble(
        id=finding.fingerprint,
        severity=finding.severity,
        title=finding.title,
        resource=finding.resource,
        since=daily.finished_at,
        standing=(tried.detail if tried else finding.advice) or "",
        open=False,
        impact_per_day=finding.impact_per_day,
        run_id=daily.run_id,
    )


def _is_mended(finding: Finding, daily: Report, facts: Facts) -> bool:
    tried = daily.remediation_of(finding)
    if tried and tried.status and tried.status.helped:
        return True
    return _helped_since(finding.resource, daily.finished_at, facts)


def _helped_since(resource: str, instant: datetime, facts: Facts) -> bool:
    return any(
        act.target == resource and act.helped and act.intended_at > instant for act in facts.acts
    )


def last_daily_check(facts: Facts) -> Report | None:
    """Its report, if there is one."""
    return next((r for r in facts.reports if r.workflow == "daily-health-check"), None)
