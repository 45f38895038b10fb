"""Signed webhooks (Standard Webhooks 1.0.0) from the senders that the business names."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import APIRouter, Request, Response

from blocks.dialects.strict_json import parse_value
from blocks.errors import InvalidMessage
from blocks.messages import utc_now
from blocks.webhook_signatures import verify
from deployments.api.events import kept
from deployments.api.intake import Intake, Kept
from deployments.api.lean import LeanRoute, content_type, plain_headers, wrong_type
from deployments.api.limits import Limit, Limiter
from deployments.api.problems import Refused, documented
from deployments.api.webhook_senders import Senders

router = APIRouter(tags=["events"], route_class=LeanRoute)

log = logging.getLogger("orchestrator.api")

_KIND = "application/json"


def _parameter(place: str, name: str, about: str, example: str) -> dict[str, Any]:
    return {
        "in": place,
        "name": name,
        "required": True,
        "description": about,
        "schema": {"type": "string", "minLength": 1},
        "example": example,
    }


@router.post(
    "/webhooks/{connection}",
    status_code=202,
    response_model=Kept,
    responses={s: d for s, d in documented(400, 413, 415, 422).items() if s != 403},
    openapi_extra={
        "security": [],
        "parameters": [
            _parameter(
                "path", "connection", "Name of a webhook source of the business.", "storefront"
            ),
            _parameter(
                "header",
                "webhook-id",
                "The same however often it is sent.",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
            ),
            _parameter(
                "header", "webhook-timestamp", "Seconds since 1970, of this attempt.", "1614265330"
            ),
            _parameter(
                "header",
                "webhook-signature",
                "v1, and base64 of the HMAC; several with a space.",
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
        ],
        "requestBody": {
            "required": True,
            "content": {
                _KIND: {
                    "schema": {},
                    "example": {
                        "type": "order.shipped",
                        "timestamp": "2026-03-01T12:00:00Z",
                        "data": {"order": 4711, "sku": "85123A"},
                    },
                }
            },
        },
    },
)
async def post_webhook(request: Request) -> Response:
    """Take a webhook; 202 when it is durable. Its signature is all the authentication it needs.

    One that was taken before, by its id, changes nothing. A bad signature and a sender that nobody
    knows are answered alike.
    """
    senders: Senders = request.app.state.senders
    sender, keys = await senders.find(request.path_params["connection"])
    body = await request.body()
    try:
        headers = plain_headers(request)
        signed = verify(keys, headers, body, utc_now())
    except (InvalidMessage, Refused) as error:
        raise Refused(401, "bad-signature", error.what, hint=error.hint) from None
    assert sender is not None, "the keys of nobody fit nothing"
    if (kind := content_type(headers)) != _KIND:
        raise wrong_type(kind, _KIND)
    limiter: Limiter = request.app.state.limiter
    limit = Limit("webhooks", request.app.state.context.settings.api_intake_rate)
    request.state.rate = limiter.take(limit, f"webhook {sender.source.name}")
    event = sender.source.event(parse_value(body), signed)
    intake: Intake = request.app.state.intake
    return kept([event], await intake.accept([event], len(body)))
