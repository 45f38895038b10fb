from __future__ import annotations

from itertools import combinations
from math import sqrt
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.statistics import change_percent, row_medians, theil_sen

NUMBERS = st.lists(st.integers(-1000, 1000).map(float), min_size=3, max_size=30)


def test_one_wild_value_does_not_move_the_slope():
    values = [10.0, 12, 14, 16, 9999, 20, 22, 24, 26]
    assert theil_sen(values).value == pytest.approx(2)


@given(NUMBERS)
def test_the_slope_is_the_median_of_all_pairwise_slopes(values):
    slopes = [(b - a) / (j - i) for (i, a), (j, b) in combinations(enumerate(values), 2)]
    found = theil_sen(values)
    assert found.value == pytest.approx(median(slopes))
    assert found.low <= found.value <= found.high


def test_sens_interval_by_hand():
    # n = 10: 45 slopes, sigma = sqrt(10 * 9 * 25 / 18) = 11.18, half = 21.91, so the interval is
    # from the slope at index floor(11.54) = 11 to that at ceil(33.46) = 34.
    values = [3.0, 1, 4, 1, 5, 9, 2, 6, 5, 3]
    slopes = sorted((b - a) / (j - i) for (i, a), (j, b) in combinations(enumerate(values), 2))
    assert sqrt(10 * 9 * 25 / 18) * 1.96 == pytest.approx(21.91, abs=0.01)
    found = theil_sen(values)
    assert (found.low, found.high) == (slopes[11], slopes[34])


@given(NUMBERS, st.sampled_from([0.5, 2.0, 8.0]))
def test_the_slope_scales_with_the_values(values, factor):
    assert theil_sen(np.array(values) * factor).value == pytest.approx(
        theil_sen(values).value * factor
    )


def test_a_straight_line_is_significant_and_noise_is_not():
    assert theil_sen(range(12)).significant
    assert not theil_sen([1.0, -1] * 8).significant


def test_positions_may_have_gaps():
    assert theil_sen([0.0, 4, 10], at=[0, 2, 5]).value == pytest.approx(2)


@pytest.mark.parametrize(("value", "reference", "change"), [(3, 2, 50), (0, 2, -100), (1, 0, None)])
def test_change_in_percent(value, reference, change):
    assert change_percent(value, reference) == change


def test_medians_of_rows_leave_out_what_is_no_number():
    rows = np.array([[3, 1, 2], [np.nan, 4, 2], [np.inf, 7, np.nan], [np.nan, np.nan, np.inf]])
    assert row_medians(rows) == pytest.approx([2, 3, 7, np.nan], nan_ok=True)
    assert len(row_medians(np.empty((0, 3)))) == 0
