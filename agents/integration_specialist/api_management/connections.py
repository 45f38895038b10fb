"""One look at one connection: what came of it, and what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from agents.integration_specialist.api_management.findings import (
    clock,
    failure,
    slow,
    unreadable_frames,
    unusable_offers,
)
from agents.integration_specialist.api_management.report import ConnectionCheck
from blocks.business.connections import Connection, Kind
from blocks.business.services import MonitoredService
from blocks.business.suppliers import SupplierConnection
from blocks.errors import OrchestratorError, SourceGarbled, SourceRefused, SourceTimeout
from blocks.store.block import StoreDatabase
from blocks.store.mapping import STORE_FRAMES
from blocks.vocabulary.findings import Finding

SAMPLE_ROWS = 1000
"""How many of the newest rows of each frame are held against its contract."""

Checked = tuple[ConnectionCheck, list[Finding]]


async def check(connection: Connection, now: datetime, deadline: float, *, deep: bool) -> Checked:
    """Look once at any connection; see ``guarded``."""
    kind, name = connection.kind, connection.name
    match connection.block:
        case StoreDatabase() as store:
            return await guarded(kind, name, deadline, check_store, store, deep)
        case SupplierConnection() as supplier:
            look = validate_supplier if deep else check_supplier
            return await guarded(kind, name, deadline, look, supplier, now)
        case MonitoredService() as service:
            return await guarded(kind, name, deadline, check_service, service, now, deep)


async def guarded(
    kind: Kind,
    name: str,
    deadline: float,
    check: Callable[..., Awaitable[Checked]],
    *args: Any,
) -> Checked:
    """The check's result; a failure becomes part of it, whatever the error says it is.

    ``deadline`` (seconds) bounds connections whose own time limits are longer than ours.
    """
    try:
        result, findings = await _in_time(check(*args), deadline, f"{kind} {name!r}")
    except OrchestratorError as error:
        reached = isinstance(error, SourceRefused | SourceGarbled)
        result = ConnectionCheck(
            name=name,
            kind=kind,
            reached=reached,
            authenticated=not isinstance(error, SourceRefused) if reached else None,
            shape_ok=False if isinstance(error, SourceGarbled) else None,
            detail=error.what,
        )
        findings = [failure(kind, name, error)]
    if kind == "service":
        return result, []
    return result, findings + clock(result)


async def _in_time(checking: Awaitable[Checked], deadline: float, who: str) -> Checked:
    try:
        async with asyncio.timeout(deadline):
            return await checking
    except TimeoutError:
        raise SourceTimeout(
            f"{who} was not done within {deadline:g} s.", hint="Lower its own time limit."
        ) from None


async def check_store(store: StoreDatabase, deep: bool) -> Checked:
    """Connect to the store; when ``deep``, hold its newest rows against their contracts."""
    check = await store.check(SAMPLE_ROWS if deep else 0)
    unreadable = {s.name: s.error for s in check.samples if s.error}
    absent = [name for name in STORE_FRAMES if name not in store.frames]
    details = [f"{name}: {error}" for name, error in unreadable.items()]
    details += [str(problem) for sample in check.samples for problem in sample.problems]
    details += [f"{name} is not mapped" for name in absent]
    result = ConnectionCheck(
        name=store.name,
        kind="store",
        reached=True,
        authenticated=True,
        shape_ok=not unreadable if deep else None,
        latency_ms=round(check.latency_ms, 1),
        clock_skew_s=check.clock_skew_s,
        rows=sum(sample.seen for sample in check.samples) if deep else None,
        detail="; ".join(details) if deep else "",
    )
    return result, unreadable_frames(store.name, check.samples)


async def check_supplier(supplier: SupplierConnection, now: datetime) -> Checked:
    """Make the supplier's cheapest request."""
    answer = await supplier.check()
    result = ConnectionCheck(
        name=supplier.name,
        kind="supplier",
        reached=True,
        authenticated=True,
        latency_ms=round(answer.latency_ms, 1),
        clock_skew_s=answer.clock_skew_s,
    )
    return result, slow(supplier, answer.latency_ms)


async def validate_supplier(supplier: SupplierConnection, now: datetime) -> Checked:
    """Fetch the supplier's offers and hold them against their contract."""
    answer = await supplier.look_at_offers(now)
    result = ConnectionCheck(
        name=supplier.name,
        kind="supplier",
        reached=True,
        authenticated=True,
        shape_ok=not answer.frame.empty,
        latency_ms=round(answer.latency_ms, 1),
        clock_skew_s=answer.clock_skew_s,
        rows=answer.rows,
        detail="; ".join(map(str, answer.problems)),
    )
    return result, [*slow(supplier, answer.latency_ms), *unusable_offers(answer)]


async def check_service(service: MonitoredService, now: datetime, deep: bool) -> Checked:
    """Probe the service; when ``deep``, read its metrics too.

    Metrics that cannot be read are a note: the service promises its health, not their shape.
    """
    probe = await service.probe(now)
    reached, details = probe.status is not None, [probe.detail]
    samples: dict[str, float] = {}
    if deep and reached and service.metrics_url:
        try:
            seen = await service.scrape()
            samples, problem = seen.samples, seen.problem
        except OrchestratorError as error:
            problem = error.what
        details += [f"its metrics cannot be read: {problem}" if problem else ""]
    result = ConnectionCheck(
        name=service.name,
        kind="service",
        reached=reached,
        authenticated=None if probe.status is None else probe.status not in (401, 403),
        shape_ok=bool(samples) or None,
        healthy=probe.healthy if reached else None,
        latency_ms=probe.latency_ms,
        clock_skew_s=probe.clock_skew_s,
        rows=len(samples) or None,
        detail="; ".join(filter(None, details)),
    )
    return result, []
