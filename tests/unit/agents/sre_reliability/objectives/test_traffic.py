"""Sums over windows, against adding up what lies in them."""

import random

import numpy as np
import pytest

from agents.sre_reliability.objectives.traffic import MAX_COUNT, Bucket, Columns, Sums, Traffic
from blocks.errors import InvalidMessage


def columns(buckets: list[Bucket]) -> Columns:
    numbers = np.array(buckets, dtype=np.int64).reshape(-1, 3)
    return Columns(numbers[:, 0], numbers[:, 1], numbers[:, 2])


def added_up(buckets: list[Bucket], at: int, length: int, holds: int | None) -> Sums:
    seconds = sorted({b.second for b in buckets})

    def is_known(second: int) -> bool:
        before = [s for s in seconds if s <= second]
        return bool(before) and (holds is None or second - before[-1] < holds)

    window = range(at - length + 1, at + 1)
    inside = [b for b in buckets if b.second in window]
    return Sums(
        sum(b.total for b in inside), sum(b.bad for b in inside), sum(map(is_known, window))
    )


@pytest.mark.parametrize("holds", [None, 1, 7, 40])
@pytest.mark.parametrize("seed", range(5))
def test_windows_are_what_lies_in_them_in_whatever_order_it_came(holds, seed):
    chance = random.Random(seed)
    traffic, buckets = Traffic(holds=holds), []
    for _ in range(60):
        total = chance.randrange(5)
        bucket = Bucket(chance.randrange(300), total, chance.randint(0, total))
        traffic.add(bucket)
        buckets.append(bucket)
        at, length = chance.randrange(-10, 350), chance.randrange(1, 200)
        assert traffic.window(at, length) == added_up(buckets, at, length, holds)
        assert traffic.bad_in(at, length) == added_up(buckets, at, length, holds).bad


@pytest.mark.parametrize("holds", [None, 30])
def test_what_is_forgotten_is_needed_by_no_window(holds):
    buckets = [Bucket(second, 3, second % 2) for second in range(0, 1000, 10)]
    traffic, all_of_it = (Traffic.of(columns(buckets), holds=holds) for _ in range(2))
    traffic.forget(805)
    assert traffic.first == 800
    traffic.add(Bucket(807, 1, 1))
    all_of_it.add(Bucket(807, 1, 1))
    for at in range(806, 1100):
        for length in range(1, at - 804, 7):
            assert traffic.window(at, length) == all_of_it.window(at, length)


@pytest.mark.parametrize("holds", [None, 3])
def test_many_at_once_are_as_one_by_one(holds):
    buckets = [Bucket(5, 3, 1), Bucket(9, 2, 2), Bucket(10, 0, 0), Bucket(30, 4, 0)]
    at_once, one_by_one = Traffic.of(columns(buckets), holds=holds), Traffic(holds=holds)
    for bucket in buckets:
        one_by_one.add(bucket)
    assert (at_once.first, at_once.last) == (5, 30)
    for traffic in (at_once, one_by_one):
        traffic.add(Bucket(12, 1, 1))
        traffic.add(Bucket(40, 1, 1))
    for at in range(60):
        assert at_once.window(at, 20) == one_by_one.window(at, 20)
    assert Traffic.of(columns([])).window(20, 30) == Traffic().window(20, 30) == Sums(0, 0, 0)


@pytest.mark.parametrize(("total", "bad"), [(1, 2), (-1, -1), (1, -1), (MAX_COUNT + 1, 0)])
def test_counts_that_cannot_be_are_refused(total, bad):
    with pytest.raises(InvalidMessage, match="cannot be"):
        Traffic().add(Bucket(5, total, bad))
