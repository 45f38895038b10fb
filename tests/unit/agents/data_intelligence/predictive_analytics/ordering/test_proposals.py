"""What is proposed per item, and that nothing is ordered twice."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from agents.data_intelligence.predictive_analytics.ordering.guards import Limits
from agents.data_intelligence.predictive_analytics.ordering.proposals import propose
from agents.data_intelligence.predictive_analytics.unit_sales import UnitSales
from blocks.errors import ContractViolation
from tests.unit.agents.data_intelligence.predictive_analytics.ordering.demands import steady

STOCK = {"free": 10.0, "on_order": 0.0, "lead_days": 7.0, "unit_cost": 6.0, "price": 10.0}


def items(*rows: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame([STOCK | row for row in rows], index=[f"A{i}" for i in range(len(rows))])


def weeks_of(*units: list[float]) -> UnitSales:
    return UnitSales(np.array(units), np.zeros(0, np.int32), np.zeros(0, np.int16), np.zeros(0))


def test_position_at_or_below_the_reorder_point_is_ordered_up_to_the_level():
    demand = steady([2.0, 2.0], [2.0, 2.0])
    table = propose(items({}, {"free": 500.0}), demand)
    row, other = table.loc["A0"], table.loc["A1"]
    assert row["due"]
    assert row["units"] == round(row["order_up_to"] - 10)
    assert row["reorder_point"] > row["demand"] == pytest.approx(28.0)
    assert not other["due"]
    assert (other["units"], other["why_item"], other["held"]) == (0, "", "")


def test_nothing_is_ordered_again_while_the_first_order_is_under_way():
    """Day by day: one order, then none until the position has sold down to the reorder point."""
    demand, free, on_order, orders = steady(2.0, 1.0), 20.0, 0.0, []
    for day in range(40):
        row = propose(items({"free": free, "on_order": on_order}), demand).iloc[0]
        if row["units"]:
            assert free + on_order <= row["reorder_point"]
            orders.append((day, row["units"]))
            on_order += row["units"]
        if orders and day == orders[0][0] + 7:
            free, on_order = free + orders[0][1], on_order - orders[0][1]
        free = max(free - 2.0, 0.0)
    assert len(orders) == 1


def test_what_is_owed_is_ordered_on_top():
    demand = steady([2.0, 2.0], [1.0, 1.0])
    table = propose(items({"free": 0.0}, {"free": -30.0}), demand)
    assert table["units"].iloc[1] - table["units"].iloc[0] == 30
    assert "30 are owed" in table["why_item"].iloc[1]
    assert table["probability"].iloc[1] == 1.0


def test_sentences_tell_the_values():
    row = propose(items({"on_order": 4.0}), steady(2.0, 1.0)).iloc[0]
    for text in ("10 are free", "4 on order", "14 days", "28 are expected"):
        assert text in row["why_item"]
    assert f"Up to {row['order_up_to']:,.0f}" in row["why_units"]
    assert set(row["rules"]) == {"Tryton", "Odoo", "ERPNext"}


def test_unknown_price_is_told():
    row = propose(items({"price": None}), steady(2.0, 1.0)).iloc[0]
    assert row["guessed"]
    assert "unknown" in row["why_units"]
    assert np.isnan(row["waiting_cost_per_day"])


def test_unknown_lead_time_orders_nothing_and_says_so():
    row = propose(items({"lead_days": None}), steady(2.0, 1.0)).iloc[0]
    assert (row["due"], row["units"]) == (False, 0)
    assert "lead time" in row["held"]


def test_waiting_costs_the_margin_that_a_day_more_loses():
    """Without any spread: gone after 5 days; each day of waiting loses 2 units of margin 4."""
    row = propose(items({"lead_deviation": 0.0}), steady(2.0, 0.0)).iloc[0]
    assert row["waiting_cost_per_day"] == pytest.approx(8.0)
    assert row["probability"] == 1.0
    assert propose(items({"free": 90.0}), steady(2.0, 0.0)).iloc[0]["waiting_cost_per_day"] == 0


def test_guards_take_the_history_from_the_past():
    past = weeks_of([0.0] * 30 + [1.0, 1.0])
    row = propose(items({}), steady(2.0, 1.0), past=past).iloc[0]
    assert (row["units"], "2 weeks" in row["held"]) == (0, True)


def test_own_past_makes_the_reorder_point():
    """Even sales need less than lumpy ones of the same mean, whatever the errors over all items."""
    even, lumpy = [14.0] * 52, [0.0, 0.0, 0.0, 56.0] * 13
    table = propose(items({}, {}), steady([2.0, 2.0], [5.0, 5.0]), past=weeks_of(even, lumpy))
    assert table["demand"].tolist() == pytest.approx([28.0, 28.0], rel=0.05)
    assert table["reorder_point"].iloc[0] < 45
    assert table["reorder_point"].iloc[1] > 50


def test_own_past_is_put_around_the_forecast():
    past = weeks_of([14.0] * 52)
    low, high = (propose(items({}), steady(r, 0.0), past=past).iloc[0] for r in (1.0, 4.0))
    assert high["reorder_point"] - low["reorder_point"] == pytest.approx(42, rel=0.03)


def test_packs_of_the_offer_are_kept_and_limits_hold():
    table = propose(items({"pack_units": 50.0}), steady(2.0, 1.0))
    assert table["units"].iloc[0] % 50 == 0
    small = propose(items({}), steady(2.0, 1.0), limits=Limits(times_ever_sold=0.5), past=None)
    assert small["units"].iloc[0] > 0  # without a past nobody knows what was ever sold


def test_missing_column_and_unknown_item_are_refused():
    with pytest.raises(ContractViolation, match="lead_days"):
        propose(items({}).drop(columns="lead_days"), steady(2.0))
    with pytest.raises(ContractViolation, match="A1"):
        propose(items({}, {}), steady(2.0))


def test_unknown_stock_orders_nothing_and_says_so():
    row = propose(items({"free": None}), steady(2.0, 1.0), past=weeks_of([14.0] * 52)).iloc[0]
    assert (row["due"], row["units"], set(row["rules"].values())) == (False, 0, {0.0})
    assert "on hand" in row["held"]


def test_no_items_make_an_empty_table():
    table = propose(items({}).iloc[:0], steady(2.0, 1.0))
    assert len(table) == 0
    assert {"units", "held", "why_item", "rules"} <= set(table.columns)
