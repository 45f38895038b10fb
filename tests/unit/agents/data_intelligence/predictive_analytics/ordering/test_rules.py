"""The ERP systems' rules, on states worked out by hand."""

from __future__ import annotations

import numpy as np

from agents.data_intelligence.predictive_analytics.ordering.rules import (
    USUAL,
    abc_classes,
    erpnext,
    lowest_in_window,
    odoo,
    tryton,
    usual_by_class,
    usual_parameters,
)


def floats(*numbers: float) -> np.ndarray:
    return np.array(numbers, dtype=float)


def test_tryton_orders_up_to_its_target_from_the_least_stock_in_the_window():
    """20 on hand, 15 go on day 2 and 30 come on day 4: the least in days 1 to 3 is 5."""
    moves = np.array([[0, 0, -15, 0, 30.0]])
    lowest = lowest_in_window(floats(20), moves, np.array([1]), np.array([3]))
    assert lowest.tolist() == [5.0]
    assert tryton(lowest, floats(10), floats(50)).tolist() == [45.0]
    assert tryton(lowest, floats(10), floats(50), floats(20)).tolist() == [25.0]
    later = lowest_in_window(floats(20), moves, np.array([4]), np.array([9]))
    assert later.tolist() == [35.0]
    assert tryton(later, floats(10), floats(50)).tolist() == [0.0]


def test_tryton_sees_a_shortage_below_the_minimum_alone():
    assert tryton(floats(9, 10, 11), floats(10, 10, 10), floats(30, 30, 30)).tolist() == [21, 0, 0]


def test_odoo_orders_up_to_the_greater_level_in_whole_packs():
    ordered = odoo(floats(9, 10, 3, -4), floats(10, 10, 10, 10), floats(30, 30, 5, 30), 12.0)
    assert ordered.tolist() == [24.0, 0.0, 12.0, 36.0]
    assert odoo(floats(6), floats(10), floats(30), 12.0).tolist() == [24.0]


def test_erpnext_orders_its_quantity_or_up_to_the_level_where_that_is_more():
    ordered = erpnext(floats(10, 11, -40), floats(10, 10, 10), floats(25, 25, 25))
    assert ordered.tolist() == [25.0, 0.0, 50.0]
    assert erpnext(floats(0), floats(0), floats(0)).tolist() == [0.0]


def test_classes_follow_the_share_of_the_value():
    assert abc_classes(floats(1, 70, 9, 20, 0)).tolist() == [2, 0, 1, 0, 2]
    assert abc_classes(floats(50, 30, 16, 4)).tolist() == [0, 0, 1, 2]
    assert abc_classes(floats(0, 0)).tolist() == [2, 2]
    assert abc_classes(floats(np.nan, 5)).tolist() == [2, 0]


def test_usual_parameters_are_days_of_the_average():
    given = usual_parameters(floats(2, 0.01, 0), floats(7, 7, 7), 14, 30)
    assert given.minimum.tolist() == [42, 0, 0]
    assert given.quantity.tolist() == [60, 1, 0]
    assert given.maximum.tolist() == [102, 1, 0]


def test_each_class_has_its_own_days():
    given = usual_by_class(floats(1, 1), floats(0, 0), np.array([0, 2]))
    assert given.minimum.tolist() == [USUAL["A"].safety_days, USUAL["C"].safety_days]
    assert given.quantity.tolist() == [USUAL["A"].cover_days, USUAL["C"].cover_days]
