"""Groups of the sample climb where ours is better, and not where it is worse or no better."""

from __future__ import annotations

from functools import cache

import pytest

from benchmarks import autonomy_ladder

pytestmark = pytest.mark.slow


@cache
def climbs() -> dict[str, dict[str, float]]:
    orders, _ = autonomy_ladder._orders()
    return {group: autonomy_ladder._climb(some, draws=40) for group, some in orders.items()}


def test_where_ours_is_better_a_group_earns_it_within_some_weeks() -> None:
    found = climbs()["class A"]
    assert found["saved per order"] > 0
    assert 0 < found["weeks to automatic"] <= 26


def test_where_ours_is_worse_no_group_ever_does() -> None:
    assert {group: found["worse rises"] for group, found in climbs().items()} == {
        "class A": 0,
        "class B": 0,
        "class C": 0,
    }


@pytest.mark.parametrize("equal", ["either way", "drawn again"])
def test_where_it_is_no_better_on_average_one_in_twenty_does_at_most(equal: str) -> None:
    assert max(found[equal] for found in climbs().values()) <= 0.05
