"""What an event from outside says of a connection, and whether a quick look confirms it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agents.capability import ANYBODY, action
from agents.events import answer_each
from agents.integration_specialist import EVENT_KINDS
from agents.integration_specialist.api_management.connections import check
from blocks.business.business import Business
from blocks.business.connections import find_connection
from blocks.errors import InvalidMessage
from blocks.vocabulary.messages import Severity
from blocks.vocabulary.responses import EventResponse, EventResponses, read_event, subject_of

LOOK = 20.0
"""Seconds that the look at a connection may take."""


@action(timeout=LOOK + 10, retries=1, askers=ANYBODY)
async def handle_event(event: dict[str, Any], business: Business, now: datetime) -> EventResponse:
    """Check the connection that an event is about: a supplier, the store, or any by its name.

    Args:
        event: A SystemEvent as JSON; its subject is ``supplier:``, ``store:`` or ``connection:``
            and a name. Services are for sre-reliability to look at, unless they are named as a
            ``connection:``.
        business: Whose connections.
        now: The instant of the look.

    Raises:
        InvalidMessage: ``event`` is no event.
    """
    happened = read_event(event)
    kind, name = subject_of(happened)
    if kind not in EVENT_KINDS:
        return EventResponse.not_concerned(
            happened, f"{happened.subject or 'It'} is no connection to a store or a supplier."
        )
    try:
        connection = find_connection(business, name if kind == "connection" else happened.subject)
    except InvalidMessage as error:
        return EventResponse.not_concerned(happened, error.what)
    seen, findings = await check(connection, now, LOOK, deep=False)
    evidence = seen.model_dump(mode="json", exclude={"name", "kind"})
    if findings:
        worst = max(findings, key=lambda finding: finding.severity)
        return EventResponse(
            relevant=True,
            assessment=f"{worst.title}.",
            severity=worst.severity,
            resource=worst.resource,
            proposals=[finding.remedy for finding in findings if finding.remedy],
            advice=worst.advice,
            evidence=evidence | worst.evidence,
            well=False,
        )
    well = seen.ok and seen.healthy is not False
    in_time = "" if seen.latency_ms is None else f" in {seen.latency_ms:.0f} ms"
    return EventResponse(
        relevant=True,
        assessment=f"{name} answers{in_time} and knows us."
        if well
        else f"{name} is not as it should be: {seen.detail or 'it does not answer'}.",
        severity=Severity.INFO if well else Severity.ERROR,
        resource=connection.resource,
        evidence=evidence,
        well=well,
    )


@action(timeout=60, retries=0)
async def handle_events(
    events: list[dict[str, Any]], business: Business, now: datetime
) -> EventResponses:
    """Check the connections that many events are about, as ``handle_event`` does."""
    return await answer_each(events, lambda event: handle_event(event, business, now))
