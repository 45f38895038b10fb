"""What is rare: levels that are passed as seldom as asked, and what of alarms is remembered."""

from __future__ import annotations

import numpy as np
import pytest

from agents.data_intelligence.anomaly_detection.rarity import (
    GROWTH,
    LEARNED,
    LEAST_BLOCKS,
    REMEMBERED,
    Rarity,
    return_level,
)

HOURS = np.datetime64("2026-01-01T00", "h") + np.arange(5000)
RNG = np.random.default_rng(3)


def levels(sizes: list[float] | np.ndarray, per_week: float = 1.0) -> np.ndarray:
    return Rarity(per_week).follow(HOURS[: len(sizes)], np.asarray(sizes, dtype=float))[0]


def test_a_level_by_hand():
    # Of 20 maxima the 8 greatest are 13 to 20, above 12: mean excess 4.5.
    maxima = np.arange(1.0, 21.0)
    rarer = 8 / (20 * 0.01)
    assert return_level(maxima, 0.01) == pytest.approx(12 + 8 * 4.5 * (rarer ** (1 / 8) - 1))


def test_the_level_is_passed_as_seldom_as_asked():
    share = 1 / 168
    found = [return_level(RNG.exponential(size=n), share) for n in [672] * 300]
    assert np.exp(-np.array(found)).mean() == pytest.approx(share, rel=0.2)


def test_the_less_is_known_the_higher_is_the_level():
    wanted = {
        n: [return_level(RNG.exponential(size=n), 1 / 168) for _ in range(400)]
        for n in (12, 48, 672)
    }
    means = [float(np.mean(each)) for each in wanted.values()]
    assert means == sorted(means, reverse=True)
    # Even then it is passed no oftener than asked.
    assert np.exp(-np.array(wanted[12])).mean() <= 1.5 / 168


def test_counts_come_in_steps():
    counts = RNG.poisson(0.5, size=(300, 672)).astype(float)
    found = np.array([return_level(each, 1 / 168) for each in counts])
    passed = np.mean([(RNG.poisson(0.5, size=5000) >= level).mean() for level in found])
    assert passed <= 1.5 / 168


def test_nothing_is_rare_before_enough_is_known():
    found = levels(np.ones(LEAST_BLOCKS + 2))
    assert np.isnan(found[:LEAST_BLOCKS]).all()
    assert not np.isnan(found[LEAST_BLOCKS:]).any()


def test_an_alarmed_hour_counts_as_little_more_than_the_level():
    calm = RNG.exponential(size=400)
    once = calm.copy()
    once[300] = 1e9
    without, with_it = levels(calm), levels(once)
    assert with_it[300] == without[300]
    assert with_it[-1] <= GROWTH * without[-1] * 1.1


def test_what_stays_is_learned_and_what_passes_is_not():
    calm = RNG.exponential(size=400)
    stays, passes = calm.copy(), calm.copy()
    stays[300:] += 50
    passes[300 : 300 + LEARNED // 2] += 50
    before = levels(calm)[300]
    assert levels(passes)[-1] < 2 * before
    learned = levels(stays)
    assert learned[300 + LEARNED - 1] < 2 * before
    assert learned[300 + 2 * LEARNED + 1] > 50


def test_four_weeks_are_remembered():
    rarity = Rarity(1.0)
    long_ago = np.r_[np.full(REMEMBERED, 100.0), np.full(REMEMBERED, 1.0)]
    found, typical = rarity.follow(HOURS[: len(long_ago)], long_ago)
    assert (found[REMEMBERED - 1], typical[REMEMBERED - 1]) == (100, 100)
    rarity.follow(HOURS[len(long_ago) : len(long_ago) + 2], np.ones(2))
    assert (rarity.level, rarity.typical) == (1, 1)


def test_unknown_sizes_teach_nothing():
    some = RNG.exponential(size=100)
    gaps = np.full(200, np.nan)
    gaps[::2] = some
    rarity = Rarity(1.0)
    rarity.follow(HOURS[:200], gaps)
    assert rarity.level > some.mean()
    assert np.isnan(levels(np.full(100, np.nan))).all()


@pytest.mark.parametrize("apart", [24, 24 * 7])
def test_a_metric_that_is_seldom_sampled_is_not_judged_by_the_week(apart: int):
    sizes = RNG.exponential(size=200)
    rarity = Rarity(1.0)
    rarity.follow(HOURS[0] + apart * np.arange(200), sizes)
    assert rarity.level > np.quantile(sizes, 0.99)
