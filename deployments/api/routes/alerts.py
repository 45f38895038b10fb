"""Alerts from Prometheus' Alertmanager, from Grafana, and from others in the same shape."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from blocks.dialects import Dialect, alertmanager
from blocks.dialects.strict_json import parse
from blocks.ledger.callers.tokens import Scope
from deployments.api.http.callers import allowed, bearer
from deployments.api.http.lean import LeanRoute, content_type, plain_headers, wrong_type
from deployments.api.http.limits import Limit, Limiter
from deployments.api.http.problems import Refused, documented
from deployments.api.intake.event_bodies import ALERTS, JSON
from deployments.api.intake.intake import Intake, Kept
from deployments.api.intake.refusals import Handed
from deployments.api.intake.sender_rules import SenderRules
from deployments.api.routes.events import kept

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
    """Take a notification of Alertmanager, Grafana or the like; 202 when its alerts are durable.

    Its shape counts, not its version; unknown fields are ignored. An alert whose fingerprint was
    last heard of with the same status changes nothing; one that fires after it was resolved is a
    new outage, whatever its start. Whatever had better be sent again is answered with 503, as
    Alertmanager tries again only after 5xx.
    """
    try:
        return await _take(request)
    except Refused as refusal:
        if refusal.status == 429:
            refusal.status = 503
        raise


async def _take(request: Request) -> Response:
    caller = await allowed(request, Scope.RUN)
    request.state.sender = caller.name
    limiter: Limiter = request.app.state.limiter
    limit = Limit("events", request.app.state.context.settings.api_intake_rate)
    request.state.rate = limiter.take(limit, caller.id)
    body = await request.body()
    request.state.handed = Handed(body, dialect=Dialect.ALERTMANAGER)
    if (kind := content_type(plain_headers(request))) != JSON:
        raise wrong_type(kind, JSON)
    rules: SenderRules = request.app.state.rules
    events = alertmanager.read(parse(body, MOST_BYTES), rules.now())
    if len(events) > 1:
        request.state.rate = limiter.take_rest(limit, caller.id, len(events))
    intake: Intake = request.app.state.intake
    return kept(events, await intake.accept(events, len(body)))
