"""The health of every connection: reached, authenticated, and answering what it promises."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from agents.capability import action
from blocks.business import Business
from blocks.errors import (
    ConfigurationError,
    OrchestratorError,
    SourceError,
    SourceGarbled,
    SourceRefused,
    SourceTimeout,
)
from blocks.findings import Finding, Remedy
from blocks.messages import Severity
from blocks.partners import SupplierConnection
from blocks.services import MonitoredService
from blocks.store_reader import FrameSample
from blocks.stores import STORE_FRAMES, StoreDatabase

CLOCK_SKEW_LIMIT_S = 60.0
"""Clocks further apart than this are reported: signatures and tokens fail at about 300 s."""

SAMPLE_ROWS = 1000
"""How many of the newest rows of each frame are held against its contract."""


class ConnectionCheck(BaseModel):
    """What one connection answered. None means: not looked at, or cannot be known.

    Attributes:
        name: The connection's name.
        kind: What it connects to.
        reached: It answered.
        authenticated: It knows us.
        shape_ok: Its answer is what the connection promises.
        latency_ms: Time to its complete answer.
        clock_skew_s: Its clock minus ours.
        rows: How many rows it gave.
        detail: What is wrong or noteworthy, in words.
    """

    name: str
    kind: Literal["store", "supplier", "service"]
    reached: bool
    authenticated: bool | None = None
    shape_ok: bool | None = None
    latency_ms: float | None = None
    clock_skew_s: float | None = None
    rows: int | None = None
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing that was looked at is wrong."""
        return self.reached and self.authenticated is not False and self.shape_ok is not False


class IntegrationReport(BaseModel):
    """All connections, and what is wrong with those to the store and the suppliers.

    Services appear among the checks only: what is wrong with them is for sre-reliability to say.
    """

    checked_at: datetime
    checks: list[ConnectionCheck]
    findings: list[Finding]


_Checked = tuple[ConnectionCheck, list[Finding]]


@action(timeout=60, retries=1)
async def check_integrations(business: Business, now: datetime) -> IntegrationReport:
    """See quickly whether every connection is reached and knows us.

    Args:
        business: Whose connections.
        now: The instant of the check.
    """
    return await _check_all(business, now, deep=False)


@action(timeout=90, retries=1)
async def validate_all_integrations(business: Business, now: datetime) -> IntegrationReport:
    """Ask every connection for its data, and hold the answer against what it promises.

    Measures latency and clock skew. All at once; one that fails or hangs does not hurt others.

    Args:
        business: Whose connections.
        now: The instant of the check.
    """
    return await _check_all(business, now, deep=True)


async def _check_all(business: Business, now: datetime, *, deep: bool) -> IntegrationReport:
    pending: list[Awaitable[_Checked]] = []
    if business.store:
        pending.append(_guarded("store", business.store.name, _check_store, business.store, deep))
    look = _validate_supplier if deep else _check_supplier
    pending += [_guarded("supplier", s.name, look, s, now) for s in business.suppliers]
    pending += [
        _guarded("service", s.name, _check_service, s, now, deep) for s in business.services
    ]
    results = await asyncio.gather(*pending)
    return IntegrationReport(
        checked_at=now,
        checks=[check for check, _ in results],
        findings=[finding for _, findings in results for finding in findings],
    )


async def _guarded(
    kind: Literal["store", "supplier", "service"],
    name: str,
    check: Callable[..., Awaitable[_Checked]],
    *args: Any,
) -> _Checked:
    """The check's result; a failure becomes part of it, whatever the error says it is."""
    try:
        result, findings = await check(*args)
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
        findings = [_failure(kind, name, error)]
    if kind == "service":
        return result, []
    return result, findings + _clock_finding(result)


async def _check_store(store: StoreDatabase, deep: bool) -> _Checked:
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
    return result, _store_findings(store.name, check.samples)


def _store_findings(name: str, samples: list[FrameSample]) -> list[Finding]:
    unreadable = {sample.name: sample.error for sample in samples if sample.error}
    if not unreadable:
        return []
    return [
        Finding(
            kind="store-incomplete",
            resource=f"store:{name}",
            severity=Severity.ERROR,
            title=f"The store's {' and '.join(unreadable)} cannot be read",
            evidence=unreadable,
            advice="Correct the mapping of the store, or the table it names.",
        )
    ]


