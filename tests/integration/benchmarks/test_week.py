"""A few days of the sample business, as the benchmark lives through them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from benchmarks.week.__main__ import figures
from benchmarks.week.days import TROUBLES, live
from blocks.ledger.purchasing.records import OrderStage
from blocks.settings import get_settings
from deployments.sample.ordering.books import SupplierBook
from deployments.sample.store import shop_today


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for variable in ("ORCHESTRATOR_BUSINESS_FILE", "ORCHESTRATOR_STATE_DIR"):
        monkeypatch.setenv(variable, os.environ.get(variable, ""))  # put back afterwards
    yield tmp_path
    get_settings.cache_clear()


@pytest.mark.slow
async def test_what_is_let_is_on_the_suppliers_books_once_and_comes(folder, monkeypatch) -> None:
    """Midland delivers within two days and its late ones a day later."""
    monkeypatch.setattr("benchmarks.week.days.TROUBLES", TROUBLES[1:2])
    lived = await live(folder, shop_today(), 5)
    told = figures(folder, lived)
    assert told["orders proposed"] == told["asked and let"] == len(lived.orders) > 0
    assert told["orders on suppliers' books"] == len(lived.orders)
    assert told["orders there more than once"] == told["orders there that we do not know"] == 0
    stages = Counter((order.supplier, order.stage) for order in lived.orders)
    first = [o for o in lived.orders if o.proposed_at.date() == shop_today()]
    express = [order for order in first if order.supplier == "midland-express"]
    assert all(order.stage is OrderStage.RECEIVED for order in express), stages
    for order in lived.orders:
        booked = SupplierBook(folder, order.supplier).of(order.reference)
        assert [line.sku for line in booked[0].lines] == [line.sku for line in order.lines]
        assert booked[0].ordered_on >= shop_today()
        assert booked[0].ordered_on < shop_today() + timedelta(days=5)
