"""Stock that is rolled forward from a snapshot, against numbers worked out by hand."""

from __future__ import annotations

from datetime import datetime, time, timedelta

import numpy as np
import pytest

from agents.data_intelligence.predictive_analytics.forecasting import demand_model
from agents.data_intelligence.predictive_analytics.stock_estimate import (
    demand_since,
    roll_forward,
)
from blocks.errors import ContractViolation, EmptySource, InvalidMessage
from blocks.vocabulary.frames import Snapshot
from tests.unit.agents.data_intelligence.shops import (
    NOW,
    TODAY,
    days_before,
    sales_of,
    snapshot_of,
    without,
)

HALF_A_YEAR = days_before(TODAY, 210, closed=())
SALES = sales_of(HALF_A_YEAR, {"a": lambda _: 2, "b": lambda _: 1})
STOCK = [{"sku": sku, "on_hand": units} for sku, units in (("a", 10), ("b", 2), ("idle", 7))]


def order(sku: str, units: float, due: datetime) -> dict[str, object]:
    dates = {"ordered_at": NOW - timedelta(days=5), "expected_at": due}
    return {"order_id": "o", "supplier": "acme", "sku": sku, "units": units} | dates


def test_what_sells_evenly_is_gone_at_its_rate_and_never_below_nothing():
    seen = roll_forward(snapshot_of(SALES, stock=STOCK), NOW + timedelta(days=3), None)
    # 2 and 1 a day for three days of 10 and 2; what never sells stays.
    assert seen.on_hand == {"a": 4, "b": 0, "idle": 7}
    assert seen.low == seen.high == seen.on_hand  # it never sold otherwise
    assert (seen.units, seen.items, seen.age_hours) == (11, 3, 72)
    assert (seen.degraded, seen.stale, seen.taken_at) == (True, True, NOW)
    assert seen.summary.startswith("An estimate, not a count: about 11 units of 3 items")
    assert "72.0 hours old" in seen.basis
    assert [f.kind for f in seen.findings] == ["stock-estimate-old"]


def test_what_is_owed_stays_owed_until_it_arrives():
    stock = [{"sku": "a", "on_hand": -4}, {"sku": "idle", "on_hand": 7}]
    later = NOW + timedelta(days=3)
    seen = roll_forward(snapshot_of(SALES, stock=stock), later, None)
    assert seen.on_hand == seen.low == seen.high == {"a": -4, "idle": 7}
    assert (seen.units, seen.owed) == (7, 4)
    assert "about 7 units of 2 items (4 more are owed)" in seen.summary
    due = [order("a", 6, NOW + timedelta(days=1))]
    arrived = roll_forward(snapshot_of(SALES, stock=stock, open_orders=due), later, ["a"])
    assert (arrived.low["a"], arrived.on_hand["a"], arrived.owed) == (-4, 0, 0)


def test_a_part_of_a_day_counts_as_its_part():
    seen = roll_forward(snapshot_of(SALES, stock=STOCK), NOW + timedelta(hours=6), None)
    assert seen.on_hand == {"a": 9.5, "b": 1.75, "idle": 7}
    assert seen.findings == []


def test_what_was_due_meanwhile_is_expected_but_not_certain():
    due = [
        order("a", 5, NOW + timedelta(days=1)),
        order("a", 50, NOW + timedelta(days=4)),  # not yet
        order("a", 500, NOW - timedelta(days=1)),  # overdue already: nobody knows
    ]
    snapshot = snapshot_of(SALES, stock=STOCK, open_orders=due)
    seen = roll_forward(snapshot, NOW + timedelta(days=3), ["a"])
    assert (seen.low["a"], seen.on_hand["a"], seen.high["a"]) == (4, 9, 9)


def test_a_wild_seller_has_a_range_around_what_is_expected():
    rng = np.random.default_rng(7)
    wild = {day: float(rng.poisson(4)) for day in HALF_A_YEAR}
    sales = sales_of(HALF_A_YEAR, {"a": lambda day: wild[day], "b": lambda _: 1})
    snapshot = snapshot_of(sales, stock=[{"sku": "a", "on_hand": 100}, {"sku": "b", "on_hand": 9}])
    seen = roll_forward(snapshot, NOW + timedelta(days=7), None)
    assert seen.low["a"] < seen.on_hand["a"] < seen.high["a"]
    assert seen.on_hand["a"] == pytest.approx(100 - 7 * 4, abs=6)


def test_what_is_left_is_expected_over_all_courses_of_demand():
    rng = np.random.default_rng(7)
    sales = sales_of(HALF_A_YEAR, {"a": lambda _: float(rng.poisson(4)), "b": lambda _: 1})
    snapshot = snapshot_of(sales, stock=[{"sku": "a", "on_hand": 28}, {"sku": "b", "on_hand": 9}])
    later = NOW + timedelta(days=7)
    model = demand_model(snapshot, NOW)
    demand = demand_since(model, snapshot, later)
    courses = np.maximum(demand.mean[0] + demand.scale[0] * demand.errors[demand.group[0]], 0)
    courses *= demand.mean[0] / courses.mean()
    left = np.maximum(28 - courses, 0).mean()
    assert roll_forward(snapshot, later, ["a"]).on_hand["a"] == pytest.approx(left, abs=0.006)
    assert left > max(28 - demand.mean[0], 0)  # demand may be less, but never leaves less than 0


def test_over_whole_days_it_is_the_models_own_distribution():
    rng = np.random.default_rng(7)
    sales = sales_of(HALF_A_YEAR, {"a": lambda _: float(rng.poisson(4)), "b": lambda _: 1})
    snapshot = snapshot_of(sales, stock=STOCK[:2])
    midnight = datetime.combine(TODAY, time(), NOW.tzinfo)
    early = Snapshot(midnight, snapshot.frames)
    model = demand_model(early, midnight)
    since, whole = demand_since(model, early, midnight + timedelta(days=7)), model.spread(7)
    assert since.mean == pytest.approx(whole.mean)
    assert since.scale == pytest.approx(whole.scale)
    # A quarter of the time: a quarter of the mean and of the variance.
    part = demand_since(model, early, midnight + timedelta(hours=6))
    day = model.spread(1)
    assert part.mean == pytest.approx(day.mean / 4)
    assert part.scale == pytest.approx(day.scale / 2)


def test_a_clock_that_went_back_changes_nothing():
    seen = roll_forward(snapshot_of(SALES, stock=STOCK), NOW - timedelta(hours=1), None)
    assert seen.on_hand == {"a": 10, "b": 2, "idle": 7}
    assert seen.age_hours == 0


def test_what_cannot_be_estimated_is_an_error():
    snapshot = snapshot_of(SALES, stock=STOCK)
    with pytest.raises(InvalidMessage, match="No stock of 'zzz'"):
        roll_forward(snapshot, NOW, ["zzz"])
    for frame in ("stock", "sales"):
        with pytest.raises(ContractViolation, match=f"no '{frame}' frame"):
            roll_forward(without(snapshot, frame), NOW, None)
    with pytest.raises(EmptySource, match="no completed trading day"):
        roll_forward(snapshot_of(SALES[:0], stock=STOCK), NOW, None)
