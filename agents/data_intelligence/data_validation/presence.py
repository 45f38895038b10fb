"""Is it all there, readable, and of today?"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from math import prod

import pandas as pd

from agents.data_intelligence.data_validation.report import Answer, answer, by_revenue, by_share
from agents.data_intelligence.result import count
from agents.data_intelligence.trading_calendar import TradingHistory, local_day
from blocks.errors import DataError
from blocks.vocabulary.findings import Finding, Remedy
from blocks.vocabulary.frames import NO_CURRENCY, Snapshot
from blocks.vocabulary.messages import Severity

ESSENTIAL = ("products", "stock", "sales", "orders", "open_orders")
"""The frames that the workflows use."""

STALE_STOCK = timedelta(days=2)


def completeness(snapshot: Snapshot) -> Answer:
    """Is every frame there, with rows? An empty list of open orders is fine."""
    findings = []
    for name in ESSENTIAL:
        frame = snapshot.frames.get(name)
        if frame is not None and (len(frame) or name == "open_orders"):
            continue
        why = "; ".join(p.reason for p in snapshot.problems if p.frame == name)
        what = "are not there" if frame is None else "have no rows"
        findings.append(
            Finding(
                kind="data-missing",
                resource=f"frame:{name}",
                severity=Severity.ERROR if name in ("sales", "orders") else Severity.WARNING,
                title=f"The store's {name} {what}{f': {why}' if why else ''}",
                evidence={"frame": name, "reason": why},
                advice="Check the store's mapping with ./orchestrator connect.",
            )
        )
    there = len(ESSENTIAL) - len(findings)
    return answer(
        "completeness",
        "Is every frame there?",
        there / len(ESSENTIAL),
        f"{there} of {len(ESSENTIAL)} frames are there.",
        findings,
    )


def soundness(snapshot: Snapshot) -> Answer:
    """Which rows had problems when they were read?"""
    problems = [problem for problem in snapshot.problems if problem.rows]
    bad = sum(problem.rows for problem in problems)
    rows = sum(len(frame) for frame in snapshot.frames.values())
    return answer(
        "soundness",
        "Could every row be read without objection?",
        rows / (rows + bad) if rows + bad else None,
        f"{count(bad, 'row')} with problems.",
        [
            Finding(
                kind="data-inconsistent",
                resource=f"column:{problem.frame}.{problem.column}".rstrip("."),
                # Of a frame that was only read to make another, the rows are not known.
                severity=max(
                    by_share(problem.rows, len(snapshot.frames.get(problem.frame, ())) or rows),
                    by_revenue(problem.share),
                ),
                title=str(problem),
                evidence={"rows": problem.rows, "reason": problem.reason},
                advice="Correct these rows at their source.",
            )
            for problem in problems
        ],
    )


def currency(snapshot: Snapshot) -> Answer:
    """Is it known what money the amounts are in? It does not lower the score."""
    known = snapshot.currency != NO_CURRENCY or not snapshot.frames
    finding = Finding(
        kind="currency-unknown",
        resource=f"store:{snapshot.store}",
        severity=Severity.WARNING,
        title=f"The store's currency is not configured: amounts are told as {NO_CURRENCY}",
        advice="Set the store's currency: three capital letters, such as EUR.",
    )
    return answer(
        "currency",
        "Is it known what money the amounts are in?",
        None,
        f"Amounts are in {snapshot.currency}.",
        [] if known else [finding],
    )


def freshness(snapshot: Snapshot, now: datetime) -> Answer:
    """Has every day brought sales on which the shop usually trades?"""
    name, question = "freshness", "Do the sales reach up to yesterday?"
    findings = _old_snapshot(snapshot, now)
    try:
        history = TradingHistory.of(snapshot, now)
    except DataError as error:
        return answer(name, question, None, error.what, findings)
    calendar = history.calendar
    missing = calendar.missing(history.last + timedelta(days=1), history.today - timedelta(days=1))
    # Days after the snapshot was taken say nothing about the shop.
    read_on = local_day(snapshot.taken_at, snapshot.timezone)
    findings += _missing_since(history, [day for day in missing if day < read_on])
    findings += _holes(history)
    return answer(
        name,
        question,
        max(0.0, 1 - len(missing) / (4 * max(calendar.days_per_week, 1))),
        f"Last sale on {history.last}; {count(len(missing), 'trading day')} missing since.",
        findings,
    )


def _old_snapshot(snapshot: Snapshot, now: datetime) -> list[Finding]:
    if not snapshot.stale_because:
        return []
    age = now - snapshot.taken_at
    return [
        Finding(
            kind="data-stale",
            resource="store:snapshot",
            severity=Severity.WARNING,
            title=f"Data of {snapshot.taken_at:%Y-%m-%d %H:%M} UTC stand in for fresh ones: "
            + snapshot.stale_because.rstrip("."),
            evidence={"age_hours": age.total_seconds() / 3600},
            advice="Bring the store's database back.",
            remedy=Remedy(agent="sre-reliability", action="refetch_snapshot"),
        )
    ]


def _missing_since(history: TradingHistory, missing: list[date]) -> list[Finding]:
    """The usual trading days since the last sale."""
    if not missing:
        return []
    calendar = history.calendar
    holiday = all(calendar.closed_a_year_before(day) for day in missing)
    severity = Severity.ERROR if len(missing) > 1 else Severity.WARNING
    return [
        Finding(
            kind="data-stale",
            resource="frame:sales",
            severity=Severity.INFO if holiday else severity,
            title=f"No sales since {history.last}: {count(len(missing), 'trading day')} "
            f"missing{' (closed at this time last year too)' if holiday else ''}",
            evidence={
                "last_sale": history.last.isoformat(),
                "missing_days": [day.isoformat() for day in missing[:31]],
                "chance_if_all_is_well": prod(1 - calendar.probability(day) for day in missing),
            },
            advice="Check that the shop took orders, and that they reach the database.",
        )
    ]


def _holes(history: TradingHistory) -> list[Finding]:
    """Single usual trading days of the last four weeks without a sale: holidays, or lost data."""
    first = history.today - timedelta(days=28)
    holes = history.calendar.missing(first, history.last)
    holes = [day for day in holes if not history.calendar.closed(day)]
    if not holes:
        return []
    return [
        Finding(
            kind="data-missing",
            resource="frame:sales",
            severity=Severity.INFO,
            title=f"{count(len(holes), 'usual trading day')} of the last four weeks had no "
            f"sale: {', '.join(map(str, holes[:5]))}",
            evidence={"missing_days": [day.isoformat() for day in holes]},
            advice="Nothing to do if these were holidays.",
        )
    ]


def dates(snapshot: Snapshot, today: date) -> Answer:
    """Are there sales of days to come?"""
    name, question = "dates", "Are all sales of the past?"
    sales = snapshot.frames.get("sales")
    if sales is None or sales.empty:
        return answer(name, question, None, "There are no sales.")
    future = sales[sales["date"] > pd.Timestamp(today)]
    findings = [
        Finding(
            kind="data-inconsistent",
            resource="column:sales.date",
            severity=Severity.WARNING,
            title=f"{count(len(future), 'row')} of sales lie after today ({today})",
            evidence={"rows": len(future), "latest": future["date"].max().date().isoformat()},
            advice="Check the store's time zone and clock; these rows are left out.",
        )
    ]
    return answer(
        name,
        question,
        1 - len(future) / len(sales),
        f"{count(len(future), 'row')} after today.",
        findings if len(future) else [],
    )


def stock_age(snapshot: Snapshot, now: datetime) -> Answer:
    """Is the stock of today? It does not lower the score: a stock may rest."""
    name, question = "stock-age", "Was the stock updated lately?"
    stock = snapshot.frames.get("stock")
    if stock is None or "updated_at" not in stock or stock["updated_at"].isna().all():
        return answer(name, question, None, "The stock does not say when it was updated.")
    newest = stock["updated_at"].max()
    age = pd.Timestamp(now) - newest
    findings = [
        Finding(
            kind="data-stale",
            resource="frame:stock",
            severity=Severity.WARNING,
            title=f"No stock was updated since {newest:%Y-%m-%d %H:%M} UTC",
            evidence={"newest": newest.isoformat(), "age_hours": age.total_seconds() / 3600},
            advice="Check the job that updates the stock.",
        )
    ]
    return answer(
        name,
        question,
        None,
        f"Newest update {newest:%Y-%m-%d %H:%M} UTC.",
        findings if age > STALE_STOCK else [],
    )
