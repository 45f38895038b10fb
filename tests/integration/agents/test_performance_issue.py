"""Slowness: diagnosed by probing, held against every connection, or judged from the ledger."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from agents.data_intelligence.anomaly_detection.latency import analyze_latency_history
from agents.integration_specialist.api_management import prepare_performance_context
from agents.sre_reliability.performance_optimization import diagnosis
from agents.sre_reliability.performance_optimization.diagnosis import analyze_performance
from blocks.errors import InvalidMessage
from blocks.vocabulary.messages import AgentMessage, AgentReply, Outcome
from tests.integration.matrix_shop import NOW, MatrixShop
from tests.loopback import Reply

SLOW = Reply('{"status": "ok"}', pause=0.01)


@pytest.fixture(autouse=True)
def _short_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "GAP", 0.01)


async def test_a_slow_service_among_fast_connections_is_itself_to_blame(
    matrix_shop: MatrixShop,
) -> None:
    await matrix_shop.service("checkout", SLOW, latency_budget_ms=50)
    await matrix_shop.service("search")
    await matrix_shop.supplier("acme")
    business, ledger = matrix_shop.business, matrix_shop.ledger
    context = await prepare_performance_context(business, NOW, service="checkout")
    handed = json.loads(context.model_dump_json())
    assert {c["name"]: c["reached"] for c in handed["connections"]} == dict.fromkeys(
        ("shop", "acme", "checkout", "search"), True
    )
    assert "not checkout" in context.summary

    seen = await analyze_performance(business, ledger, NOW, service="checkout", context=handed)
    (checkout,) = seen.services
    assert (checkout.probes, checkout.answered, checkout.over_budget) == (7, 7, True)
    assert seen.whose == "service"
    assert "3 of 3 other connections are in time" in seen.summary
    everything = await analyze_performance(business, ledger, NOW)
    assert [s.name for s in everything.services] == ["checkout", "search"]
    assert everything.whose == "unclear"


async def test_a_service_that_is_down_is_asked_no_further(matrix_shop: MatrixShop) -> None:
    await matrix_shop.service(
        "checkout", None, history_url="http://127.0.0.1:1", metrics=["latency"]
    )
    seen = await analyze_performance(matrix_shop.business, matrix_shop.ledger, NOW)
    assert (seen.services[0].probes, seen.services[0].answered) == (2, 0)
    assert [f.kind for f in seen.findings] == ["service-down"]
    assert seen.missing[0].startswith("checkout/latency: ")


async def test_what_is_no_service_or_no_context_is_refused(matrix_shop: MatrixShop) -> None:
    await matrix_shop.service("checkout")
    business, ledger = matrix_shop.business, matrix_shop.ledger
    with pytest.raises(InvalidMessage, match="no service 'chekout'"):
        await analyze_performance(business, ledger, NOW, service="chekout")
    with pytest.raises(InvalidMessage, match="no service 'chekout'"):
        await analyze_latency_history(business, ledger, NOW, service="chekout")
    with pytest.raises(InvalidMessage, match=r"Did you mean service:checkout"):
        await prepare_performance_context(business, NOW, service="chekout")
    with pytest.raises(InvalidMessage, match=r"context\.connections\.0\.kind"):
        await analyze_performance(business, ledger, NOW, context={"connections": [{"name": "x"}]})


async def test_the_ledger_alone_tells_of_slowness(matrix_shop: MatrixShop) -> None:
    await matrix_shop.service("checkout", None, latency_budget_ms=50)
    ledger = matrix_shop.ledger
    for hours_ago, ms in [*((2 + i, 10.0) for i in range(8)), (0.5, 90.0)]:
        asked = AgentMessage(
            recipient="sre-reliability",
            action="assess_health",
            timestamp=NOW - timedelta(hours=hours_ago),
        )
        services = [{"name": "checkout", "latency_ms": ms, "budget_ms": 50}]
        reply = AgentReply(
            message_id=asked.id,
            sender="sre-reliability",
            outcome=Outcome.SUCCEEDED,
            payload={"result": {"services": services}},
            duration_ms=ms,
        )
        ledger.record(asked, reply)
    await ledger.flush()
    seen = await analyze_latency_history(matrix_shop.business, ledger, NOW)
    assert seen.degraded
    assert {f.resource for f in seen.findings} == {
        "service:checkout",
        "action:sre-reliability.assess_health",
    }
    assert (seen.services[0].latency_ms, seen.services[0].usual_ms) == (90, 10)
    # The probing diagnosis reads the same durations of our own calls.
    probed = await analyze_performance(matrix_shop.business, ledger, NOW)
    assert [c.called for c in probed.own_calls] == ["sre-reliability.assess_health"]
