"""Daily metrics by hand, and analyses that do what the data allow."""

from __future__ import annotations

from datetime import date, timedelta
from math import exp, log
from statistics import median

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.data_intelligence.business_intelligence.analysis import analyze, run_analysis
from agents.data_intelligence.business_intelligence.bands import (
    REFERENCE_DAYS,
    SPREAD_DAYS,
    UNUSUAL,
    bands_of,
)
from agents.data_intelligence.business_intelligence.daily_metrics import analyze_daily_metrics
from agents.data_intelligence.business_intelligence.report import DailyMetrics
from blocks.errors import ContractViolation, EmptySource
from blocks.vocabulary.amounts import Amounts
from blocks.vocabulary.frames import Snapshot
from blocks.vocabulary.messages import Severity
from tests.unit.agents.data_intelligence.shops import (
    NOW,
    TODAY,
    days_before,
    sales_of,
    snapshot_of,
    without,
)

DAYS = days_before(TODAY, 140)
LAST = DAYS[-1]
"""A Sunday."""


def shop(last: float = 10.0, returned: float = 0.0, days: list[date] = DAYS) -> Snapshot:
    """Ten units a day at 2.00 in ten orders; the last day sells ``last`` units."""
    sales = sales_of(days, {"a": lambda day: last if day == days[-1] else 10.0})
    sales.loc[sales.index[-1], "returned"] = returned
    return snapshot_of(sales, stock=[{"sku": "a", "on_hand": 70.0}])


def value(daily: DailyMetrics, name: str) -> float:
    metric = daily.metric(name)
    assert metric is not None
    return metric.value


def test_the_last_day_by_hand():
    daily = analyze_daily_metrics(shop(last=9.0, returned=1.0), NOW)
    assert (daily.day, daily.weekday) == (LAST, "Sunday")
    figures = {m.name: m.value for m in daily.metrics}
    assert figures == pytest.approx(
        {
            "revenue": 18,
            "orders": 10,
            "units": 9,
            "basket": 1.8,
            "units-per-order": 0.9,
            "return-rate": 1 / 9,
            # 24 trading days of 10 units less 1 sold and 1 returned on the last, over 28 days.
            "stock-cover": 70 / (238 / 28),
        }
    )
    revenue = daily.metric("revenue")
    assert revenue is not None
    assert revenue.expected == 20
    assert revenue.change_percent == pytest.approx(-10)
    # Nothing ever varied, so the least spread of 5% is the spread.
    assert revenue.score == pytest.approx(log(0.9) / 0.05)
    assert revenue.low == pytest.approx(20 * exp(-0.15))
    assert not revenue.unusual


def test_typical_revenue_per_trading_day_and_per_day():
    daily = analyze_daily_metrics(shop(), NOW)
    assert daily.typical_revenue_per_trading_day == 20
    assert daily.typical_revenue_per_day == pytest.approx(20 * 6 / 7)
    assert len(daily.revenue_series) == 48
    assert {point.expected for point in daily.revenue_series} == {20}


@pytest.mark.parametrize(
    ("last", "severity"),
    [(10.0, None), (8.0, Severity.WARNING), (4.0, Severity.ERROR), (20.0, Severity.INFO)],
)
def test_a_fall_is_bad_a_collapse_worse_and_a_rise_good(last, severity):
    findings = analyze_daily_metrics(shop(last), NOW).findings
    sales = [f for f in findings if f.resource == "metric:revenue"]
    assert [f.severity for f in sales] == ([severity] if severity else [])
    if severity in (Severity.WARNING, Severity.ERROR):
        assert sales[0].impact_per_day == pytest.approx(20 - 2 * last)
        # Revenue and units fell together: one finding, with both in evidence.
        assert set(sales[0].evidence) == {"revenue", "units"}
        assert not any(f.resource == "metric:units" for f in findings)


def test_returns_are_bad_when_they_rise():
    days = DAYS
    sales = sales_of(days, {"a": lambda day: 100.0})
    sales["returned"] = [1.0 + i % 5 for i in range(len(sales) - 1)] + [60.0]
    daily = analyze_daily_metrics(snapshot_of(sales), NOW)
    (finding,) = daily.findings
    assert (finding.resource, finding.severity) == ("metric:return-rate", Severity.WARNING)
    assert finding.title.endswith("were 60.0%; on a usual Sunday 3.0%")


def test_a_weekday_is_compared_with_itself():
    quiet_sundays = sales_of(DAYS, {"a": lambda day: 4.0 if day.weekday() == 6 else 20.0})
    daily = analyze_daily_metrics(snapshot_of(quiet_sundays), NOW)
    revenue = daily.metric("revenue")
    assert revenue is not None
    assert (revenue.value, revenue.expected, revenue.unusual) == (8, 8, False)


