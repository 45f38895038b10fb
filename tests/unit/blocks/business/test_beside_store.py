"""Offers beside the store's own products."""

from __future__ import annotations

import pandas as pd
import pytest

from blocks.business.catalogues.beside_store import impossible_prices, look_alikes


def impossible(cost: float, price: float, known: float | None = None) -> str:
    costs = None if known is None else pd.Series([known], index=["A"])
    told = impossible_prices(pd.Series([cost], index=["A"]), pd.Series([price], ["A"]), costs)
    return str(told.get("A", ""))


@pytest.mark.parametrize(
    ("cost", "price"), [(5.0, 9.0), (12.0, 9.0), (0.2, 9.0), (2.4, float("nan")), (2.4, 0.0)]
)
def test_a_price_that_may_be_is_not_told(cost: float, price: float):
    assert impossible(cost, price) == ""


def test_a_price_per_hundred_is_told_with_its_factor():
    assert impossible(2.40, 0.09) == (
        "it costs 26.7 times its selling price (2.4 beside 0.09, store money): is it a price per "
        "100 or 1,000, or was its decimal mark misread?"
    )


def test_a_price_that_is_a_thousandth_is_told_with_its_factor():
    assert impossible(1.25, 1990).startswith("it sells for 1,592 times what it costs (1.25 beside")


def test_what_the_store_itself_says_that_it_costs_is_believed():
    assert impossible(2.40, 0.09, known=2.2) == ""
    assert impossible(2.40, 0.09, known=0.02) != ""
    assert impossible(2.40, 0.09, known=float("nan")) != ""


def test_skus_that_lost_their_zeros_are_told_with_the_stores_own():
    known = pd.Index(["00123", "00124", "AB-7", "x1", "X-1", "9"])
    offered = pd.Index(["123", "00124", "ab 7", "X 1", "77", "009"])
    # X 1 may be either of two.
    assert look_alikes(offered, known) == {"123": "00123", "ab 7": "AB-7", "009": "9"}


def test_nothing_is_alike_where_there_is_nothing():
    assert look_alikes(pd.Index([], dtype="str"), pd.Index(["1"])) == {}
    assert look_alikes(pd.Index(["1"]), pd.Index([], dtype="str")) == {}
