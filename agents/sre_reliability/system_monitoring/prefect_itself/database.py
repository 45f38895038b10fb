"""Prefect's own database: is it locked, and how fast does it grow?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from agents.statistics import theil_sen
from blocks.prefect_api.database import PrefectDatabase
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Severity

LOCKED_WARNING = 10
"""So many refusals within the window are more than a chance meeting of two writers."""

_LEAST_SPAN = timedelta(hours=6)
_POINTS = 200
"""Points of a trend: it takes all pairs of them."""


def judge_database(database: PrefectDatabase | None, window: timedelta) -> list[Finding]:
    """Whether the database was locked; nothing of one that we do not see."""
    if database is None or not database.locked:
        return []
    times = "once" if database.locked == 1 else f"{database.locked} times"
    hours = window.total_seconds() / 3600
    within = "the last hour" if hours == 1 else f"the last {hours:.0f} hours"
    return [
        Finding(
            kind="prefect-database-locked",
            resource="prefect:database",
            severity=Severity.WARNING if database.locked >= LOCKED_WARNING else Severity.INFO,
            title=f"Prefect's database was locked {times} within {within}",
            evidence={"locked": database.locked, "size_mb": database.size_mb},
            advice="Too much writes to one SQLite file at once. Give Prefect PostgreSQL: set "
            "ORCHESTRATOR_PREFECT_DATABASE_URL (docs/operations.md).",
        )
    ]


def growth_per_day(sizes: Sequence[tuple[datetime, float]]) -> float | None:
    """How much a database grows, in MB a day; None while too little of its past is known.

    The median of all slopes, so that a clean-up, after which it is smaller, does not count.
    """
    if len(sizes) < 3 or sizes[-1][0] - sizes[0][0] < _LEAST_SPAN:
        return None
    some = sizes[:: len(sizes) // _POINTS + 1]
    days = [(at - sizes[0][0]) / timedelta(days=1) for at, _ in some]
    return theil_sen([size for _, size in some], days).value