def test_a_young_shop_has_values_and_no_expectation():
    daily = analyze_daily_metrics(shop(days=days_before(TODAY, 10)), NOW)
    revenue = daily.metric("revenue")
    assert revenue is not None
    assert (revenue.value, revenue.expected, revenue.score) == (20, None, None)
    assert daily.findings == []


def test_one_day_of_trade():
    daily = analyze_daily_metrics(shop(days=[LAST]), NOW)
    assert value(daily, "revenue") == 20
    assert daily.typical_revenue_per_day == 20


def cover(snapshot: Snapshot) -> tuple[str, float]:
    metric = analyze_daily_metrics(snapshot, NOW).metric("stock-cover")
    assert metric is not None
    return metric.label, metric.value


def test_a_young_shops_stock_lasts_no_longer_than_it_does():
    # 10 a day, whether for ten days or for twenty weeks.
    every_day = days_before(TODAY, 10, closed=())
    assert cover(shop(days=every_day)) == ("Stock cover (on hand)", pytest.approx(7))
    assert cover(shop(days=days_before(TODAY, 140, closed=())))[1] == pytest.approx(7)


def test_a_stock_lasts_as_long_as_what_is_free_of_each_item():
    snapshot = shop(days=days_before(TODAY, 140, closed=()))
    stock = {"sku": ["a", "b"], "on_hand": [70.0, -30.0], "reserved": [20.0, np.nan]}
    snapshot.frames["stock"] = pd.DataFrame(stock)
    assert cover(snapshot) == ("Stock cover (free)", pytest.approx(5))


def test_the_figures_say_what_the_money_is():
    snapshot = shop()
    snapshot.amounts = Amounts(tax="excluded")
    done = run_analysis(snapshot, NOW)
    assert done.daily
    assert done.analysis
    assert done.daily.amounts == done.analysis.patterns.amounts == snapshot.amounts


def test_orders_alone_are_enough_and_what_is_missing_is_said():
    daily = analyze_daily_metrics(without(shop(), "sales", "stock"), NOW)
    assert [m.name for m in daily.metrics] == [
        "revenue",
        "orders",
        "units",
        "basket",
        "units-per-order",
    ]
    assert daily.missing == [
        "return rate: the snapshot has no sales frame",
        "stock cover: the snapshot has no sales and no stock frame",
    ]


def test_without_orders_it_says_so():
    with pytest.raises(ContractViolation, match="no 'orders' frame"):
        analyze_daily_metrics(without(shop(), "orders"), NOW)


def plain_band(values: list[float], days: list[date]) -> tuple[float, float]:
    """Expected value and score of the last day, computed one day at a time."""

    def expected(i: int) -> float | None:
        same = [values[j] for j in range(i) if days[j].weekday() == days[i].weekday()]
        return median(same[-REFERENCE_DAYS:]) if len(same) >= 4 else None

    offs = [
        abs(log(v / e)) if (e := expected(i)) is not None else None for i, v in enumerate(values)
    ]
    known = [o for o in offs[-1 - SPREAD_DAYS : -1] if o is not None]
    spread = max(1.4826 * median(known), 0.05)
    last = expected(len(values) - 1)
    assert last is not None
    return last, log(values[-1] / last) / spread


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 50).map(float), min_size=70, max_size=70))
def test_bands_are_as_a_slow_reading_of_them(values):
    days = DAYS[-len(values) :]
    series = pd.Series(values, index=pd.DatetimeIndex(days))
    expected, score = plain_band(values, days)
    band = bands_of(series, share=False).iloc[-1]
    assert band["expected"] == pytest.approx(expected)
    assert band["score"] == pytest.approx(score)
    assert (band["low"] <= values[-1] <= band["high"]) == (abs(score) <= UNUSUAL + 1e-9)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(0, 50).map(float), min_size=70, max_size=70),
    st.integers(20, 69),
    st.booleans(),
)
def test_a_band_knows_nothing_of_later_days(values, cut, share):
    index = pd.DatetimeIndex(DAYS[-len(values) :])
    whole = bands_of(pd.Series(values, index=index), share=share)
    part = bands_of(pd.Series(values[:cut], index=index[:cut]), share=share)
    pd.testing.assert_frame_equal(whole.iloc[:cut], part)


