"""Lead times learned from our own orders."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from agents.integration_specialist.external_connections.delivery_times import (
    ENOUGH_DELIVERIES,
    learn,
    with_learned_times,
)
from blocks.ledger.purchasing.orders import LeadTime

DAY = date(2026, 3, 1)


def took(*days: int, promised: int | None = None) -> list[LeadTime]:
    by = None if promised is None else DAY + timedelta(days=promised)
    return [LeadTime(DAY, by, DAY + timedelta(days=each), 10) for each in days]


def offers(**days: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"supplier": name, "sku": f"{name}{n}", "lead_time_days": each}
            for name, some in days.items()
            for n, each in enumerate(some)
        ]
    )


def test_a_distribution_is_told_with_what_it_rests_on():
    times = learn(took(4, 5, 6, 7, 8, 9, 10, 11, 12, 13, promised=10))
    assert times is not None
    assert (times.deliveries, times.mean, times.median) == (10, 8.5, 8.5)
    assert times.p90 == pytest.approx(12.1)
    assert times.deviation == pytest.approx(np.std(range(4, 14), ddof=1))
    assert times.late == pytest.approx(0.3)


def test_of_nothing_nothing_is_learned_and_of_one_no_spread():
    assert learn([]) is None
    one = learn(took(4))
    assert one is not None
    assert (one.deviation, one.late, one.counts) == (None, None, False)


def test_enough_deliveries_take_the_place_of_the_promise():
    days = [7.0] * (ENOUGH_DELIVERIES - 1) + [15.0]
    learned = {"acme": learn(took(*map(int, days))), "globex": learn(took(*([9] * 7)))}
    found = with_learned_times(offers(acme=[5, 5], globex=[5], other=[3]), learned)
    assert found["lead_time_days"].tolist() == [8.0, 8.0, 5.0, 3.0]
    assert found["lead_time_deviation"].notna().tolist() == [True, True, False, False]


def test_a_supplier_that_promises_other_days_for_other_items_keeps_its_promise():
    learned = {"acme": learn(took(*([9] * ENOUGH_DELIVERIES)))}
    found = with_learned_times(offers(acme=[5, 20]), learned)
    assert found["lead_time_days"].tolist() == [5, 20]
