"""What a check finds about an open incident is told as that incident."""

from __future__ import annotations

from datetime import UTC, datetime

from blocks.ledger.events.records import IncidentRecord, IncidentStatus
from blocks.vocabulary.findings import INCIDENT, Finding
from blocks.vocabulary.messages import Severity
from flows.orchestrator.events.open_incidents import OpenIncident, as_incidents

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def finding(resource: str, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(
        kind="service-down", resource=resource, severity=severity, title=f"{resource} is down"
    )


def incident(resource: str) -> OpenIncident:
    record = IncidentRecord(
        id="4711",
        need_key=resource,
        resource=resource,
        severity=Severity.ERROR,
        title="It is ill",
        opened_at=NOW,
        updated_at=NOW,
        status=IncidentStatus.STANDING,
    )
    return OpenIncident(record, "It still fires.")


def test_of_what_is_open_the_finding_says_so_and_all_else_stays() -> None:
    checkout, search = finding("service:checkout"), finding("service:search")
    told = as_incidents([checkout, search], [incident("service:checkout")])
    assert told[1] == search
    assert told[0].evidence == {INCIDENT: "4711"}
    assert told[0].title == checkout.title
    assert told[0].advice == "It is an open incident since 2026-11-30 12:00 UTC. It still fires."


def test_what_is_graver_than_the_incident_is_told_by_itself() -> None:
    worse = finding("service:checkout", Severity.CRITICAL)
    assert as_incidents([worse], [incident("service:checkout")]) == [worse]
