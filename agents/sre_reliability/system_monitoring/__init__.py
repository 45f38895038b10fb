"""Watches the business's services and our own platform, and says in one assessment how they are.

Everything is looked at at once, each part under its own deadline. A part that cannot be looked at
never sinks the others: it becomes a finding and a note of what is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pandas as pd
import psutil

from agents.capability import ANYBODY, action
from agents.sre_reliability.system_monitoring import (
    assessment,
    host,
    platform,
    services,
)
from agents.sre_reliability.system_monitoring.assessment import (
    DatabaseHealth,
    HealthAssessment,
    HostHealth,
    ServiceHealth,
)
from agents.sre_reliability.system_monitoring.own_history import History
from agents.sre_reliability.system_monitoring.prefect_itself.database import (
    growth_per_day,
    judge_database,
)
from agents.sre_reliability.system_monitoring.prefect_itself.runs import judge_prefect
from agents.sre_reliability.system_monitoring.prefect_itself.watch import SIZE
from blocks.business.business import Business
from blocks.business.services import MonitoredService
from blocks.errors import OrchestratorError, SourceError
from blocks.ledger import Ledger
from blocks.prefect_api.client import PrefectApi, PrefectHealth
from blocks.prefect_api.database import read_database
from blocks.settings import get_settings
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Severity

HISTORY_HOURS = 7 * 24
RHYTHM_HOURS = 28 * 24
"""Of so many a week's rhythm is known: three earlier days of each weekday, and the last one."""

_STORE_DEADLINE, _LEDGER_DEADLINE, _HOST_DEADLINE = 8.0, 8.0, 8.0
_SERVICE_DEADLINE, _HISTORY_DEADLINE = 28.0, 20.0
"""A service is asked twice in a row, then for its metrics; each time it has at most 9 s."""

_DAY = timedelta(days=1)

T = TypeVar("T")


@action(timeout=30, askers=ANYBODY)
async def assess_health(business: Business, now: datetime) -> HealthAssessment:
    """A quick look: does every service answer, and is this machine well?

    Args:
        business: Whose services are probed.
        now: The instant of the check.

    Returns:
        An assessment without ``database``, ``prefect`` and a look at metrics' history.
    """
    check = _Check(now)
    await asyncio.gather(check.services(business), check.host(get_settings().state_dir))
    return check.assessment()


@action(timeout=60, askers=ANYBODY)
async def comprehensive_health_check(
    business: Business, ledger: Ledger, prefect: PrefectApi, now: datetime
) -> HealthAssessment:
    """Services with their metrics and history, host, databases, and Prefect itself.

    Args:
        business: Whose services and store are looked at.
        ledger: Our own database.
        prefect: The Prefect server that runs us.
        now: The instant of the check.

    Returns:
        A complete assessment; what could not be looked at is named in ``missing``.
    """
    check = _Check(now)
    await asyncio.gather(
        check.services(business, ledger.samples.history),
        check.host(ledger.path.parent if ledger.path else get_settings().state_dir),
        check.store(business),
        check.ledger(ledger),
        check.prefect(prefect),
        check.prefect_database(ledger),
    )
    return check.assessment()


@action(timeout=60, askers=ANYBODY)
async def collect_metrics(
    business: Business, ledger: Ledger, now: datetime, hours: float = HISTORY_HOURS
) -> dict[str, pd.DataFrame]:
    """The recent history of every watched metric, for a deeper look by others.

    Args:
        business: Whose services' metrics are collected.
        ledger: Has the samples of those that no Prometheus keeps.
        now: The last instant.
        hours: How far back.

    Returns:
        ``service/metric`` to a frame of contract SERIES, one sample per 5 minutes. Metrics that
        could not be had are left out.

    Raises:
        SourceError: There are watched metrics, and not one of them could be had.
    """
    answers = await asyncio.gather(
        *(
            services.watched_history(service, now, hours, ledger.samples.history)
            for service in business.services
        )
    )
    named = {
        f"{service.name}/{metric}": series
        for service, answer in zip(business.services, answers, strict=True)
        for metric, series in answer.items()
    }
    errors = [series for series in named.values() if isinstance(series, OrchestratorError)]
    if errors and len(errors) == len(named):
        raise errors[0]
    return {name: series for name, series in named.items() if isinstance(series, pd.DataFrame)}