async def _check_supplier(supplier: SupplierConnection, now: datetime) -> _Checked:
    answer = await supplier.check()
    result = ConnectionCheck(
        name=supplier.name,
        kind="supplier",
        reached=True,
        authenticated=True,
        latency_ms=round(answer.latency_ms, 1),
        clock_skew_s=answer.clock_skew_s,
    )
    return result, _slow_finding(supplier, answer.latency_ms)


async def _validate_supplier(supplier: SupplierConnection, now: datetime) -> _Checked:
    answer = await supplier.fetch_offers(now)
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
    findings = _slow_finding(supplier, answer.latency_ms)
    if answer.problems:
        usable = len(answer.frame)
        findings.append(
            Finding(
                kind="supplier-incomplete",
                resource=f"supplier:{supplier.name}",
                severity=Severity.WARNING if usable else Severity.ERROR,
                title=f"Of {answer.rows} offers of {supplier.name}, {usable} are usable",
                evidence={"problems": [str(problem) for problem in answer.problems]},
                advice="Tell the supplier; until then its other offers are used.",
            )
        )
    return result, findings


async def _check_service(service: MonitoredService, now: datetime, deep: bool) -> _Checked:
    probe = await service.probe(now)
    reached, details = probe.status is not None, [probe.detail]
    samples: dict[str, float] | None = None
    if deep and reached and service.metrics_url:
        try:
            samples = await service.scrape()
        except SourceError as error:
            samples, details = {}, [probe.detail, error.what]
    result = ConnectionCheck(
        name=service.name,
        kind="service",
        reached=reached,
        authenticated=None if probe.status is None else probe.status not in (401, 403),
        shape_ok=None if samples is None else bool(samples),
        latency_ms=probe.latency_ms,
        clock_skew_s=probe.clock_skew_s,
        rows=None if samples is None else len(samples),
        detail="; ".join(filter(None, details)),
    )
    return result, []


def _slow_finding(supplier: SupplierConnection, latency_ms: float) -> list[Finding]:
    if latency_ms <= supplier.latency_budget_ms:
        return []
    return [
        Finding(
            kind="supplier-slow",
            resource=f"supplier:{supplier.name}",
            severity=Severity.WARNING,
            title=f"{supplier.name} took {latency_ms:.0f} ms to answer",
            evidence={
                "latency_ms": round(latency_ms, 1),
                "budget_ms": supplier.latency_budget_ms,
            },
            advice="Orders to it may time out; prefer another supplier while it lasts.",
        )
    ]


def _clock_finding(check: ConnectionCheck) -> list[Finding]:
    skew = check.clock_skew_s
    if skew is None or abs(skew) <= CLOCK_SKEW_LIMIT_S:
        return []
    return [
        Finding(
            kind="clock-skew",
            resource=f"{check.kind}:{check.name}",
            severity=Severity.WARNING,
            title=f"The clock of {check.name} is {abs(skew):.0f} s "
            f"{'ahead of' if skew > 0 else 'behind'} ours",
            evidence={"clock_skew_s": round(skew, 1), "limit_s": CLOCK_SKEW_LIMIT_S},
            advice="Check time synchronisation on both sides, ours first.",
        )
    ]


def _failure(kind: str, name: str, error: OrchestratorError) -> Finding:
    what = _manner(error)
    unreachable_store = kind == "store" and what == "unreachable"
    return Finding(
        kind=f"{kind}-{what}",
        resource=f"{kind}:{name}",
        severity=Severity.CRITICAL if kind == "store" else Severity.ERROR,
        title=_TITLES[what].format(name=name),
        evidence={
            "error": error.code,
            "detail": error.what,
            "timed_out": isinstance(error, SourceTimeout),
        },
        advice=error.hint,
        remedy=Remedy(agent="sre-reliability", action="refetch_snapshot")
        if unreachable_store
        else None,
    )


_TITLES = {
    "refused": "{name} refuses us",
    "garbled": "{name} answers something else than it promises",
    "misconfigured": "The connection to {name} is not configured as it must be",
    "unreachable": "{name} does not answer",
}


def _manner(error: OrchestratorError) -> str:
    match error:
        case SourceRefused():
            return "refused"
        case SourceGarbled():
            return "garbled"
        case ConfigurationError():
            return "misconfigured"
    return "unreachable"
