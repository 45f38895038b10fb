"""The file of a nightly fit: what is written comes back, and what is broken counts as missing."""

from __future__ import annotations

from dataclasses import fields
from datetime import date, timedelta

import numpy as np
import pytest

from agents.data_intelligence.predictive_analytics.demand import rates as module
from agents.data_intelligence.predictive_analytics.demand.rates import Rates

DAY = date(2026, 3, 2)


def rates_of(skus=("a", "ж\n", "c")) -> Rates:
    count = len(skus)
    return Rates(
        store="shop",
        fitted_on=DAY,
        skus=list(skus),
        weekly=np.arange(count * 3, dtype=np.float32).reshape(count, 3),
        group=np.arange(count, dtype=np.uint8) % 2,
        dispersion=np.ones(count, dtype=np.float32),
        outside=np.full(count, 0.25, dtype=np.float32),
        horizons=np.array([1, 2], dtype=np.int32),
        errors=np.linspace(-1, 1, 20, dtype=np.float32).reshape(2, 2, 5),
        groups=["smooth 0", "new 0"],
    )


def test_what_is_saved_comes_back(tmp_path):
    path = tmp_path / "rates.npz"
    rates_of(("old",)).save(path)
    rates_of().save(path)
    back = Rates.load(path)
    for field in fields(Rates):
        there, here = getattr(back, field.name), getattr(rates_of(), field.name)
        assert np.array_equal(there, here), field.name
        assert getattr(there, "dtype", None) == getattr(here, "dtype", None)
    assert [file.name for file in tmp_path.iterdir()] == ["rates.npz"]


def test_missing_is_none(tmp_path):
    assert Rates.load(tmp_path / "none.npz") is None
    assert Rates.load(tmp_path) is None


def test_half_a_file_is_none(tmp_path):
    path = tmp_path / "rates.npz"
    rates_of().save(path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 37):
        path.write_bytes(whole[:length])
        assert Rates.load(path) is None


def test_a_flipped_byte_is_none_or_harmless(tmp_path):
    path = tmp_path / "rates.npz"
    rates_of().save(path)
    whole = path.read_bytes()
    for at in range(0, len(whole), 11):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        back = Rates.load(path)
        assert back is None or np.array_equal(back.weekly, rates_of().weekly)


def test_another_format_is_none(tmp_path, monkeypatch):
    path = tmp_path / "rates.npz"
    monkeypatch.setattr(module, "FORMAT", module.FORMAT - 1)
    rates_of().save(path)
    monkeypatch.undo()
    assert Rates.load(path) is None


def test_a_pickle_is_not_opened(tmp_path):
    path = tmp_path / "rates.npz"
    np.savez(path, told=np.array([{"format": 1}], dtype=object), allow_pickle=True)
    assert Rates.load(path) is None


@pytest.mark.parametrize(
    "change",
    [
        {"skus": ["a", "b"]},
        {"group": np.array([0, 1, 2], dtype=np.uint8)},
        {"weekly": np.full((3, 3), np.nan, dtype=np.float32)},
        {"horizons": np.array([1], dtype=np.int32)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_parts_that_do_not_fit_are_none(tmp_path, change):
    path = tmp_path / "rates.npz"
    whole = {field.name: getattr(rates_of(), field.name) for field in fields(Rates)}
    Rates(**(whole | change)).save(path)
    assert Rates.load(path) is None


def test_they_are_fresh_for_a_week():
    rates = rates_of()
    fresh = [days for days in range(-3, 12) if rates.fresh(DAY + timedelta(days=days))]
    assert fresh == list(range(8))
