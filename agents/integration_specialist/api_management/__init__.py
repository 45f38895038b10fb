"""The health of every connection: reached, authenticated, and answering what it promises."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime

from agents.capability import action
from agents.integration_specialist.api_management.connections import (
    Checked,
    check_service,
    check_store,
    check_supplier,
    guarded,
    validate_supplier,
)
from agents.integration_specialist.api_management.report import ConnectionCheck, IntegrationReport
from blocks.business import Business

__all__ = [
    "ConnectionCheck",
    "IntegrationReport",
    "check_integrations",
    "validate_all_integrations",
]


_QUICK, _DEEP = 50.0, 80.0
"""Seconds that one connection may take, so that it cannot use up the time of the whole check."""


@action(timeout=_QUICK + 10, retries=1)
async def check_integrations(business: Business, now: datetime) -> IntegrationReport:
    """See quickly whether every connection is reached and knows us.

    Args:
        business: Whose connections.
        now: The instant of the check.
    """
    return await _check_all(business, now, deep=False)


@action(timeout=_DEEP + 10, retries=1)
async def validate_all_integrations(business: Business, now: datetime) -> IntegrationReport:
    """Ask every connection for its data, and hold the answer against what it promises.

    Measures latency and clock skew. All at once; one that fails or hangs does not hurt others.

    Args:
        business: Whose connections.
        now: The instant of the check.
    """
    return await _check_all(business, now, deep=True)


async def _check_all(business: Business, now: datetime, *, deep: bool) -> IntegrationReport:
    pending: list[Awaitable[Checked]] = []
    limit = _DEEP if deep else _QUICK
    if store := business.store:
        pending.append(guarded("store", store.name, limit, check_store, store, deep))
    look = validate_supplier if deep else check_supplier
    pending += [guarded("supplier", s.name, limit, look, s, now) for s in business.suppliers]
    pending += [
        guarded("service", s.name, limit, check_service, s, now, deep) for s in business.services
    ]
    results = await asyncio.gather(*pending)
    return IntegrationReport(
        checked_at=now,
        checks=[check for check, _ in results],
        findings=[finding for _, findings in results for finding in findings],
    )
