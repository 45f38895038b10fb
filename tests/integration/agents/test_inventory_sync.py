"""The stock: counted in a real store, estimated when it is gone, watched while it is counted."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from agents.data_intelligence.predictive_analytics.stock_estimate import estimate_stock
from agents.integration_specialist.data_synchronization.stock import sync_stock
from agents.sre_reliability.system_monitoring import watching
from agents.sre_reliability.system_monitoring.watching import watch_run
from blocks.business.business import Business
from blocks.errors import ConfigurationError, EmptySource, InvalidMessage, SourceUnavailable
from blocks.vocabulary.messages import AgentMessage, AgentReply, Outcome
from blocks.vocabulary.responses import StockLevels
from tests.integration.matrix_shop import NOW, MatrixShop


async def test_the_stock_is_counted_kept_and_compared(matrix_shop: MatrixShop) -> None:
    ledger, business = matrix_shop.ledger, matrix_shop.business
    first = await sync_stock(business, ledger, NOW)
    assert (first.on_hand, first.compared_with) == ({"a": 60, "b": 0}, None)

    matrix_shop.sql(
        "UPDATE shelf SET units = 54 WHERE sku = 'a'", "INSERT INTO shelf VALUES ('c', 8)"
    )
    later = NOW + timedelta(hours=1)
    second = await sync_stock(business, ledger, later)
    assert (second.added, second.removed, second.units_delta) == (["c"], [], 2)
    assert [(c.sku, c.delta) for c in second.changed] == [("a", -6)]
    assert second.compared_with == NOW
    kept = await ledger.snapshots.latest("shop")
    assert kept
    assert (kept.taken_at, len(kept.frames["stock"])) == (later, 3)


async def test_nothing_stands_in_for_a_store_that_cannot_be_read(matrix_shop: MatrixShop) -> None:
    await sync_stock(matrix_shop.business, matrix_shop.ledger, NOW)
    matrix_shop.file.unlink()
    with pytest.raises(SourceUnavailable, match="gone"):
        await sync_stock(matrix_shop.business, matrix_shop.ledger, NOW)


async def test_the_estimate_takes_over_from_the_last_count(matrix_shop: MatrixShop) -> None:
    ledger, business = matrix_shop.ledger, matrix_shop.business
    with pytest.raises(EmptySource, match="No snapshot of shop") as refused:
        await estimate_stock(business, ledger, NOW)
    assert "sync_stock" in refused.value.hint
    counted = await sync_stock(business, ledger, NOW)
    matrix_shop.file.unlink()
    seen = await estimate_stock(business, ledger, NOW + timedelta(days=9))
    # 60 apples less 6 a day for 9 days; the 20 that were due on the 10th are expected, too.
    assert seen.on_hand == pytest.approx({"a": 26, "b": 0}, abs=0.01)
    assert (seen.low["a"], seen.high["a"]) == (pytest.approx(6, abs=0.01), pytest.approx(26))
    assert seen.degraded
    assert isinstance(counted, StockLevels)  # whoever reads a count can read an estimate
    assert isinstance(seen, StockLevels)


async def test_without_a_store_both_say_what_to_do(matrix_shop: MatrixShop) -> None:
    for action in (sync_stock, estimate_stock):
        with pytest.raises(ConfigurationError, match="has no store"):
            await action(Business(None), matrix_shop.ledger, NOW)


async def test_a_watch_ends_with_the_reply(
    matrix_shop: MatrixShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_EVERY", 0.01)
    ledger = matrix_shop.ledger
    asked = AgentMessage(recipient="integration-specialist", action="sync_stock")
    watch = asyncio.create_task(watch_run(ledger, "inventory_sync", asked.id, limit_s=60))
    ledger.record(asked)
    await ledger.flush()
    await asyncio.sleep(0)
    assert not watch.done()
    ledger.record(
        AgentReply(message_id=asked.id, sender="integration-specialist", outcome=Outcome.SUCCEEDED)
    )
    verdict = await watch
    assert not verdict.stop
    assert verdict.reason == "integration-specialist.sync_stock has answered: it succeeded."
    # An answer that is there already needs one look.
    assert (await watch_run(ledger, "inventory_sync", asked.id)).looks == 1


async def test_a_watch_says_stop_when_the_time_is_over(
    matrix_shop: MatrixShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_EVERY", 0.01)
    ledger = matrix_shop.ledger
    asked = AgentMessage(recipient="integration-specialist", action="sync_stock")
    ledger.record(asked)
    await ledger.flush()
    for message_id in (asked.id, "not-sent-yet"):
        verdict = await watch_run(ledger, "inventory_sync", message_id, limit_s=0.05)
        assert verdict.stop
        assert "has not been done within 0.05 s" in verdict.summary
    for limit in (0, -1, 601, float("nan")):
        with pytest.raises(InvalidMessage, match="limit_s is"):
            await watch_run(matrix_shop.ledger, "inventory_sync", "unknown", limit_s=limit)
