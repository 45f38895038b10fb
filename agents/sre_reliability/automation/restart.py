"""Restarting a managed service."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from agents.capability import ANYBODY, USUAL_TIMEOUT, action
from agents.sre_reliability.automation.result import RemediationResult
from agents.sre_reliability.system_monitoring.services import Look, look_at
from blocks.business.business import Business
from blocks.business.services import MonitoredService
from blocks.errors import InvalidMessage, OrchestratorError, SourceTimeout
from blocks.vocabulary.effects import Effect, EffectVerdict

GOOD_IN_A_ROW = 3
GAP = 0.5  # seconds between looks
SETTLING = 30.0
"""Seconds that a restarted service has until it must answer well."""


def _time_limit(params: Mapping[str, Any], business: Business) -> float:
    """What the command may take, and the looks before and after it; each is up to two requests."""
    managed = next((s for s in business.services if s.name == params.get("service")), None)
    if managed is None:
        return USUAL_TIMEOUT  # which is told at once
    look = 2 * managed.timeout + GAP
    return managed.restart_timeout + SETTLING + 2 * GOOD_IN_A_ROW * look


RESTART = Effect(
    precondition="the service fails now",
    prediction=f"it answers well {GOOD_IN_A_ROW} times in a row within {SETTLING:g} s",
    verified_by="its health endpoint",
    blast_radius="whoever uses the service while it restarts",
)


@action(timeout=_time_limit, effect=RESTART, resource="service:{service}", askers=ANYBODY)
async def restart_service(
    service: str, business: Business, now: datetime, idempotency_key: str = ""
) -> RemediationResult:
    """Restart a managed service that fails now, and see whether it answers well again.

    It fails when it does not answer, answers errors, or calls itself ill. It does not fail for
    being slow, for a complaint, or for metrics that cannot be read.

    Args:
        service: Name of the service.
        business: Where it is configured.
        now: When the remedy starts.
        idempotency_key: Handed on to the restart command.

    Returns:
        ``not-needed`` when it answers well three times in a row before anything is done;
        ``verified`` when it does so after the restart. ``unknown`` when the command had to be
        killed: how far it came, nobody knows.

    Raises:
        InvalidMessage: There is no such service.
        ConfigurationError: Its addresses are unusable.
    """
    managed = _find(service, business)
    began = monotonic()
    before = await _watch(managed, now, patience=0.0)
    after: list[Look] = []
    if _settled(before):
        status, seen = EffectVerdict.NOT_NEEDED, before[-1].condition
        detail = (
            f"{service} answers well again by itself."
            if seen == "ok"
            else f"{service} is {seen}, which is no failure: it is left alone."
        )
    elif not managed.restart:
        status, detail = EffectVerdict.FAILED, f"{service} has no restart command."
    else:
        try:
            await managed.restart_now(idempotency_key)
        except SourceTimeout as error:
            after = [await look_at(managed, now)]
            status = EffectVerdict.UNKNOWN
            detail = f"{error.what} {service} is {after[-1].condition} now."
        except OrchestratorError as error:
            status, detail = EffectVerdict.FAILED, str(error)
            after = [await look_at(managed, now)]
        else:
            after = await _watch(managed, now, patience=SETTLING)
            status, detail = _verdict(service, before, after)
    return RemediationResult(
        action="restart_service",
        resource=f"service:{service}",
        status=status,
        acted=bool(after),
        detail=detail,
        before=_measured(before),
        after=_measured(after) if after else {},
        seconds=round(monotonic() - began, 1),
    )


def _find(service: str, business: Business) -> MonitoredService:
    found = next((s for s in business.services if s.name == service), None)
    if found is None:
        known = ", ".join(s.name for s in business.services) or "none"
        raise InvalidMessage(f"There is no service {service!r}.", hint=f"Configured: {known}.")
    return found


async def _watch(service: MonitoredService, now: datetime, patience: float) -> list[Look]:
    """Look until it answered well GOOD_IN_A_ROW times, or did not once patience is over."""
    began = monotonic()
    looks: list[Look] = []
    while True:
        looks.append(await look_at(service, now + timedelta(seconds=monotonic() - began)))
        if _settled(looks) or (not looks[-1].good and monotonic() - began >= patience):
            return looks
        await asyncio.sleep(GAP)


def _settled(looks: Sequence[Look]) -> bool:
    last = looks[-GOOD_IN_A_ROW:]
    return len(last) == GOOD_IN_A_ROW and all(look.good for look in last)


def _verdict(
    service: str, before: Sequence[Look], after: Sequence[Look]
) -> tuple[EffectVerdict, str]:
    was, now_is = before[-1].condition, after[-1]
    if _settled(after):
        return (
            EffectVerdict.VERIFIED,
            f"{service} was {was}; it was restarted and answers well.",
        )
    if good := sum(look.good for look in after):
        return (
            EffectVerdict.INCONCLUSIVE,
            f"After the restart {service} answered well {good} of {len(after)} times.",
        )
    return (
        EffectVerdict.INEFFECTIVE,
        f"{service} was restarted and is still {now_is.condition}: {now_is.detail}",
    )


def _measured(looks: Sequence[Look]) -> dict[str, Any]:
    last = looks[-1]
    return {
        "condition": last.condition,
        "looks": len(looks),
        "good": sum(look.good for look in looks),
        "http_status": last.probe.status,
        "latency_ms": last.probe.latency_ms,
        "detail": last.detail,
    }
