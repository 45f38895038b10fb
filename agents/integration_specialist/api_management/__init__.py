"""The health of every connection: reached, authenticated, and answering what it promises."""

from __future__ import annotations

import asyncio
from datetime import datetime

from agents.capability import ANYBODY, action
from agents.integration_specialist.api_management.connections import check
from agents.integration_specialist.api_management.performance_context import (
    PerformanceContext,
    context_of,
)
from agents.integration_specialist.api_management.report import IntegrationReport
from blocks.business.business import Business
from blocks.business.connections import connections_of, find_connection

_QUICK, _DEEP = 50.0, 80.0
"""Seconds that one connection may take, so that it cannot use up the time of the whole check."""


@action(timeout=_QUICK + 10, retries=1, askers=ANYBODY)
async def check_integrations(business: Business, now: datetime) -> IntegrationReport:
    """See quickly whether every connection is reached and knows us.

    Args:
        business: Whose connections.
        now: The instant of the check.
    """
    return await _check_all(business, now, deep=False)


@action(timeout=_DEEP + 10, retries=1, askers=ANYBODY)
async def validate_all_integrations(business: Business, now: datetime) -> IntegrationReport:
    """Ask every connection for its data, and hold the answer against what it promises.

    Measures latency and clock skew. All at once; one that fails or hangs does not hurt others.

    Args:
        business: Whose connections.
        now: The instant of the check.
    """
    return await _check_all(business, now, deep=True)


@action(timeout=_QUICK + 10, retries=1, askers=ANYBODY)
async def prepare_performance_context(
    business: Business, now: datetime, service: str | None = None
) -> PerformanceContext:
    """Measure latency and clock of every connection now, for whoever diagnoses slowness.

    Args:
        business: Whose connections.
        now: The instant of the check.
        service: The service that is said to be slow. All connections are measured all the same:
            whether others are slow too is what the diagnosis wants to know.

    Raises:
        InvalidMessage: There is no such service.
    """
    if service is not None:
        find_connection(business, f"service:{service}")
    return context_of(await _check_all(business, now, deep=False), business, now)


async def _check_all(business: Business, now: datetime, *, deep: bool) -> IntegrationReport:
    limit = _DEEP if deep else _QUICK
    results = await asyncio.gather(
        *(check(each, now, limit, deep=deep) for each in connections_of(business))
    )
    return IntegrationReport(
        checked_at=now,
        checks=[check for check, _ in results],
        findings=[finding for _, findings in results for finding in findings],
    )
