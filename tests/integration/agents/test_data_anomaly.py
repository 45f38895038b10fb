"""An unusual day: examined, screened without the figures, and verified against the store."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from agents.data_intelligence.anomaly_detection.examination import examine_anomaly
from agents.integration_specialist.data_synchronization.verification import verify_against_source
from agents.sre_reliability.system_monitoring.screening import screen_anomaly
from blocks.business.business import Business
from blocks.business.snapshots import take_snapshot
from blocks.errors import ConfigurationError, InvalidMessage, SourceUnavailable
from blocks.vocabulary.messages import AgentMessage, AgentReply, ErrorInfo, Outcome
from tests.integration.matrix_shop import NOW, MatrixShop
from tests.loopback import Reply, Request, serve

BULK = "INSERT INTO sold VALUES ('1-0', 'a', '2026-03-01T13:00:00', 30, 2.0)"


async def test_an_unusual_day_is_examined_and_confirmed_by_the_store(
    matrix_shop: MatrixShop,
) -> None:
    matrix_shop.sql(BULK)
    business = matrix_shop.business
    seen = await examine_anomaly(business, matrix_shop.ledger, NOW)
    revenue = next(d for d in seen.examined if d.metric.name == "revenue")
    assert (revenue.metric.value, revenue.metric.expected) == (84, 24)
    assert [(s.name, s.deviation) for s in revenue.skus] == [("Apple", 60)]

    result = json.loads(seen.model_dump_json())
    checked = await verify_against_source(business, NOW, result)
    assert checked.valid, checked.reason
    assert {f.name: f.actual for f in checked.checked} == {"revenue": 84, "orders": 3, "units": 39}

    matrix_shop.sql("DELETE FROM sold WHERE units = 30")
    refuted = await verify_against_source(business, NOW, result)
    assert not refuted.valid
    assert [f.name for f in refuted.checked if not f.agrees] == ["revenue", "units"]
    assert "revenue 24.00 instead of 84.00" in refuted.reason
    assert [f.kind for f in refuted.findings] == ["result-disagrees"]


async def test_a_snapshot_serves_for_an_hour(matrix_shop: MatrixShop) -> None:
    store = matrix_shop.business.store
    assert store
    await take_snapshot(store, matrix_shop.ledger, NOW)
    matrix_shop.file.unlink()
    hour = timedelta(hours=1)
    seen = await examine_anomaly(matrix_shop.business, matrix_shop.ledger, NOW + hour)
    assert seen.taken_at == NOW
    with pytest.raises(SourceUnavailable):
        await examine_anomaly(
            matrix_shop.business, matrix_shop.ledger, NOW + hour + timedelta(seconds=1)
        )


async def test_what_the_store_cannot_confirm_is_not_valid(matrix_shop: MatrixShop) -> None:
    business = matrix_shop.business
    for vague in (
        {},
        {"summary": "well"},
        {"day": "2026-03-01", "metrics": [{"name": "basket", "value": 8}]},
    ):
        seen = await verify_against_source(business, NOW, vague)
        assert (seen.valid, seen.checked) == (False, [])
    figures = [{"name": "revenue", "value": 24.01}]
    assert (
        await verify_against_source(business, NOW, {"day": "2026-03-01", "metrics": figures})
    ).valid  # less than a thousandth away
    assert (
        await verify_against_source(business, NOW, {"day": "2026-02-01", "metrics": figures})
    ).valid
    future = await verify_against_source(business, NOW, {"day": "2026-03-09", "metrics": figures})
    assert not future.valid
    assert "no sales on 2026-03-09" in future.reason
    with pytest.raises(InvalidMessage, match=r"result\.metrics\.0\.value"):
        await verify_against_source(
            business, NOW, {"day": "2026-03-01", "metrics": [{"name": "revenue", "value": "x"}]}
        )
    for nothing in (Business(None),):
        with pytest.raises(ConfigurationError, match="no store"):
            await verify_against_source(nothing, NOW, {})
        with pytest.raises(ConfigurationError, match="no store"):
            await examine_anomaly(nothing, matrix_shop.ledger, NOW)


async def test_without_the_figures_metrics_and_failed_calls_are_screened(
    matrix_shop: MatrixShop,
) -> None:
    start, step = NOW - timedelta(days=7), timedelta(minutes=5)
    times = [start + i * step for i in range(7 * 24 * 12 + 1)]

    def prometheus(request: Request) -> Reply:
        wild = request.query["query"] == "queue"
        values = [
            [t.timestamp(), str(900 if wild and t > NOW - timedelta(hours=1) else 10 + i % 3)]
            for i, t in enumerate(times)
        ]
        return Reply(json.dumps({"status": "success", "data": {"result": [{"values": values}]}}))

    async with serve(prometheus) as server:
        await matrix_shop.service("web", None, history_url=server.url, metrics=["queue", "cpu"])
        await matrix_shop.service(
            "gone", None, history_url="http://127.0.0.1:1", metrics=["memory"]
        )
        typo = AgentMessage(recipient="data-intelligence", action="analyze", timestamp=NOW)
        refused = AgentReply(
            message_id=typo.id,
            sender="data-intelligence",
            outcome=Outcome.FAILED,
            error=ErrorInfo(code="invalid-message", what="There is no metric 'x'."),
        )
        matrix_shop.ledger.record(typo, refused)
        for failed in (True, False, False):
            asked = AgentMessage(recipient="data-intelligence", action="analyze", timestamp=NOW)
            reply = AgentReply(
                message_id=asked.id,
                sender="data-intelligence",
                outcome=Outcome.FAILED if failed else Outcome.SUCCEEDED,
                error=ErrorInfo(code="source-timeout", what="late") if failed else None,
            )
            matrix_shop.ledger.record(asked, reply)
        await matrix_shop.ledger.flush()
        business, ledger = matrix_shop.business, matrix_shop.ledger
        seen = await screen_anomaly(business, ledger, NOW, metric="revenue")
        alone = await screen_anomaly(business, ledger, NOW, metric="cpu")
    assert (seen.degraded, seen.metrics, seen.unusual) == (True, 2, ["metric:web/queue"])
    assert [note.split(":")[1] for note in seen.missing] == ["gone/memory"]
    assert (seen.calls, seen.failed) == (3, {"source-timeout": 1})
    assert {f.kind for f in seen.findings} == {"metric-anomaly", "calls-failing"}
    assert seen.summary.startswith("Without the business's own figures: queue of web was far above")
    assert (alone.metrics, alone.unusual, alone.missing) == (1, [], [])
