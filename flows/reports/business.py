"""Sections about trade and data."""

from __future__ import annotations

from collections.abc import Sequence

from agents.data_intelligence.business_intelligence.analysis import Analysis
from agents.data_intelligence.business_intelligence.report import (
    DailyMetrics,
    DayPoint,
    Metric,
    UnusualDay,
)
from agents.data_intelligence.data_validation.report import ValidationReport
from agents.data_intelligence.pattern_recognition import Patterns
from agents.data_intelligence.predictive_analytics.forecasting import DemandForecast
from flows.reports.model import Cell, Chart, Section, Table, money, short
from flows.reports.stock import stock


def trade(metrics: DailyMetrics, currency: str) -> Section:
    """The last trading day against the same weekday before."""
    return Section(
        title=f"Trade on {metrics.weekday}, {metrics.day:%d %B %Y}",
        text=metrics.amounts.words(),
        tables=[
            Table(
                columns=["Figure", "Value", "Usual", "Change", "Usual range"],
                rows=[_metric(metric, currency) for metric in metrics.metrics],
            )
        ],
        charts=[
            _days("Revenue per trading day", currency, "revenue", metrics.revenue_series),
            _days("Orders per trading day", "", "orders", metrics.orders_series),
        ],
    )


def trade_headline(metrics: DailyMetrics, currency: str) -> str:
    """Revenue and orders of the last trading day in one sentence."""
    revenue, orders = metrics.metric("revenue"), metrics.metric("orders")
    if revenue is None or orders is None:
        return ""
    change = revenue.change_percent
    against = "" if change is None else f" ({change:+.0f}% against a usual {metrics.weekday})"
    return (
        f"{metrics.weekday}, {metrics.day:%d %B}: {money(revenue.value, currency)}"
        f"{against} from {orders.value:,.0f} orders."
    )


def analysis(
    result: Analysis, currency: str, top: int, *, beside_trade: bool = False
) -> list[Section]:
    """What sells, how sales move, and which items are at risk.

    ``beside_trade``: the report has the section ``trade``, which says what is in the money.
    """
    sells = _sellers(result.patterns, currency, top)
    if not beside_trade:
        sells = sells.model_copy(update={"text": f"{sells.text} {result.patterns.amounts.words()}"})
    parts = [sells, _rhythm(result.patterns)]
    if result.unusual_days:
        parts.append(_unusual(result.unusual_days, currency, top))
    if result.stock:
        parts.append(stock(result.stock, currency, top))
    return parts


def forecast(demand: DemandForecast, names: dict[str, str], top: int) -> Section:
    """Expected demand of the best sellers, with its uncertainty."""
    best = sorted(demand.items, key=lambda item: (-item.total, item.sku))[:top]
    accuracy = (
        ""
        if demand.wape is None or demand.bias is None
        else f" Backtested: off by {demand.wape:.0%} per item and period on average (WAPE), "
        f"bias {demand.bias:+.0%}."
    )
    return Section(
        title=f"Demand in the {demand.horizon_days} days from {demand.first_day:%d %B}",
        text=f"{demand.total:,.0f} units expected over {len(demand.items)} items.{accuracy}",
        tables=[
            Table(
                columns=["SKU", "Product", "Units per day", "Expected", "Likely up to (95%)"],
                rows=[
                    [
                        item.sku,
                        names.get(item.sku, ""),
                        round(item.mean_per_day, 1),
                        round(item.total),
                        round(item.q95),
                    ]
                    for item in best
                ],
            )
        ],
    )


def data_quality(report: ValidationReport) -> Section:
    """How far the data can be trusted, and why."""
    return Section(
        title=f"Data quality: {report.score:.0f} of 100, {report.verdict}",
        text=report.meaning,
        tables=[
            Table(
                columns=["Question", "Passed", "Answer"],
                rows=[
                    [check.question, _percent(check.score), check.detail] for check in report.checks
                ],
            )
        ],
    )


