"""Groups of items: the store's categories, else classes by what they sold in a year."""

from __future__ import annotations

import pandas as pd

from agents.data_intelligence.predictive_analytics.purchasing.groups import groups_of
from tests.unit.agents.data_intelligence.shops import TODAY, days_before, sales_of, snapshot_of

DAYS = days_before(TODAY, 500, closed=())
SALES = sales_of(
    DAYS,
    {
        "a": lambda day: 75.0,
        "b": lambda day: 15.0,  # begins within the first 80%
        "c": lambda day: 6.0,
        "d": lambda day: 4.0,
        "old": lambda day: 900.0 if day < DAYS[100] else 0.0,
    },
)
SKUS = pd.Index(["a", "b", "c", "d", "old", "never"])


def product(sku: str, category: str | None) -> dict[str, object]:
    return {"sku": sku, "name": sku, "unit_price": 2.0, "category": category}


def test_items_are_classed_by_what_they_sold_in_the_last_year():
    found = groups_of(snapshot_of(SALES), TODAY, SKUS)
    assert found.to_dict() == {
        "a": "class A",
        "b": "class A",
        "c": "class B",
        "d": "class C",
        "old": "class C",
        "never": "class C",
    }


def test_a_category_comes_first_and_an_empty_one_is_none():
    rows = [product("a", "Tea "), product("b", "  "), product("c", None), product("never", "Rum")]
    found = groups_of(snapshot_of(SALES, products=rows), TODAY, SKUS)
    assert found["a"] == "Tea"
    assert (found["b"], found["c"]) == ("class A", "class B")
    assert found["never"] == "Rum"
    assert found["old"] == "class C", "no product of it"


def test_a_shop_that_sold_nothing_has_one_class():
    empty = snapshot_of(SALES.iloc[:0])
    assert set(groups_of(empty, TODAY, SKUS)) == {"class C"}
