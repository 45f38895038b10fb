"""Events from programs: CloudEvents 1.0 over HTTP in each of its modes, and plain JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from fastapi import APIRouter, Depends, Request, Response

from blocks.dialects import Dialect, cloudevents, understood
from blocks.dialects.strict_json import Document, parse, parse_value
from blocks.errors import Malformed
from blocks.ledger.callers.tokens import Scope
from blocks.ledger.events.records import Entered
from blocks.policy.alert_rules import AlertRules
from blocks.vocabulary.messages import SystemEvent
from deployments.api.http.callers import allowed, bearer
from deployments.api.http.lean import LeanRoute, answer, content_type, plain_headers, wrong_type
from deployments.api.http.limits import Limit, Limiter
from deployments.api.http.problems import Refused, documented
from deployments.api.intake.event_bodies import BATCH, EVENTS, JSON, ONE
from deployments.api.intake.intake import Intake, Kept
from deployments.api.intake.refusals import Handed
from deployments.api.intake.sender_rules import SenderRules

MOST_NOTES = 20
"""Remarks that an answer tells; the events have them all."""

router = APIRouter(tags=["events"], route_class=LeanRoute)


@router.post(
    "/events",
    status_code=202,
    response_model=Kept,
    responses=documented(400, 413, 415, 422),
    dependencies=[Depends(bearer)],
    openapi_extra={"requestBody": EVENTS},
)
async def post_events(request: Request) -> Response:
    """Hand in events; 202 when they are durable.

    CloudEvents 1.0 in structured, batch or binary mode (headers `ce-…`), or plain JSON with a
    `type`. Of a batch all are accepted or none. An event of known source and id changes nothing.
    Messages to agents do not come in here: an event may not have an action carried out.
    """
    return await take(request, _read)


async def take(
    request: Request,
    read: Callable[[Mapping[str, str], bytes, AlertRules], list[SystemEvent]],
    dialect: Dialect | None = None,
) -> Response:
    """Take events from a caller with a token; 202 when they are durable.

    Args:
        request: What came.
        read: Makes events of its headers and body; refuses what it cannot.
        dialect: What the body is written in; None when the headers say it.
    """
    caller = await allowed(request, Scope.RUN)
    request.state.sender = caller.name
    limiter: Limiter = request.app.state.limiter
    limit = Limit("events", request.app.state.context.settings.api_intake_rate)
    request.state.rate = limiter.take(limit, caller.id)
    body, headers = await request.body(), plain_headers(request)
    request.state.handed = Handed(body, dialect=dialect) if dialect else Handed(body, headers)
    rules: SenderRules = request.app.state.rules
    events = read(headers, body, rules.now())
    if len(events) > 1:
        request.state.rate = limiter.take_rest(limit, caller.id, len(events))
    intake: Intake = request.app.state.intake
    return kept(events, await intake.accept(events, len(body)))


def kept(events: Sequence[SystemEvent], entered: Sequence[Entered]) -> Response:
    """The answer to events that are durable."""
    new = sum(one.new for one in entered)
    body = {"new": new, "known": len(entered) - new, "ids": [one.id for one in entered]}
    remarks = dict.fromkeys(note for event in events for note in event.notes)
    return answer(body | ({"notes": list(remarks)[:MOST_NOTES]} if remarks else {}), 202)


def _read(headers: Mapping[str, str], body: bytes, rules: AlertRules) -> list[SystemEvent]:
    found = understood(*_document(headers, body), rules)
    if found.messages:
        raise Refused(
            422,
            "message-not-event",
            f"{found.messages[0].action!r} of {found.messages[0].recipient} is asked for, and an "
            "event may not have an action carried out.",
            hint="Ask for work with POST /orchestrate/task.",
        )
    return found.events


def _document(headers: Mapping[str, str], body: bytes) -> tuple[Document, Dialect]:
    """The body, and the dialect that it has to be in."""
    kind = content_type(headers)
    if kind in (ONE, BATCH):
        document = parse(body)
        if isinstance(document, list) != (kind == BATCH):
            raise Malformed(
                f"The body is {'a list' if isinstance(document, list) else 'no list'}.",
                hint=f"One event is {ONE}, a list of them {BATCH}.",
            )
        return document, Dialect.CLOUDEVENTS
    if cloudevents.is_binary(headers):
        return parse(cloudevents.structured(headers, body)), Dialect.CLOUDEVENTS
    if kind != JSON:
        raise wrong_type(kind, f"{ONE}, {BATCH} or {JSON}")
    document = parse_value(body)
    if not isinstance(document, dict):
        raise Malformed("The body is no JSON object.", hint=f"Send a list as {BATCH}.")
    return document, Dialect.CLOUDEVENTS if cloudevents.is_one(document) else Dialect.JSON
