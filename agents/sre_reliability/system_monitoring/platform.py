"""Looks at what we ourselves stand on: the store's database and the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter

from agents.sre_reliability.system_monitoring.assessment import DatabaseHealth
from blocks.errors import LedgerError, SourceTimeout, SourceUnavailable
from blocks.ledger import Ledger
from blocks.store.block import StoreDatabase
from blocks.vocabulary.findings import Finding, Remedy
from blocks.vocabulary.messages import Severity

STORE_BUDGET_MS = 1000.0
"""A trivial query, connecting included, should not take longer."""

LEDGER_BUDGET_MS = 1000.0
"""Making what is queued durable should not take longer."""


async def check_store(
    store: StoreDatabase, deadline: float
) -> tuple[DatabaseHealth, Finding | None]:
    """Connect to the store's database and have it answer a trivial query in time."""
    try:
        async with asyncio.timeout(deadline):
            check = await store.check()
    except TimeoutError:
        return DatabaseHealth(), _store_down(store, f"No answer within {deadline:g} s.", "")
    except (SourceUnavailable, SourceTimeout) as error:
        return DatabaseHealth(), _store_down(store, error.what, error.hint)
    health = DatabaseHealth(
        store_latency_ms=check.latency_ms, store_clock_skew_s=check.clock_skew_s
    )
    if check.latency_ms <= STORE_BUDGET_MS:
        return health, None
    return health, Finding(
        kind="database-slow",
        resource=f"store:{store.name}",
        severity=Severity.WARNING,
        title=f"The database of {store.name} takes {check.latency_ms:.0f} ms for a trivial query",
        evidence={"latency_ms": check.latency_ms, "budget_ms": STORE_BUDGET_MS},
        advice="Look for long transactions, locks and load on its server.",
    )


async def check_ledger(ledger: Ledger, deadline: float) -> tuple[DatabaseHealth, Finding | None]:
    """Have the ledger make durable what is queued, and say which schema it has.

    A call through an agent has its own message and attempt queued, so that this is a real write.
    """
    began = perf_counter()
    try:
        async with asyncio.timeout(deadline):
            await ledger.flush()
            latency_ms = (perf_counter() - began) * 1000
            schema = await ledger.schema_version()
    except TimeoutError:
        return _unwritable("ledger-unavailable", f"It was not done within {deadline:g} s.", "")
    except LedgerError as error:
        return _unwritable(error.code, error.what, error.hint)
    health = DatabaseHealth(
        ledger_writable=True,
        ledger_latency_ms=latency_ms,
        ledger_schema=schema,
        ledger_size_mb=_size_mb(ledger.path) if ledger.path else None,
    )
    if latency_ms <= LEDGER_BUDGET_MS:
        return health, None
    return health, Finding(
        kind="ledger-slow",
        resource="ledger:local",
        severity=Severity.WARNING,
        title=f"The ledger takes {latency_ms:.0f} ms to make an entry durable",
        evidence={"latency_ms": latency_ms, "budget_ms": LEDGER_BUDGET_MS},
        advice="Put it on a local disk; look for what else writes to that disk.",
    )


def _unwritable(error: str, detail: str, hint: str) -> tuple[DatabaseHealth, Finding]:
    return DatabaseHealth(ledger_writable=False), Finding(
        kind="ledger-unwritable",
        resource="ledger:local",
        severity=Severity.CRITICAL,
        title="The ledger cannot be written: nothing we do is recorded",
        evidence={"error": error, "detail": detail},
        advice=hint or "See who holds its lock, and check its disk and its rights.",
    )


def _store_down(store: StoreDatabase, detail: str, hint: str) -> Finding:
    # Kind and resource are those of the Integration Specialist's finding: one problem, not two.
    return Finding(
        kind="store-unreachable",
        resource=f"store:{store.name}",
        severity=Severity.CRITICAL,
        title=f"The database of {store.name} does not answer",
        evidence={"detail": detail},
        advice=hint or "See the database's own log.",
        remedy=Remedy(agent="sre-reliability", action="refetch_snapshot"),
    )


def _size_mb(file: Path) -> float:
    parts = [file, file.with_name(f"{file.name}-wal")]
    return sum(part.stat().st_size for part in parts if part.exists()) / 1e6


def merge(parts: Iterable[DatabaseHealth | None]) -> DatabaseHealth | None:
    """The readings of several parts as one; None when there is none."""
    known = [part.model_dump(exclude_none=True) for part in parts if part is not None]
    if not known:
        return None
    return DatabaseHealth(**{key: value for part in known for key, value in part.items()})
