"""The last trading day in figures, each against the same weekday before."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

from agents.capability import action
from agents.data_intelligence.business_intelligence.bands import UNUSUAL, bands_of
from agents.data_intelligence.business_intelligence.report import (
    DailyMetrics,
    DayPoint,
    Metric,
    Unit,
    UnusualDay,
)
from agents.data_intelligence.result import worst_first
from agents.data_intelligence.stock_levels import levels, tells_reserved
from agents.data_intelligence.trading_calendar import WEEKDAYS, TradingHistory, completed, since
from agents.statistics import change_percent
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.frames import Snapshot
from blocks.vocabulary.messages import Severity

CHART_WEEKS = 8

COVER_DAYS = 28
"""The demand that a stock has to cover is that of the last four weeks."""

COLLAPSE_PERCENT = -50.0
"""An unusual fall by half or more is an error, a smaller one a warning."""


_METRICS: tuple[tuple[str, str, Unit], ...] = (
    ("revenue", "Revenue", "money"),
    ("orders", "Orders", "orders"),
    ("units", "Units", "units"),
    ("basket", "Revenue per order", "money"),
    ("units-per-order", "Units per order", "units"),
    ("return-rate", "Units returned per unit sold", "share"),
)

_GROUPS = (("revenue", "orders", "units"), ("basket", "units-per-order"), ("return-rate",))
"""Figures that move together share one finding."""


ADVICE = {"return-rate": "Look for cancelled bulk orders and for faulty products."}
USUAL_ADVICE = "Check that the shop took orders all day and that its data are complete."


@action()
def analyze_daily_metrics(snapshot: Snapshot, now: datetime) -> DailyMetrics:
    """Measure the last trading day against the same weekday before.

    Args:
        snapshot: Needs ``orders``; ``sales`` adds the return rate, and with ``stock`` the cover.
        now: The store's date at this instant is not over, and left out.

    Raises:
        ContractViolation: The snapshot has no orders.
        EmptySource: No trading day is over yet.
    """
    history = TradingHistory.of(snapshot, now)
    figures = _daily_figures(history, snapshot)
    bands = _all_bands(figures)
    day = figures.index[-1]
    metrics = [
        _metric(bands[name], name, label, unit)
        for name, label, unit in _METRICS
        if name in bands and day in bands[name].index
    ]
    cover = _stock_cover(snapshot, history)
    first = _chart_start(day)
    return DailyMetrics(
        day=history.last,
        weekday=WEEKDAYS[history.last.weekday()],
        metrics=metrics + ([cover] if cover else []),
        revenue_series=_chart(bands["revenue"], first),
        orders_series=_chart(bands["orders"], first),
        typical_revenue_per_trading_day=history.typical_revenue_per_trading_day,
        typical_revenue_per_day=history.typical_revenue_per_day,
        amounts=snapshot.amounts,
        missing=[
            f"{what}: the snapshot has no {' and no '.join(lacking)} frame"
            for what, needed in (("return rate", ("sales",)), ("stock cover", ("sales", "stock")))
            if (lacking := [name for name in needed if name not in snapshot.frames])
            and not (what == "return rate" and "returned" in history.orders)
        ],
        findings=_findings(metrics, history.last),
    )


def _daily_figures(history: TradingHistory, snapshot: Snapshot) -> pd.DataFrame:
    """One row per completed trading day (index), one column per metric; NaN where undefined."""
    days = history.orders.set_index("date")[["revenue", "orders", "units"]]
    days["basket"] = days["revenue"] / days["orders"]
    days["units-per-order"] = days["units"] / days["orders"]
    returned = _returned(history, snapshot)
    if returned is not None:
        returned = returned.reindex(days.index).fillna(0.0)
        days["return-rate"] = (returned / days["units"]).where(days["units"] > 0)
    return days


def _returned(history: TradingHistory, snapshot: Snapshot) -> pd.Series[float] | None:
    """Units that came back on each day; None when nobody tells."""
    if "returned" in history.orders:
        return history.orders.set_index("date")["returned"]
    if "sales" not in snapshot.frames:
        return None
    sales = completed(snapshot.frames["sales"], history.today)  # a snapshot of an older release
    return sales.groupby("date")["returned"].sum()


def _all_bands(figures: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Each metric's bands over the days on which it is defined."""
    return {
        name: bands_of(figures[name].dropna(), share=unit == "share")
        for name, _, unit in _METRICS
        if name in figures
    }