def test_money_in_another_currency_is_as_unusual():
    dear = shop(last=7.0)
    dear.frames["orders"] = dear.frames["orders"].assign(revenue=lambda o: 100 * o["revenue"])
    one, other = (
        analyze_daily_metrics(snapshot, NOW).metric("revenue")
        for snapshot in (shop(last=7.0), dear)
    )
    assert one is not None
    assert other is not None
    assert other.score == pytest.approx(one.score)


# ---------------------------------------------------------------- analyses


def test_an_analysis_puts_patterns_unusual_days_and_stock_together():
    strange = DAYS[-10]
    sales = sales_of(DAYS, {"a": lambda day: 40.0 if day == strange else 10.0})
    analysis = analyze(snapshot_of(sales, stock=[{"sku": "a", "on_hand": 0.0}]), NOW, top=1)
    assert [s.sku for s in analysis.patterns.top_by_revenue] == ["a"]
    assert {(u.day, u.metric) for u in analysis.unusual_days} == {
        (strange, name) for name in ("revenue", "units", "basket", "units-per-order")
    }
    assert analysis.stock is not None
    assert [f.kind for f in analysis.findings] == ["out-of-stock"]
    assert analysis.missing == []


def test_without_stock_the_rest_is_analyzed():
    analysis = analyze(without(shop(), "stock"), NOW)
    assert analysis.stock is None
    assert analysis.missing == [
        "stock at risk: The snapshot has no 'stock' frame. "
        "Check the store's mapping with ./orchestrator connect."
    ]


@pytest.mark.parametrize("frame", ["sales", "orders"])
def test_there_is_no_analysis_without_sales(frame):
    with pytest.raises(ContractViolation, match=f"no '{frame}' frame"):
        analyze(without(shop(), frame), NOW)


def test_a_complete_analysis_of_a_sound_shop():
    complete = run_analysis(shop(last=4.0), NOW)
    assert complete.daily is not None
    assert complete.analysis is not None
    assert complete.forecast is not None
    assert complete.missing == []
    assert "metric-unusual/metric:revenue" in {f.fingerprint for f in complete.findings}
    ranks = [f.severity.rank for f in complete.findings]
    assert ranks == sorted(ranks, reverse=True)
    assert len({f.fingerprint for f in complete.findings}) == len(complete.findings)


def test_a_complete_analysis_does_what_it_can_with_nothing():
    complete = run_analysis(Snapshot(NOW, {}), NOW)
    assert (complete.daily, complete.analysis, complete.forecast) == (None, None, None)
    assert len(complete.missing) == 3
    assert complete.validation.verdict == "doubtful"


def test_empty_frames_are_not_a_crash():
    snapshot = shop()
    snapshot.frames = {name: frame.iloc[:0] for name, frame in snapshot.frames.items()}
    assert len(run_analysis(snapshot, NOW).missing) == 3
    with pytest.raises(EmptySource):
        analyze(snapshot, NOW)


def test_a_shop_that_sells_nothing():
    orders = shop().frames["orders"].assign(units=0.0, revenue=0.0)
    snapshot = shop()
    snapshot.frames |= {"orders": orders, "sales": snapshot.frames["sales"].assign(units=0.0)}
    complete = run_analysis(snapshot, NOW)
    assert complete.daily is not None
    assert value(complete.daily, "revenue") == 0
    assert complete.forecast is not None
    assert complete.forecast.total == 0


def test_results_are_plain_json():
    complete = run_analysis(shop(last=4.0), NOW)
    text = complete.model_dump_json()
    assert type(complete).model_validate_json(text) == complete
    assert "NaN" not in text


def test_results_do_not_depend_on_the_order_of_rows():
    rng = np.random.default_rng(0)
    snapshot = shop(last=4.0)
    shuffled = Snapshot(
        NOW,
        {
            name: frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)
            for name, frame in snapshot.frames.items()
        },
        currency=snapshot.currency,
    )
    assert run_analysis(shuffled, NOW) == run_analysis(snapshot, NOW)


def test_today_and_later_change_nothing():
    snapshot = shop(last=4.0)
    before = run_analysis(snapshot, NOW)
    later = sales_of([TODAY, TODAY + timedelta(days=1)], {"a": lambda day: 999.0})
    orders = later.groupby("date", as_index=False)[["units", "revenue"]].sum().assign(orders=5.0)
    snapshot.frames["sales"] = pd.concat([snapshot.frames["sales"], later], ignore_index=True)
    snapshot.frames["orders"] = pd.concat([snapshot.frames["orders"], orders], ignore_index=True)
    after = run_analysis(snapshot, NOW)
    assert (after.daily, after.analysis, after.forecast) == (
        before.daily,
        before.analysis,
        before.forecast,
    )
