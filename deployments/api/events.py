"""Events from programs: CloudEvents 1.0 over HTTP in each of its modes, and plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from blocks.dialects import cloudevents, read
from blocks.dialects.strict_json import Document, parse, parse_value
from blocks.errors import Malformed
from blocks.ledger.tokens import Scope
from blocks.messages import SystemEvent
from deployments.api.callers import allowed, bearer
from deployments.api.intake import Intake, Kept
from deployments.api.lean import LeanRoute, answer, content_type, plain_headers, wrong_type
from deployments.api.limits import Limit, Limiter
from deployments.api.problems import Refused, documented

router = APIRouter(tags=["events"], route_class=LeanRoute)

_ONE = "application/cloudevents+json"
_BATCH = "application/cloudevents-batch+json"
_PLAIN = "application/json"

_EXAMPLE = {
    "specversion": "1.0",
    "id": "4711-refused",
    "source": "/shop/payments",
    "type": "payment.refused",
    "subject": "service:checkout",
    "severity": "error",
    "data": {"order": 4711},
}

BODY: dict[str, Any] = {
    "required": True,
    "content": {
        _ONE: {
            "schema": {
                "type": "object",
                "required": ["specversion", "id", "source", "type"],
                "properties": {
                    "specversion": {"const": "1.0"},
                    **{n: {"type": "string", "minLength": 1} for n in ("id", "source", "type")},
                    "subject": {"type": "string"},
                    "time": {"type": "string", "format": "date-time"},
                    "severity": {"type": "string"},
                },
            },
            "example": _EXAMPLE,
        },
        _BATCH: {"schema": {"type": "array", "items": {"type": "object"}}, "example": [_EXAMPLE]},
        _PLAIN: {
            "schema": {"type": "object"},
            "example": {"type": "delivery.late", "subject": "supplier:acme", "days": 3},
        },
    },
}


@router.post(
    "/events",
    status_code=202,
    response_model=Kept,
    responses=documented(400, 413, 415, 422),
    dependencies=[Depends(bearer)],
    openapi_extra={"requestBody": BODY},
)
async def post_events(request: Request) -> Response:
    """Hand in events; 202 when they are durable.

    CloudEvents 1.0 in structured, batch or binary mode (headers `ce-…`), or plain JSON with a
    `type`. Of a batch all are accepted or none. An event of known source and id changes nothing.
    Messages to agents do not come in here: an event may not have an action carried out.
    """
    caller = await allowed(request, Scope.RUN)
    limiter: Limiter = request.app.state.limiter
    limit = Limit("events", request.app.state.context.settings.api_intake_rate)
    request.state.rate = limiter.take(limit, caller.id)
    body = await request.body()
    events = _read(plain_headers(request), body)
    if len(events) > 1:
        request.state.rate = limiter.take(limit, caller.id, len(events) - 1)
    intake: Intake = request.app.state.intake
    new = await intake.accept(events, len(body))
    return kept(events, new)


def kept(events: list[SystemEvent], new: int) -> Response:
    """The answer to events that are durable."""
    ids = [event.id for event in events]
    return answer({"new": new, "known": len(events) - new, "ids": ids}, 202)


def _read(headers: Mapping[str, str], body: bytes) -> list[SystemEvent]:
    document = _document(headers, body)
    found = read(document)
    if found.messages:
        raise Refused(
            422,
            "message-not-event",
            f"{found.messages[0].action!r} of {found.messages[0].recipient} is asked for, and an "
            "event may not have an action carried out.",
            hint="Ask for work with POST /orchestrate/task.",
        )
    return found.events


def _document(headers: Mapping[str, str], body: bytes) -> Document:
    kind = content_type(headers)
    if kind in (_ONE, _BATCH):
        document = parse(body)
        if isinstance(document, list) != (kind == _BATCH):
            raise Malformed(
                f"The body is {'a list' if isinstance(document, list) else 'no list'}.",
                hint=f"One event is {_ONE}, a list of them {_BATCH}.",
            )
        return document
    if cloudevents.is_binary(headers):
        return cloudevents.structured(headers, body)
    if kind != _PLAIN:
        raise wrong_type(kind, f"{_ONE}, {_BATCH} or {_PLAIN}")
    document = parse_value(body)
    if not isinstance(document, dict):
        raise Malformed("The body is no JSON object.", hint=f"Send a list as {_BATCH}.")
    return document
