"""Signed webhooks from the senders that the business names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from blocks.business.webhooks.schemes import scheme_of, verify
from blocks.business.webhooks.signatures import Signed
from blocks.dialects.strict_json import parse_value
from blocks.errors import InvalidMessage
from blocks.vocabulary.messages import utc_now
from deployments.api.http.lean import LeanRoute, answer, content_type, plain_headers, wrong_type
from deployments.api.http.limits import Limit, Limiter
from deployments.api.http.problems import Refused, documented
from deployments.api.intake.intake import Intake, Kept
from deployments.api.intake.refusals import Handed
from deployments.api.intake.sender_rules import SenderRules
from deployments.api.intake.webhook_senders import Sender, Senders
from deployments.api.routes.events import kept

router = APIRouter(tags=["events"], route_class=LeanRoute)

_KIND = "application/json"
_PING = re.compile(rb"webhook_id=[0-9]{1,20}")


def _parameter(place: str, name: str, about: str, example: str) -> dict[str, Any]:
    return {
        "in": place,
        "name": name,
        "required": place == "path",  # other schemes have headers of their own
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
    knows are answered alike. Signed is as Standard Webhooks says, the headers called `svix-…` or
    not, or as the source's `scheme` says: GitHub, Shopify, Stripe or WooCommerce.
    """
    senders: Senders = request.app.state.senders
    sender = await senders.find(request.path_params["connection"])
    if sender is not None:
        request.state.sender = f"webhook {sender.source.name}"
    body = await request.body()
    if _is_ping(request, body):
        return answer({"new": 0, "known": 0, "ids": []}, 200)
    signed, headers = _verified(senders, sender, request, body)
    assert sender is not None, "the keys of nobody fit nothing"
    request.state.handed = Handed(body)
    if (kind := content_type(headers)) != _KIND:
        raise wrong_type(kind, _KIND)
    limiter: Limiter = request.app.state.limiter
    limit = Limit("webhooks", request.app.state.context.settings.api_intake_rate)
    request.state.rate = limiter.take(limit, f"webhook {sender.source.name}")
    rules: SenderRules = request.app.state.rules
    event = sender.source.event(parse_value(body), signed, rules.now())
    intake: Intake = request.app.state.intake
    return kept([event], await intake.accept([event], len(body)))


def _is_ping(request: Request, body: bytes) -> bool:
    """Whether WooCommerce tries an address before it saves a webhook.

    It does not sign that, and takes nothing but 200 for an answer; it has no effect here, and says
    nothing of whom we know: any name is answered so.
    """
    return _PING.fullmatch(body) is not None and "x-wc-webhook-signature" not in request.headers


def _verified(
    senders: Senders, sender: Sender | None, request: Request, body: bytes
) -> tuple[Signed, Mapping[str, str]]:
    """What is known by the signature, and the headers that it came in."""
    try:
        headers = plain_headers(request)
        scheme = scheme_of(headers)
        keys = senders.keys_for(sender, scheme)
        return verify(scheme, keys, headers, body, utc_now()), headers
    except (InvalidMessage, Refused) as error:
        raise Refused(401, "bad-signature", error.what, hint=error.hint) from None
