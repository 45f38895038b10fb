"""The distribution of demand against one that is written out, SKU by SKU."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.data_intelligence.predictive_analytics.spread import Spread, pooled_spread

WHOLE = st.integers(-3, 6).map(float)
"""Small whole numbers, so that demand often equals what there is."""

ODD = st.floats(-3, 6, allow_nan=False).map(lambda x: round(x, 3))


def demand_of(spread: Spread, sku: int) -> np.ndarray:
    errors = spread.errors[spread.group[sku]]
    return np.maximum(spread.mean[sku] + spread.scale[sku] * errors, 0.0)


def plain_chance(spread: Spread, units: np.ndarray) -> list[float]:
    return [float((demand_of(spread, i) > u).mean()) for i, u in enumerate(units)]


def plain_shortage(spread: Spread, units: np.ndarray) -> list[float]:
    lost = []
    for i, u in enumerate(units):
        demand = demand_of(spread, i)
        factor = spread.mean[i] / demand.mean() if demand.mean() > 0 else 0.0
        lost.append(float(np.maximum(factor * demand - u, 0.0).mean()))
    return lost


@given(
    st.sampled_from([WHOLE, ODD]).flatmap(
        lambda number: st.tuples(
            st.lists(st.lists(number, min_size=1, max_size=9), min_size=1, max_size=3),
            st.lists(
                st.tuples(number.map(abs), number.map(abs), number, st.integers(0, 2)),
                min_size=1,
                max_size=6,
            ),
        )
    )
)
def test_risk_and_shortage_are_what_counting_every_case_gives(drawn):
    errors, skus = drawn
    mean, scale, units, group = (np.array(column) for column in zip(*skus, strict=True))
    spread = Spread(mean, scale, [np.sort(e) for e in errors], group % len(errors))
    assert spread.exceeds(units) == pytest.approx(plain_chance(spread, units))
    assert spread.shortage(units) == pytest.approx(plain_shortage(spread, units), abs=1e-9)


def test_demand_that_equals_what_there_is_does_not_exceed_it():
    # 0.1 + 3 * 0.1 is not 0.4 in floating point: the very demand is compared, no inverse of it.
    spread = Spread(np.array([0.1]), np.array([3.0]), [np.array([0.1])], np.array([0]))
    assert spread.exceeds(np.array([0.1 + 3.0 * 0.1])) == [0.0]


def test_what_is_owed_is_short_in_every_case():
    spread = Spread(np.array([2.0]), np.array([1.0]), [np.array([-5.0, 1.0])], np.array([0]))
    assert spread.exceeds(np.array([-4.0])) == [1.0]
    assert spread.shortage(np.array([-4.0])) == pytest.approx([2.0 + 4.0])


def test_a_group_with_few_errors_takes_those_of_all():
    mean = np.arange(1.0, 601.0)
    scaled = np.tile(np.linspace(-1, 1, 10), (600, 1))
    valid = np.ones_like(scaled, dtype=bool)
    valid[:150, 1:] = False  # the slowest quarter has 150 errors, the others 1,500 each
    spread = pooled_spread(mean, mean, scaled, valid)
    assert [len(errors) for errors in spread.errors] == [150, 1500, 1500, 1500]
    valid[150:300] = False
    valid[150:160, :9] = True  # 90 are too few, 150 are not
    spread = pooled_spread(mean, mean, scaled, valid)
    assert [len(errors) for errors in spread.errors] == [150, 3240, 1500, 1500]
