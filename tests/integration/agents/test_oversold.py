"""A shop whose best seller is oversold, read from its database and told by every agent."""

from __future__ import annotations

import sqlite3
import tomllib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from agents.data_intelligence.business_intelligence.analysis import run_analysis
from agents.data_intelligence.pattern_recognition.events import process_event
from agents.data_intelligence.predictive_analytics.stock_estimate import estimate_stock
from agents.integration_specialist.data_synchronization.stock import sync_stock
from agents.sre_reliability.performance_optimization import stock
from agents.sre_reliability.performance_optimization.insights import Insights
from blocks.business.business import Business
from blocks.ledger import Ledger
from blocks.store.block import StoreDatabase
from blocks.vocabulary.gaps import left_out
from blocks.vocabulary.messages import Severity
from flows.reports import business as told
from tests.integration.matrix_shop import event
from tests.shops import FOLDER, NOW, fill

Shop = Callable[..., StoreDatabase]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The shop's store, after some more statements, with further columns of its stock."""
    monkeypatch.setenv("ORCHESTRATOR_DATA_FOLDERS", str(tmp_path))

    def make(*statements: str, **stock_columns: str) -> StoreDatabase:
        file = tmp_path / "shop.db"
        url = fill(f"sqlite:///{file}", "oversold")
        with closing(sqlite3.connect(file)) as connection, connection:
            for statement in statements:
                connection.execute(statement)
        given: dict[str, Any] = tomllib.loads((FOLDER / "oversold.toml").read_text())["store"]
        given["frames"]["stock"]["columns"] |= stock_columns
        return StoreDatabase(url=SecretStr(url), **given)

    return make


async def test_the_best_seller_that_is_oversold_comes_first_with_what_is_owed(shop: Shop) -> None:
    snapshot = await shop().read_snapshot(NOW)
    done = run_analysis(snapshot, NOW)
    assert done.analysis
    assert done.analysis.stock
    risk, patterns = done.analysis.stock, done.analysis.patterns
    (item,) = risk.out_of_stock
    assert (item.sku, item.on_hand, item.owed) == ("A", -3, 3)
    assert item.demand_per_day == pytest.approx(8)
    assert item.lost_units == pytest.approx(7 * 8 + 3)
    assert (risk.at_risk, risk.stock_value) == ([], 5000)

    first = done.findings[0]
    assert (first.resource, first.severity) == ("sku:A", Severity.ERROR)
    assert first.title == (
        "Bestseller, oversold is out of stock, 3 owed to customers; 8.0 a day are wanted"
    )

    (proposal,) = stock.replenish(Insights.read({"stock_risk": risk}).stock_risk, "EUR")
    assert proposal.title == (
        "Order 283 units of Bestseller, oversold now; 3 are owed to customers"
    )

    # 120 flat days: the quarter before the last has but 29 of its 91.
    assert [(s.sku, s.share, s.change_percent) for s in patterns.top_by_revenue] == [
        ("A", pytest.approx(0.8), None),
        ("B", pytest.approx(0.2), None),
    ]
    assert patterns.trend
    assert patterns.trend.direction == "flat"


async def test_the_report_shows_what_is_owed_and_what_the_money_is(shop: Shop) -> None:
    snapshot = await shop().read_snapshot(NOW)
    done = run_analysis(snapshot, NOW)
    assert done.daily
    assert done.analysis
    parts = [told.trade(done.daily, "EUR")]
    parts += told.analysis(done.analysis, "EUR", 10, beside_trade=True)
    by_title = {part.title.split(" (")[0]: part for part in parts}
    risk = by_title["Stock at risk"]
    assert "3 units of 1 item are owed to customers. Judged by what is on hand" in risk.text
    rows = [dict(zip(risk.tables[0].columns, row, strict=True)) for row in risk.tables[0].rows]
    assert [(row["SKU"], row["On hand"], row["Owed"]) for row in rows] == [("A", -3, 3)]
    sellers = by_title["What sells"].tables[0]
    assert [row[-1] for row in sellers.rows] == ["—", "—"]
    assert "with tax, less discounts" in parts[0].text


async def test_what_is_reserved_is_not_free(shop: Shop) -> None:
    store = shop(
        "ALTER TABLE stock ADD COLUMN held int",
        "UPDATE stock SET qty = 70, held = 30 WHERE sku = 'A'",
        reserved="held",
    )
    done = run_analysis(await store.read_snapshot(NOW), NOW)
    assert done.analysis
    assert done.analysis.stock
    (item,) = done.analysis.stock.at_risk
    assert (item.on_hand, item.reserved, item.free) == (70, 30, 40)  # of 56 that are wanted
    assert "40 units (free: 40, 70 on hand less 30 reserved)" in done.findings[0].title


async def test_whoever_counts_estimates_or_is_asked_tells_what_is_owed(
    shop: Shop, tmp_path: Path
) -> None:
    business = Business(shop(), (), ())
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        counted = await sync_stock(business, ledger, NOW)
        assert (counted.on_hand, counted.units, counted.owed) == ({"A": -3, "B": 500}, 500, 3)
        seen = await estimate_stock(business, ledger, NOW)
        assert (seen.on_hand["A"], seen.owed) == (-3, 3)
        said = await process_event(event("sku:A"), business, ledger, NOW)
    assert said.assessment == (
        "Bestseller, oversold sells 8.0 a day: none are left, and 3 are owed to customers."
    )
    assert said.severity is Severity.WARNING
    assert said.advice.endswith("Serve the 3 owed first.")


async def test_a_young_shop_sells_as_much_a_day_as_it_does(shop: Shop, tmp_path: Path) -> None:
    business = Business(shop("DELETE FROM order_lines WHERE ordered_at < '2026-11-15'"), (), ())
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        await sync_stock(business, ledger, NOW)
        said = await process_event(event("sku:B"), business, ledger, NOW)
    assert said.assessment == "Normal sells 2.0 a day: 500 left, enough for 250 days."


async def test_a_discount_and_an_item_without_a_price_make_no_figure_that_is_none(
    shop: Shop,
) -> None:
    store = shop(
        "UPDATE products SET price = NULL",
        "INSERT INTO products VALUES ('C', 'Never sold', NULL)",
        "INSERT INTO stock VALUES ('C', 4)",
        "INSERT INTO order_lines VALUES (1, 'A', '2026-11-28 12:00', 1, -5.0)",
    )
    snapshot = await store.read_snapshot(NOW)
    done = run_analysis(snapshot, NOW)
    assert done.daily
    assert done.analysis
    assert done.analysis.stock
    revenue = done.daily.metric("revenue")
    assert revenue is not None
    assert revenue.value == 95
    assert done.analysis.stock.unpriced == 1
    text = done.model_dump_json() + told.stock(done.analysis.stock, "EUR", 5).model_dump_json()
    assert "NaN" not in text
    assert "No price is known of 1 item" in text
    assert "3 products without a price" in {f.title.split(" (")[0] for f in done.findings}


async def test_a_line_that_cannot_be_read_is_told_with_its_share(shop: Shop) -> None:
    store = shop("UPDATE order_lines SET qty = 'x' WHERE order_id <= 10")
    snapshot = await store.read_snapshot(NOW)
    (gap,) = left_out(snapshot)
    assert gap.rows == 10
    assert gap.matters
