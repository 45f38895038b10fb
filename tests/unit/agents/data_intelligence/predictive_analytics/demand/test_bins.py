"""Trees that are told classes are those that scikit-learn makes of the values themselves."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from agents.data_intelligence.predictive_analytics.demand.bins import MOST, Bins

CHANCE = np.random.default_rng(5)
ROWS = 3_000


def some_features():
    """Many values, some of them missing; few; none that tells anything; the same everywhere."""
    features = np.full((ROWS, 5), np.nan, dtype=np.float32)
    features[:, 0] = CHANCE.lognormal(0, 2, ROWS)
    features[:, 1] = np.where(CHANCE.random(ROWS) < 0.3, np.nan, CHANCE.normal(0, 1, ROWS))
    features[:, 2] = CHANCE.integers(0, 7, ROWS)
    features[:, 4] = 3.0
    return features


def trees():
    return HistGradientBoostingRegressor(max_iter=20, random_state=1, early_stopping=False)


def test_the_trees_are_those_of_the_values():
    learned, asked = some_features(), some_features()
    weight = CHANCE.gamma(1.0, 1.0, ROWS) + 0.01
    target = np.log(learned[:, 0]) + np.nan_to_num(learned[:, 1]) ** 2 * learned[:, 2]
    bins = Bins.of(learned, weight)
    ours = trees().fit(bins.codes(learned), target, sample_weight=weight)
    theirs = trees().fit(learned[:, :3], target, sample_weight=weight)
    for features in (learned, asked):
        expected = theirs.predict(features[:, :3])
        assert np.array_equal(ours.predict(bins.codes(features)), expected)


def test_each_class_has_its_share_of_the_weight():
    features = some_features()
    weight = np.where(features[:, 0] > 1, 9.0, 1.0)
    code = Bins.of(features, weight).codes(features)[:, 0].astype(int)
    shares = np.bincount(code, weight, minlength=MOST) / weight.sum()
    assert abs(shares - 1 / MOST).max() < 9.0 / weight.sum()


def test_what_tells_nothing_has_no_classes():
    features = some_features()
    bins = Bins.of(features, np.ones(ROWS))
    assert list(bins.edges) == [0, 1, 2]
    codes = bins.codes(features)
    assert np.array_equal(np.isnan(codes), np.isnan(features[:, :3]))
    assert np.array_equal(codes[:, 2], features[:, 2])
