"""Alerts from Prometheus' Alertmanager (webhook version 4)."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from blocks.dialects import alertmanager
from blocks.dialects.strict_json import parse
from blocks.ledger.tokens import Scope
from deployments.api.callers import allowed, bearer
from deployments.api.event_bodies import ALERTS, JSON
from deployments.api.events import kept
from deployments.api.intake import Intake, Kept
from deployments.api.lean import LeanRoute, content_type, plain_headers, wrong_type
from deployments.api.limits import Limit, Limiter
from deployments.api.problems import Refused, documented

MOST_BYTES = 2 * 1024**2
"""Of a notification. Alertmanager puts a whole group into one, and drops what is refused."""

router = APIRouter(tags=["events"], route_class=LeanRoute)


@router.post(
    "/alerts",
    status_code=202,
    response_model=Kept,
    responses=documented(400, 413, 415, 422),
    dependencies=[Depends(bearer)],
    openapi_extra={"requestBody": ALERTS},
)
async def post_alerts(request: Request) -> Response:
    """Take a notification of Alertmanager; 202 when its alerts are durable.

    Unknown fields are ignored. An alert of known group, fingerprint, start and status changes
    nothing. Whatever Alertmanager had better send again is answered with 503, as it tries again
    only after 5xx.
    """
    try:
        return await _take(request)
    except Refused as refusal:
        if refusal.status == 429:
            refusal.status = 503
        raise


async def _take(request: Request) -> Response:
    caller = await allowed(request, Scope.RUN)
    limiter: Limiter = request.app.state.limiter
    limit = Limit("events", request.app.state.context.settings.api_intake_rate)
    request.state.rate = limiter.take(limit, caller.id)
    if (kind := content_type(plain_headers(request))) != JSON:
        raise wrong_type(kind, JSON)
    body = await request.body()
    events = alertmanager.read(parse(body, MOST_BYTES))
    if len(events) > 1:
        request.state.rate = limiter.take_rest(limit, caller.id, len(events))
    intake: Intake = request.app.state.intake
    return kept(events, await intake.accept(events, len(body)))
