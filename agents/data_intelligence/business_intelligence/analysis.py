"""What sells, whither it goes, what is at risk; and the whole of it with its evidence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from agents.capability import action
from agents.data_intelligence.business_intelligence.daily_metrics import (
    analyze_daily_metrics,
    unusual_days,
)
from agents.data_intelligence.business_intelligence.report import DailyMetrics, UnusualDay
from agents.data_intelligence.data_validation import validate_data
from agents.data_intelligence.data_validation.report import ValidationReport
from agents.data_intelligence.pattern_recognition import Patterns, find_patterns
from agents.data_intelligence.predictive_analytics.demand.rates import Rates
from agents.data_intelligence.predictive_analytics.forecasting import (
    DemandForecast,
    forecast_demand,
)
from agents.data_intelligence.predictive_analytics.stock_judgement import StockRisk
from agents.data_intelligence.predictive_analytics.stock_risk import assess_stock_risk
from agents.data_intelligence.result import Result, worst_first
from blocks.errors import DataError
from blocks.vocabulary.frames import Snapshot

T = TypeVar("T")


class Analysis(Result):
    """What sells, whither it goes, what is at risk.

    Attributes:
        patterns: Best sellers, classes, trend, weekly rhythm.
        unusual_days: Days of the last eight weeks with unusual figures, newest first.
        stock: Items out of stock, at risk, too many; None when it could not be judged.
        missing: What could not be done, and why.
    """

    patterns: Patterns
    unusual_days: list[UnusualDay]
    stock: StockRisk | None
    missing: list[str]


class CompleteAnalysis(Result):
    """The analysis with the evidence for how far to trust it, and what comes next.

    Attributes:
        validation: Whether the data can be trusted.
        daily: The last trading day; None when it could not be measured.
        analysis: What sells, whither it goes, what is at risk; None when it could not be done.
        forecast: Demand of the next four weeks; None when it could not be made.
        missing: What could not be done, and why.
    """

    validation: ValidationReport
    daily: DailyMetrics | None
    analysis: Analysis | None
    forecast: DemandForecast | None
    missing: list[str]


@action()
def analyze(
    snapshot: Snapshot, now: datetime, top: int = 10, learned: Rates | None = None
) -> Analysis:
    """Say what sells, how sales move, and which items are at risk.

    The step that follows a fetch: it takes the snapshot as it is.

    Args:
        snapshot: Needs ``sales`` and ``orders``; judges the stock when ``stock`` is there.
        now: Days before the store's date at this instant count.
        top: Length of the lists of best sellers.
        learned: Demand learned over all items; each item's own sales alone when None.

    Raises:
        ContractViolation: The snapshot lacks sales or orders.
        EmptySource: No trading day is over yet.
    """
    missing: list[str] = []
    patterns = find_patterns(snapshot, now, top)
    unusual = unusual_days(snapshot, now)
    stock = _if_possible(
        "stock at risk", missing, lambda: assess_stock_risk(snapshot, now, learned=learned)
    )
    missing += stock.missing if stock else []
    return Analysis(
        patterns=patterns,
        unusual_days=unusual,
        stock=stock,
        missing=missing,
        findings=worst_first(patterns.findings + (stock.findings if stock else [])),
    )


@action()
def run_analysis(
    snapshot: Snapshot, now: datetime, top: int = 10, learned: Rates | None = None
) -> CompleteAnalysis:
    """Do everything that can be done with a snapshot, and say what cannot.

    The step that stands alone: validation, the last trading day, the analysis and the forecast,
    each as far as the data allow. It never fails on bad data.

    Args:
        snapshot: As read, with whatever frames there are.
        now: Days before the store's date at this instant count.
        top: Length of the lists of best sellers.
        learned: Demand learned over all items; each item's own sales alone when None.
    """
    missing: list[str] = []
    validation = validate_data(snapshot, now)
    daily = _if_possible("daily metrics", missing, lambda: analyze_daily_metrics(snapshot, now))
    analysis = _if_possible("analysis", missing, lambda: analyze(snapshot, now, top, learned))
    forecast = _if_possible(
        "demand forecast", missing, lambda: forecast_demand(snapshot, now, learned=learned)
    )
    parts = [part for part in (validation, daily, analysis, forecast) if part]
    return CompleteAnalysis(
        validation=validation,
        daily=daily,
        analysis=analysis,
        forecast=forecast,
        missing=missing + (daily.missing if daily else []) + (analysis.missing if analysis else []),
        findings=worst_first([finding for part in parts for finding in part.findings]),
    )


def _if_possible(what: str, missing: list[str], do: Callable[[], T]) -> T | None:
    """The result, or None with the reason noted when the data do not allow it."""
    try:
        return do()
    except DataError as error:
        missing.append(f"{what}: {error}")
        return None
