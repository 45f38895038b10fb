"""Alerts from Prometheus' Alertmanager, from Grafana, and from others in the same shape."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Depends, Request, Response

from blocks.dialects import Dialect, alertmanager
from blocks.dialects.strict_json import parse
from blocks.policy.alert_rules import AlertRules
from blocks.vocabulary.messages import SystemEvent
from deployments.api.http.callers import bearer
from deployments.api.http.lean import LeanRoute, content_type, wrong_type
from deployments.api.http.problems import Refused, documented
from deployments.api.intake.event_bodies import ALERTS, JSON
from deployments.api.intake.intake import Kept
from deployments.api.routes.events import take

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
        return await take(request, _read, Dialect.ALERTMANAGER)
    except Refused as refusal:
        if refusal.status == 429:
            refusal.status = 503
        raise


def _read(headers: Mapping[str, str], body: bytes, rules: AlertRules) -> list[SystemEvent]:
    if (kind := content_type(headers)) != JSON:
        raise wrong_type(kind, JSON)
    return alertmanager.read(parse(body, MOST_BYTES), rules)