class _Check:
    """One check in progress: its parts add what they read and what they found."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._services: list[ServiceHealth] = []
        self._host: HostHealth | None = None
        self._databases: list[DatabaseHealth] = []
        self._prefect: PrefectHealth | None = None
        self._missing: list[str] = []
        self._findings: list[Finding] = []

    async def services(self, business: Business, own: History | None = None) -> None:
        if not business.services:
            self._missing.append("services: none are configured")
        await asyncio.gather(*(self._service(s, business, own) for s in business.services))
        self._services.sort(key=lambda service: service.name)

    async def host(self, folder: Path) -> None:
        reading = asyncio.to_thread(host.read_host, folder)
        self._host = await self._part("host:local", reading, _HOST_DEADLINE)

    async def store(self, business: Business) -> None:
        if business.store is None:
            self._missing.append("store: none is configured")
            return
        look = platform.check_store(business.store, _STORE_DEADLINE)
        self._database(await self._part(f"store:{business.store.name}", look, _STORE_DEADLINE + 1))

    async def ledger(self, ledger: Ledger) -> None:
        self._database(await platform.check_ledger(ledger, _LEDGER_DEADLINE))

    async def prefect_database(self, ledger: Ledger) -> None:
        read = asyncio.to_thread(read_database, get_settings(), self._now, _DAY)
        seen = await self._part("prefect:database", read, _HOST_DEADLINE)
        if seen is None:
            return
        known = await ledger.samples.history([SIZE], self._now - 7 * _DAY, self._now)
        health = DatabaseHealth(
            prefect_size_mb=seen.size_mb,
            prefect_growth_mb=growth_per_day(known[SIZE]),
            prefect_locked=seen.locked,
        )
        self._databases.append(health)
        self._findings += judge_database(seen, _DAY)

    async def prefect(self, prefect: PrefectApi) -> None:
        try:
            self._prefect = await prefect.health(self._now)
        except SourceError as error:
            self._missing.append(f"prefect: {error}")
            self._findings.append(_unreachable(error))

    def assessment(self) -> HealthAssessment:
        if self._host:
            skews = [service.clock_skew_s for service in self._services]
            skews += [database.store_clock_skew_s for database in self._databases]
            skews.append(self._prefect.clock_skew_s if self._prefect else None)
            self._host = host.with_clock(self._host, skews)
            self._findings += host.judge_host(self._host)
        if self._prefect:
            self._findings += judge_prefect(self._prefect, self._now)
        return HealthAssessment(
            checked_at=self._now,
            status=assessment.status(self._findings),
            score=assessment.score(self._findings),
            services=self._services,
            host=self._host,
            database=platform.merge(self._databases),
            prefect=self._prefect,
            missing=sorted(self._missing),
            findings=assessment.worst_first(self._findings),
        )

    async def _service(
        self, service: MonitoredService, business: Business, own: History | None
    ) -> None:
        look = services.check_service(service, self._now)
        seen = await self._part(f"service:{service.name}", look, _SERVICE_DEADLINE)
        if seen is None:
            unknown = ServiceHealth(
                name=service.name,
                healthy=False,
                status="unknown",
                budget_ms=service.latency_budget_ms,
                detail="could not be checked",
                revenue_share=service.revenue_share,
                restartable=bool(service.restart),
            )
            seen = (unknown, [])
        self._services.append(seen[0])
        self._findings += seen[1]
        if own is not None:
            works = seen[0].status not in services.ILL and seen[0].status != "unknown"
            await self._history(service, business.timezone, own, works=works)

    async def _history(
        self, service: MonitoredService, zone: str, own: History, *, works: bool
    ) -> None:
        look = services.watched_history(service, self._now, RHYTHM_HOURS, own)
        watched = await self._part(f"service:{service.name}/history", look, _HISTORY_DEADLINE)
        for metric, series in (watched or {}).items():
            resource = f"metric:{service.name}/{metric}"
            if isinstance(series, pd.DataFrame):
                found = await asyncio.to_thread(
                    services.metric_findings, service, metric, series, self._now, zone
                )
                stopped = [f.title for f in found if f.kind == services.STOPPED and not works]
                self._missing += [f"{resource}: {title}" for title in stopped]
                self._findings += [f for f in found if f.title not in stopped]
            elif works:
                self._note_missing(resource, str(series))
            else:  # what is wrong with the service is a finding already
                self._missing.append(f"{resource}: {series.what}")

    async def _part(self, resource: str, look: Awaitable[T], deadline: float) -> T | None:
        """What the look sees; None, and a note, when it fails or takes too long."""
        try:
            async with asyncio.timeout(deadline):
                return await look
        except TimeoutError:
            self._note_missing(resource, f"no result within {deadline:g} s")
        except (OrchestratorError, OSError, psutil.Error) as error:
            self._note_missing(resource, str(error))
        return None

    def _note_missing(self, resource: str, why: str) -> None:
        self._missing.append(f"{resource}: {why}")
        self._findings.append(
            Finding(
                kind="check-failed",
                resource=resource,
                severity=Severity.WARNING,
                title=f"{resource.partition(':')[2]} could not be checked",
                evidence={"detail": why},
                advice="Until it can be checked again, nobody knows how it is.",
            )
        )

    def _database(self, seen: tuple[DatabaseHealth, Finding | None] | None) -> None:
        if seen is not None:
            self._databases.append(seen[0])
            self._findings += [seen[1]] if seen[1] else []


def _unreachable(error: SourceError) -> Finding:
    return Finding(
        kind="prefect-unreachable",
        resource="prefect:api",
        severity=Severity.ERROR,
        title="Prefect's API does not answer: schedules and workers cannot be looked at",
        evidence={"error": error.code, "detail": error.what},
        advice=error.hint or "See the Prefect server's log.",
    )
