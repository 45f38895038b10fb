"""What the sales look like: who sells, how concentrated, whither, and on which weekdays."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from agents.capability import action
from agents.data_intelligence.pattern_recognition import assortment, rhythm
from agents.data_intelligence.pattern_recognition.assortment import AbcClass, Seller
from agents.data_intelligence.pattern_recognition.rhythm import Seasonality, Trend
from agents.data_intelligence.result import Result
from agents.data_intelligence.trading_calendar import TradingHistory, completed, since
from blocks.vocabulary.amounts import Amounts
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.frames import Snapshot
from blocks.vocabulary.messages import Severity


class Patterns(Result):
    """What sells and how it moves.

    Attributes:
        first: First day of the period of sellers and classes: of a quarter, or of all there is.
        last: Its last day (yesterday in the store's time zone).
        trading_days: Trading days in it.
        revenue: Net revenue in it.
        units: Units sold in it.
        orders: Orders in it.
        selling_skus: SKUs that sold in it.
        top_by_revenue: Best first.
        top_by_units: Best first.
        abc: Classes A, B, C by revenue.
        top_tenth_share: Revenue share of the best tenth of the selling SKUs.
        gini: Gini coefficient of revenue over the selling SKUs (0 equal, 1 one takes all).
        trend: None with less than eight weeks of sales.
        seasonality: The weekly rhythm.
        amounts: What is in the revenue: tax, discounts, refunds, shipping.
    """

    first: date
    last: date
    trading_days: int
    revenue: float
    units: float
    orders: float
    selling_skus: int
    top_by_revenue: list[Seller]
    top_by_units: list[Seller]
    abc: list[AbcClass]
    top_tenth_share: float
    gini: float
    trend: Trend | None
    seasonality: Seasonality
    amounts: Amounts


@action()
def find_patterns(snapshot: Snapshot, now: datetime, top: int = 10) -> Patterns:
    """Find what sells, how concentrated sales are, their trend and their weekly rhythm.

    Args:
        snapshot: Needs ``sales`` and ``orders``; ``products`` gives names.
        now: Days before the store's date at this instant count.
        top: Length of the lists of best sellers.

    Raises:
        ContractViolation: The snapshot lacks a needed frame.
        EmptySource: No trading day is over yet.
    """
    (sales,) = snapshot.need("sales")
    history = TradingHistory.of(snapshot, now)
    first = max(history.today - timedelta(days=assortment.RECENT_DAYS), history.first)
    orders = since(history.orders, first)
    past = completed(sales, history.today)
    table = assortment.by_sku(past, first, _compared_from(history), snapshot)
    trend = rhythm.revenue_trend(history)
    return Patterns(
        first=first,
        last=history.today - timedelta(days=1),
        trading_days=len(orders),
        revenue=float(orders["revenue"].sum()),
        units=float(orders["units"].sum()),
        orders=float(orders["orders"].sum()),
        selling_skus=int((table["revenue"] > 0).sum()),
        top_by_revenue=assortment.sellers(table, "revenue", top),
        top_by_units=assortment.sellers(table, "units", top),
        abc=assortment.classes(table),
        top_tenth_share=assortment.top_tenth_share(table["revenue"]),
        gini=assortment.gini(table["revenue"]),
        trend=trend,
        seasonality=rhythm.seasonality(history),
        amounts=snapshot.amounts,
        findings=_trend_findings(trend),
    )


def _compared_from(history: TradingHistory) -> date | None:
    """First day of the quarter before the last; None when it is not known as a whole."""
    start = history.today - timedelta(days=2 * assortment.RECENT_DAYS)
    return max(start, history.first) if history.reaches(start) else None


def _trend_findings(trend: Trend | None) -> list[Finding]:
    """A falling trend is worth knowing; it does not say what it costs."""
    if trend is None or trend.direction != "falling":
        return []
    return [
        Finding(
            kind="revenue-falling",
            resource="metric:revenue",
            severity=Severity.WARNING,
            title=(
                f"Weekly revenue has been falling by {-trend.percent_per_week:.1f}% a week "
                f"over {trend.weeks} weeks"
            ),
            evidence=trend.model_dump(),
            advice="Look at the best sellers that lost most, and at what changed in the shop.",
        )
    ]
