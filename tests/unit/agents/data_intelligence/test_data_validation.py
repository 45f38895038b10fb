"""Each fault planted in a sound shop is named, and nothing else is."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import pytest

from agents.data_intelligence.data_validation import validate_data
from agents.data_intelligence.data_validation.report import ValidationReport
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.frames import Problem, Snapshot
from blocks.vocabulary.messages import Severity
from tests.unit.agents.data_intelligence.shops import (
    NOW,
    TODAY,
    days_before,
    sales_of,
    snapshot_of,
    without,
)

DAYS = days_before(TODAY, 200)
PRODUCTS = [{"sku": sku, "name": sku, "unit_price": 2.0} for sku in "ab"]
STOCK = [{"sku": sku, "on_hand": 5.0, "updated_at": NOW} for sku in "ab"]
NO_ORDERS = pd.DataFrame(columns=["order_id", "supplier", "sku", "units"])


def shop(days=DAYS, **frames) -> Snapshot:
    sales = sales_of(days, {"a": lambda day: 3.0, "b": lambda day: 1.0})
    return snapshot_of(
        sales, **{"products": PRODUCTS, "stock": STOCK, "open_orders": NO_ORDERS} | frames
    )


def only(report: ValidationReport) -> Finding:
    (finding,) = report.findings
    return finding


def with_row(snapshot: Snapshot, **row) -> Snapshot:
    sales = snapshot.frames["sales"]
    full = {"date": pd.Timestamp(DAYS[-1]), "sku": "a", "returned": 0.0} | row
    snapshot.frames["sales"] = pd.concat([sales, pd.DataFrame([full])], ignore_index=True)
    return snapshot


def test_a_sound_shop_has_nothing_to_report():
    report = validate_data(shop(), NOW)
    assert report.findings == []
    assert (report.score, report.verdict) == (100, "good")
    assert {c.name for c in report.checks if c.score is None} == {
        "currency",
        "returns",
        "stock-age",
    }
    assert {f.name: (f.rows, f.first) for f in report.frames}["orders"] == (len(DAYS), DAYS[0])


def test_a_saturday_without_sales_is_no_finding_and_a_sunday_is():
    monday = validate_data(shop(), NOW)
    assert monday.findings == []
    finding = only(validate_data(shop(DAYS[:-1]), NOW))
    assert (finding.kind, finding.severity) == ("data-stale", Severity.WARNING)
    assert finding.evidence["missing_days"] == ["2026-03-01"]


def test_several_missing_days_are_an_error_and_cost_the_score():
    report = validate_data(shop(DAYS[:-4]), NOW)
    assert only(report).severity == Severity.ERROR
    assert only(report).title == "No sales since 2026-02-24: 4 trading days missing"
    assert report.score == pytest.approx(100 * (1 - 4 / 24), abs=0.05)


def test_days_closed_last_year_too_are_only_worth_knowing():
    today = TODAY
    shut = {today - timedelta(days=364 + i) for i in range(-4, 8)}
    days = [d for d in days_before(today, 500) if d not in shut and d < today - timedelta(days=5)]
    report = validate_data(shop(days), NOW)
    finding = next(f for f in report.findings if f.kind == "data-stale")
    assert finding.severity == Severity.INFO
    assert "last year" in finding.title


def test_a_hole_among_the_last_weeks_is_worth_knowing():
    hole = date(2026, 2, 18)
    finding = only(validate_data(shop([day for day in DAYS if day != hole]), NOW))
    assert (finding.kind, finding.severity) == ("data-missing", Severity.INFO)
    assert finding.evidence["missing_days"] == ["2026-02-18"]


def test_a_snapshot_that_stands_in_is_stale_but_the_shop_is_not_blamed():
    snapshot = shop(DAYS[:-4])
    snapshot.taken_at = NOW - timedelta(days=5)
    snapshot.stale_because = "shop: connection refused."
    finding = only(validate_data(snapshot, NOW))
    assert (finding.kind, finding.resource) == ("data-stale", "store:snapshot")
    assert finding.title.endswith("shop: connection refused")
    assert finding.evidence["age_hours"] == 120


@pytest.mark.parametrize(
    ("frame", "severity"),
    [
        ("sales", Severity.ERROR),
        ("orders", Severity.ERROR),
        ("stock", Severity.WARNING),
        ("products", Severity.WARNING),
    ],
)
def test_a_missing_frame_is_named_with_its_reason(frame, severity):
    snapshot = without(shop(), frame)
    snapshot.problems.append(Problem(frame, "", "no such table: x"))
    finding = only(validate_data(snapshot, NOW))
    assert finding.severity == severity
    assert finding.title == f"The store's {frame} are not there: no such table: x"


def test_a_snapshot_without_anything_is_doubtful_not_a_crash():
    report = validate_data(Snapshot(NOW, {}), NOW)
    assert (report.score, report.verdict) == (0, "doubtful")
    assert len(report.findings) == 5


def test_empty_frames_are_named():
    snapshot = shop()
    snapshot.frames = {name: frame.iloc[:0] for name, frame in snapshot.frames.items()}
    report = validate_data(snapshot, NOW)
    assert {f.title for f in report.findings} == {
        f"The store's {name} have no rows" for name in ("products", "stock", "sales", "orders")
    }


def test_rows_with_problems_are_passed_on_and_lower_the_score():
    snapshot = shop()
    rows = sum(len(frame) for frame in snapshot.frames.values())
    snapshot.problems.append(Problem("sales", "units", "below 0", rows, "-3"))
    report = validate_data(snapshot, NOW)
    assert only(report).severity == Severity.ERROR
    assert only(report).resource == "column:sales.units"
    assert (report.score, report.verdict) == (50, "doubtful")


@pytest.mark.parametrize(
    ("share", "severity"),
    [
        (None, Severity.INFO),
        (0.009, Severity.INFO),
        (0.01, Severity.WARNING),
        (0.2, Severity.ERROR),
    ],
)
def test_few_rows_that_make_much_of_revenue_are_grave(share, severity):
    snapshot = shop()
    snapshot.problems.append(Problem("sales", "revenue", "not a number", 1, "x", share=share))
    assert only(validate_data(snapshot, NOW)).severity == severity


def test_sales_of_days_to_come():
    snapshot = with_row(shop(), units=1.0, revenue=2.0, date=pd.Timestamp("2027-01-01"))
    finding = only(validate_data(snapshot, NOW))
    assert (finding.resource, finding.evidence["rows"]) == ("column:sales.date", 1)


def test_what_is_never_counted_needs_no_stock_row():
    """A voucher has no stock; a mug that has none is one that was forgotten."""
    products = [PRODUCTS[0] | {"stocked": 0.0}, PRODUCTS[1] | {"stocked": 1.0}]
    report = validate_data(shop(products=products, stock=[STOCK[0] | {"sku": "z"}]), NOW)
    named = {f.resource: f.evidence["skus"] for f in report.findings if "skus" in f.evidence}
    assert named["frame:products"] == ["b"]


def test_unknown_skus_and_products_without_stock():
    report = validate_data(shop(products=PRODUCTS[:1], stock=STOCK[1:]), NOW)
    named = {f.resource: f.evidence.get("skus") for f in report.findings}
    assert named["frame:sales"] == ["b"]
    assert named["frame:stock"] == ["b"]
    assert named["frame:products"] == ["a"]
    # Of two SKUs in sales, one in stock and one product, three are broken.
    assert report.score == pytest.approx(25)


def test_an_absurd_order_and_its_return():
    snapshot = with_row(shop(), units=74_215.0, returned=74_215.0, revenue=0.0)
    finding = next(f for f in validate_data(snapshot, NOW).findings if f.kind == "data-outlier")
    assert finding.evidence["examples"] == [
        {"sku": "a", "day": "2026-03-01", "units": 74_215.0},
    ]
    assert finding.evidence["returned_same_day"] == 1
    assert finding.severity == Severity.INFO


@pytest.mark.parametrize(
    ("revenue", "resource"),
    [(0.0, "column:sales.revenue"), (63.0, "column:sales.unit_price"), (0.5, None)],
)
def test_prices_far_from_the_list(revenue, resource):
    snapshot = with_row(shop(), units=1.0, revenue=revenue)
    assert [f.resource for f in validate_data(snapshot, NOW).findings] == (
        [resource] if resource else []
    )
    snapshot = with_row(shop(), units=1.0, revenue=0.19)
    assert only(validate_data(snapshot, NOW)).resource == "column:sales.unit_price"


def test_a_product_without_a_price():
    for price in (0.0, None):
        products = [PRODUCTS[0], PRODUCTS[1] | {"unit_price": price}]
        assert only(validate_data(shop(products=products), NOW)).evidence["skus"] == ["b"]


def test_many_returns_are_a_finding_of_the_shop_not_of_its_data():
    snapshot = shop()
    snapshot.frames["sales"] = snapshot.frames["sales"].assign(returned=0.5)
    report = validate_data(snapshot, NOW)
    assert only(report).kind == "returns-high"
    assert only(report).evidence["share"] == pytest.approx(1 / 4)
    assert report.score == 100


def test_an_old_stock():
    old = [row | {"updated_at": NOW - timedelta(days=3)} for row in STOCK]
    assert only(validate_data(shop(stock=old), NOW)).resource == "frame:stock"


def test_a_currency_that_nobody_has_said_is_told_and_not_guessed():
    snapshot = shop()
    (check,) = [c for c in validate_data(snapshot, NOW).checks if c.name == "currency"]
    assert check.detail == "Amounts are in GBP."

    unknown = Snapshot(snapshot.taken_at, snapshot.frames, store="shop")
    (finding,) = [f for f in validate_data(unknown, NOW).findings if f.kind == "currency-unknown"]
    assert finding.resource == "store:shop"
    assert "told as XXX" in finding.title
    assert "such as EUR" in finding.advice