def _metric(metric: Metric, currency: str) -> list[Cell]:
    def show(value: float | None) -> str:
        match metric.unit:
            case _ if value is None:
                return "—"
            case "money":
                return money(value, currency)
            case "share":
                return f"{value:.1%}"
            case "days":
                return f"{value:,.0f} days"
            case _:
                return f"{value:,.0f}" if value >= 100 else f"{value:,.3g}"

    change = "—" if metric.change_percent is None else f"{metric.change_percent:+.0f}%"
    span = "—" if metric.low is None else f"{show(metric.low)} to {show(metric.high)}"
    flag = " (unusual)" if metric.unusual else ""
    return [metric.label, show(metric.value), show(metric.expected), change + flag, span]


def _days(title: str, unit: str, name: str, points: Sequence[DayPoint]) -> Chart:
    def outside(point: DayPoint) -> bool:
        return (
            point.low is not None
            and point.high is not None
            and not (point.low <= point.value <= point.high)
        )

    return Chart(
        title=title,
        unit=unit,
        x=[point.day.isoformat() for point in points],
        series={name: [point.value for point in points]},
        low=[point.low for point in points],
        high=[point.high for point in points],
        marks=[i for i, point in enumerate(points) if outside(point)],
    )


def _percent(share: float | None) -> str:
    return "—" if share is None else f"{share:.1%}"


def _sellers(patterns: Patterns, currency: str, top: int) -> Section:
    sellers = patterns.top_by_revenue[:top]
    return Section(
        title=f"What sells ({patterns.first:%d %b} to {patterns.last:%d %b %Y})",
        text=(
            f"{money(patterns.revenue, currency)} from {patterns.orders:,.0f} orders on "
            f"{patterns.trading_days} trading days. The best tenth of "
            f"{patterns.selling_skus} items brings {patterns.top_tenth_share:.0%} of the revenue."
        ),
        tables=[
            Table(
                columns=["SKU", "Product", f"Revenue ({currency})", "Units", "Share", "Change"],
                rows=[
                    [
                        seller.sku,
                        seller.name,
                        round(seller.revenue),
                        round(seller.units),
                        f"{seller.share:.1%}",
                        "new" if seller.new else _change(seller.change_percent),
                    ]
                    for seller in sellers
                ],
                note="Change: against the period of equal length before, where all of it is known.",
            )
        ],
        charts=[
            Chart(
                title="Best sellers by revenue",
                kind="bar",
                unit=currency,
                x=[short(seller.name) for seller in sellers],
                series={"revenue": [round(seller.revenue, 2) for seller in sellers]},
            )
        ],
    )


def _rhythm(patterns: Patterns) -> Section:
    trend = patterns.trend
    text = "Too little history for a trend."
    if trend:
        year = trend.year_on_year_percent
        against = "" if year is None else f" Against last year: {year:+.0f}%."
        text = (
            f"Revenue is {trend.direction}: {trend.percent_per_week:+.1f}% per week "
            f"(95% interval {trend.low:+.1f}% to {trend.high:+.1f}%, {trend.weeks} weeks).{against}"
        )
    days = [day for day in patterns.seasonality.weekdays if day.index is not None]
    return Section(
        title="Trend and weekly rhythm",
        text=text,
        charts=[
            Chart(
                title="Revenue by weekday",
                kind="bar",
                unit="1 = usual trading day",
                x=[day.weekday for day in days],
                series={"index": [day.index and round(day.index, 2) for day in days]},
            )
        ],
    )


def _unusual(days: Sequence[UnusualDay], currency: str, top: int) -> Section:
    def show(day: UnusualDay, value: float) -> str:
        return money(value, currency) if day.metric in ("revenue", "basket") else f"{value:,.4g}"

    return Section(
        title="Unusual days of the last eight weeks",
        tables=[
            Table(
                columns=["Day", "Figure", "Value", "Usual", "Change"],
                rows=[
                    [
                        f"{day.day:%a %d %b}",
                        day.label,
                        show(day, day.value),
                        show(day, day.expected),
                        _change(day.change_percent),
                    ]
                    for day in days[:top]
                ],
            )
        ],
    )


def _change(percent: float | None) -> str:
    return "—" if percent is None else f"{percent:+.0f}%"
