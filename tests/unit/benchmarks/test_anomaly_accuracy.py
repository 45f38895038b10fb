"""The benchmark's scorer against NAB's own rules, on numbers small enough to check."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest

from benchmarks.anomaly.nab import PROFILES, Labelled, nab_score, rewards

STANDARD = PROFILES["standard"]


def sigmoid(y: float) -> float:
    return 2 / (1 + exp(5 * y)) - 1


FILE = Labelled("x", np.arange(200).astype("datetime64[s]"), np.zeros(200), [(50, 59), (120, 129)])


def rows(*marked: int) -> list[np.ndarray]:
    return [np.array(marked, dtype=np.intp)]


def test_the_best_and_the_silent_detector():
    assert nab_score([FILE], rows(50, 120), STANDARD) == pytest.approx(100)
    assert nab_score([FILE], rows(), STANDARD) == 0


def test_rewards_by_hand():
    reward, member = rewards(FILE, STANDARD)
    assert (reward[:30] == 0).all()
    assert reward[30:50] == pytest.approx(-0.11)
    assert reward[50] == pytest.approx(1)
    assert reward[59] == pytest.approx(sigmoid(-0.1) / sigmoid(-1))
    assert reward[60] == pytest.approx(0.11 * sigmoid(1 / 9))
    assert reward[59 + 28] == pytest.approx(-0.11)
    assert member[[49, 50, 59, 60, 125]].tolist() == [-1, 0, 0, -1, 1]


def test_only_the_earliest_hit_of_a_window_counts_and_each_false_alarm():
    raw = 1 + sigmoid(-0.5) / sigmoid(-1) - 2 * 0.11  # 120 at once, 55 of 50..59, two false
    got = nab_score([FILE], rows(35, 40, 55, 57, 120, 125), STANDARD)
    assert got == pytest.approx(100 * (raw + 2) / 4)


def test_alarms_in_the_probationary_period_are_free():
    assert nab_score([FILE], rows(3, 29, 50, 120), STANDARD) == pytest.approx(100)
