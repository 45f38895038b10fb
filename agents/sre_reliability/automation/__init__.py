"""Remedies that may be tried without asking a person: each is measured before and after.

A remedy checks first that it is still needed, says which change it predicts, acts, and then looks
whether the change came. A remedy that completed and changed nothing is ineffective.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agents.capability import action
from agents.sre_reliability.automation.policy import HISTORY, Reason, reason_not_to_act
from agents.sre_reliability.system_monitoring.services import condition
from blocks.business import Business
from blocks.errors import InvalidMessage, OrchestratorError
from blocks.ledger.records import RemediationStatus
from blocks.services import MonitoredService, ServiceProbe

__all__ = ["HISTORY", "Reason", "RemediationResult", "reason_not_to_act", "restart_service"]

GOOD_IN_A_ROW = 3
PROBE_GAP = 0.5  # seconds
SETTLING = 30.0
"""Seconds that a restarted service has to answer well GOOD_IN_A_ROW times."""


class RemediationResult(BaseModel):
    """What one remedy did, and how it is known.

    Attributes:
        action: Name of the remedy.
        resource: What it acted on, ``type:name``.
        status: ``not-needed``: the precondition did not hold, nothing was done. ``verified``: the
            predicted change came. ``ineffective``: it was done, and nothing changed.
            ``inconclusive``: it was done, and the measurements don't tell. ``failed``: it could
            not be done.
        acted: Whether anything outside was changed.
        prediction: The change that was predicted.
        detail: What happened, in one sentence.
        before: Measurements before acting.
        after: Measurements after acting.
        seconds: Time from the first measurement to the last.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: str
    resource: str
    status: RemediationStatus
    acted: bool
    prediction: str
    detail: str
    before: dict[str, Any] = Field(default_factory=dict)
    after: dict[str, Any] = Field(default_factory=dict)
    seconds: float = 0.0


@action(timeout=120, effect=True)
async def restart_service(service: str, business: Business, now: datetime) -> RemediationResult:
    """Restart a managed service that fails now, and see whether it answers well again.

    Args:
        service: Name of the service.
        business: Where it is configured.
        now: When the remedy starts.

    Returns:
        ``not-needed`` when the service answers well three times before anything is done;
        ``verified`` when it does so after the restart.

    Raises:
        InvalidMessage: There is no such service.
    """
    managed = _find(service, business)
    began = monotonic()
    before = await _probe_until_settled(managed, now, deadline=0.0)

    def result(
        status: RemediationStatus, detail: str, after: list[ServiceProbe] | None = None
    ) -> RemediationResult:
        return RemediationResult(
            action="restart_service",
            resource=f"service:{service}",
            status=status,
            acted=after is not None,
            prediction=f"{service} answers well {GOOD_IN_A_ROW} times in a row, "
            f"within {managed.latency_budget_ms:g} ms each",
            detail=detail,
            before=_measured(before),
            after=_measured(after) if after else {},
            seconds=round(monotonic() - began, 1),
        )

    if _settled(before):
        return result(RemediationStatus.NOT_NEEDED, f"{service} answers well again by itself.")
    if not managed.restart:
        return result(RemediationStatus.FAILED, f"{service} has no restart command.")
    try:
        await managed.restart_now()
    except OrchestratorError as error:
        seen = [await managed.probe(now)]
        return result(RemediationStatus.FAILED, str(error), seen)
    after = await _probe_until_settled(managed, now, deadline=SETTLING)
    return result(*_verdict(service, before, after), after)


def _find(service: str, business: Business) -> MonitoredService:
    found = next((s for s in business.services if s.name == service), None)
    if found is None:
        known = ", ".join(s.name for s in business.services) or "none"
        raise InvalidMessage(f"There is no service {service!r}.", hint=f"Configured: {known}.")
    return found


async def _probe_until_settled(
    service: MonitoredService, now: datetime, deadline: float
) -> list[ServiceProbe]:
    """Probe until it answered well GOOD_IN_A_ROW times in a row, or the deadline is over.

    With a deadline of 0 the first bad answer ends it.
    """
    began, looks = monotonic(), list[ServiceProbe]()
    while True:
        looks.append(await service.probe(now + timedelta(seconds=monotonic() - began)))
        good = condition(looks[-1]) == "ok"
        if _settled(looks) or (not good and monotonic() - began >= deadline):
            return looks
        await asyncio.sleep(PROBE_GAP)


def _settled(looks: list[ServiceProbe]) -> bool:
    last = looks[-GOOD_IN_A_ROW:]
    return len(last) == GOOD_IN_A_ROW and all(condition(look) == "ok" for look in last)


def _verdict(
    service: str, before: list[ServiceProbe], after: list[ServiceProbe]
) -> tuple[RemediationStatus, str]:
    if _settled(after):
        was = condition(before[-1])
        return (
            RemediationStatus.VERIFIED,
            f"{service} was {was} and answers well since the restart.",
        )
    good = sum(condition(look) == "ok" for look in after)
    if good:
        return (
            RemediationStatus.INCONCLUSIVE,
            f"After the restart {service} answered well {good} of {len(after)} times.",
        )
    return (
        RemediationStatus.INEFFECTIVE,
        f"{service} was restarted and is still {condition(after[-1])}: "
        f"{after[-1].detail or 'over its latency budget'}.",
    )


def _measured(looks: list[ServiceProbe]) -> dict[str, Any]:
    last = looks[-1]
    return {
        "looks": len(looks),
        "good": sum(condition(look) == "ok" for look in looks),
        "condition": condition(last),
        "http_status": last.status,
        "latency_ms": last.latency_ms,
        "detail": last.detail,
    }