def unusual_days(snapshot: Snapshot, now: datetime) -> list[UnusualDay]:
    """The figures outside their usual band in the last eight weeks, newest first.

    Raises:
        ContractViolation: The snapshot has no orders.
        EmptySource: No trading day is over yet.
    """
    history = TradingHistory.of(snapshot, now)
    figures = _daily_figures(history, snapshot)
    bands = _all_bands(figures)
    first = _chart_start(figures.index[-1])
    found = [
        UnusualDay(
            day=pd.Timestamp(str(day)).date(),
            metric=name,
            label=label,
            value=float(row["value"]),
            expected=float(row["expected"]),
            change_percent=100 * float(row["value"] / row["expected"] - 1),
            score=float(row["score"]),
        )
        for name, label, _ in _METRICS
        if name in bands
        for day, row in bands[name][bands[name].index >= first].iterrows()
        if abs(row["score"]) > UNUSUAL
    ]
    return sorted(found, key=lambda u: u.day, reverse=True)


def _chart_start(last: pd.Timestamp) -> pd.Timestamp:
    return last - pd.Timedelta(weeks=CHART_WEEKS) + pd.Timedelta(days=1)


def _metric(bands: pd.DataFrame, name: str, label: str, unit: Unit) -> Metric:
    """The last day of a metric's bands."""
    day = {key: _known(value) for key, value in bands.iloc[-1].items()}
    value, score = float(bands["value"].iloc[-1]), day["score"]
    return Metric(
        name=name,
        label=label,
        unit=unit,
        value=value,
        expected=day["expected"],
        low=day["low"],
        high=day["high"],
        change_percent=change_percent(value, day["expected"] or 0.0),
        score=score,
        unusual=score is not None and abs(score) > UNUSUAL,
    )


def _chart(bands: pd.DataFrame, first: pd.Timestamp) -> list[DayPoint]:
    """The days from ``first`` on."""
    return [
        DayPoint(
            day=pd.Timestamp(str(day)).date(),
            value=float(row["value"]),
            expected=_known(row["expected"]),
            low=_known(row["low"]),
            high=_known(row["high"]),
        )
        for day, row in bands[bands.index >= first].iterrows()
    ]


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _stock_cover(snapshot: Snapshot, history: TradingHistory) -> Metric | None:
    """Days that what is free lasts at the mean demand of the last four weeks.

    What is owed of one item is no stock of the others.
    """
    if "stock" not in snapshot.frames or "sales" not in snapshot.frames:
        return None
    sales = completed(snapshot.frames["sales"], history.today)
    recent = since(sales, history.today - timedelta(days=COVER_DAYS))
    sold = float((recent["units"] - recent["returned"]).sum())
    per_day = sold / history.days_known(COVER_DAYS)
    if per_day <= 0:
        return None
    stock = snapshot.frames["stock"]
    free = float(levels(stock)["free"].clip(lower=0.0).sum())
    label = "Stock cover (free)" if tells_reserved(stock) else "Stock cover (on hand)"
    return Metric(name="stock-cover", label=label, unit="days", value=free / per_day)


def _findings(metrics: list[Metric], day: date) -> list[Finding]:
    """One finding per group of figures that move together, led by the first unusual one."""
    findings = []
    for group in _GROUPS:
        unusual = [m for m in metrics if m.name in group and m.unusual]
        if unusual:
            findings.append(_finding(unusual, day))
    return worst_first(findings)


def _finding(unusual: list[Metric], day: date) -> Finding:
    metric = unusual[0]
    change = metric.change_percent or 0.0
    # Only a fall of sales, or a rise of returns, is bad.
    bad = (change < 0) != (metric.name == "return-rate")
    severity = Severity.INFO
    if bad:
        severity = Severity.ERROR if change <= COLLAPSE_PERCENT else Severity.WARNING
    return Finding(
        kind="metric-unusual",
        resource=f"metric:{metric.name}",
        severity=severity,
        title=_title(metric, day),
        evidence={
            m.name: m.model_dump(include={"value", "expected", "low", "high", "score"})
            for m in unusual
        },
        # Only revenue speaks of money.
        impact_per_day=(metric.expected or 0.0) - metric.value
        if bad and metric.name == "revenue"
        else None,
        advice=ADVICE.get(metric.name, USUAL_ADVICE) if bad else "",
    )


def _title(metric: Metric, day: date) -> str:
    weekday, usual = WEEKDAYS[day.weekday()], metric.expected or 0.0
    if metric.unit == "share":
        return (
            f"{metric.label} on {weekday} {day} were {metric.value:.1%}; "
            f"on a usual {weekday} {usual:.1%}"
        )
    change = metric.change_percent or 0.0
    return (
        f"{metric.label} on {weekday} {day} came to {metric.value:,.0f}, {abs(change):.0f}% "
        f"{'below' if change < 0 else 'above'} a usual {weekday} ({usual:,.0f})"
    )
