"""A connection that fails: diagnosed, probed, and explained afterwards."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from agents.data_intelligence.pattern_recognition.failures import explain_failure
from agents.integration_specialist.api_management import diagnosis
from agents.integration_specialist.api_management.diagnosis import diagnose_connection
from agents.sre_reliability.system_monitoring.endpoint import probe_endpoint
from blocks.business.business import Business
from blocks.errors import ConfigurationError, InvalidMessage
from blocks.vocabulary.messages import AgentMessage, AgentReply, ErrorInfo, Outcome, Severity
from tests.integration.matrix_shop import NOW, OFFERS, WELL, MatrixShop
from tests.loopback import Reply, Request, serve

PAGE = Reply("<html>Sorry</html>", content_type="text/html")


@pytest.fixture(autouse=True)
def _short_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "GAP", 0.01)


@pytest.mark.parametrize(
    ("reply", "condition"),
    [
        (OFFERS, "well"),
        (None, "unreachable"),
        (Reply(status=503), "unreachable"),
        (Reply(status=401), "refused"),
        (PAGE, "garbled"),
        (Reply("[]"), "garbled"),
    ],
)
async def test_a_supplier_fails_in_a_way_that_has_a_name(
    matrix_shop: MatrixShop, reply: Reply | None, condition: str
) -> None:
    await matrix_shop.supplier("acme", reply)
    seen = await diagnose_connection(matrix_shop.business, NOW, "acme")
    assert (seen.condition, seen.always) == (condition, True)
    assert seen.looks == (1 if condition == "well" else 3)
    assert len(seen.evidence) == seen.looks
    assert bool(seen.findings) == (condition != "well")
    assert seen.advice
    assert seen.summary.startswith("acme ")


@pytest.mark.parametrize(
    ("reply", "condition", "kinds"),
    [
        (WELL, "well", []),
        (None, "unreachable", ["service-down"]),
        (Reply(status=500), "failing", ["service-failing"]),
        (Reply('{"status": "down"}'), "failing", ["service-failing"]),
        (Reply(status=403), "refused", ["service-refused"]),
    ],
)
async def test_a_services_trouble_is_named_as_reliability_names_it(
    matrix_shop: MatrixShop, reply: Reply | None, condition: str, kinds: list[str]
) -> None:
    await matrix_shop.service("web", reply)
    seen = await diagnose_connection(matrix_shop.business, NOW, "service:web")
    assert (seen.condition, [f.kind for f in seen.findings]) == (condition, kinds)


async def test_what_a_service_shows_instead_of_metrics_says_nothing_about_it(
    matrix_shop: MatrixShop,
) -> None:
    await matrix_shop.service("web", PAGE)
    web = matrix_shop.business.services[0]
    web = web.model_copy(update={"metrics_url": web.health_url})
    seen = await diagnose_connection(Business(None, services=(web,)), NOW, "web")
    assert (seen.condition, seen.findings) == ("well", [])
    assert "its metrics cannot be read" in seen.evidence[0]["detail"]


async def test_slow_is_a_warning_and_a_store_is_diagnosed_too(matrix_shop: MatrixShop) -> None:
    await matrix_shop.supplier("acme", Reply(OFFERS.body, pause=0.001), latency_budget_ms=20)
    await matrix_shop.supplier("typo", None, base_url="acme.example")
    business = matrix_shop.business
    slow = await diagnose_connection(business, NOW, "acme")
    assert (slow.condition, slow.findings[0].severity) == ("slow", Severity.WARNING)
    assert slow.latency_ms
    assert slow.latency_ms > 20
    assert (await diagnose_connection(business, NOW, "typo")).condition == "misconfigured"
    assert (await diagnose_connection(business, NOW, "shop")).condition == "well"
    matrix_shop.file.unlink()
    gone = await diagnose_connection(business, NOW, "shop")
    assert (gone.condition, gone.findings[0].kind) == ("unreachable", "store-unreachable")


async def test_a_failure_that_comes_and_goes_is_told_as_such(matrix_shop: MatrixShop) -> None:
    answers = iter([Reply(status=503), OFFERS])

    def answer(_: Request) -> Reply:
        return next(answers)

    async with serve(answer) as server:
        await matrix_shop.supplier("acme", None, base_url=server.url)
        seen = await diagnose_connection(matrix_shop.business, NOW, "acme")
    assert (seen.condition, seen.always, seen.looks) == ("well", False, 2)
    assert "is well at 1 of 2 looks" in seen.summary


async def test_a_wrong_name_is_refused_by_all_three(matrix_shop: MatrixShop) -> None:
    await matrix_shop.supplier("acme")
    business = matrix_shop.business
    with pytest.raises(InvalidMessage, match="Did you mean acme"):
        await diagnose_connection(business, NOW, "acne")
    with pytest.raises(InvalidMessage, match="Did you mean acme"):
        await probe_endpoint(business, "acne")
    with pytest.raises(InvalidMessage, match="Did you mean acme"):
        await explain_failure(business, matrix_shop.ledger, NOW, "acne")
    with pytest.raises(InvalidMessage, match="window_hours is 0"):
        await explain_failure(business, matrix_shop.ledger, NOW, "acme", window_hours=0)


async def test_an_endpoint_is_there_or_not_step_by_step(matrix_shop: MatrixShop) -> None:
    await matrix_shop.supplier("refusing", Reply(status=401))
    await matrix_shop.supplier("absent", None)
    await matrix_shop.supplier("mute", Reply(raw=b"SSH-2.0-OpenSSH\r\n"))
    await matrix_shop.supplier("nowhere", None, base_url="http://no-such-host.invalid")
    await matrix_shop.supplier("typo", None, base_url="acme.example")
    business = matrix_shop.business

    async def steps(name: str) -> tuple[bool | None, bool | None, bool | None]:
        seen = await probe_endpoint(business, name)
        assert seen.degraded
        assert seen.there == (seen.findings == [])
        return seen.resolves, seen.accepts, seen.answers

    assert await steps("refusing") == (True, True, True)  # any status is an answer
    assert await steps("absent") == (True, False, None)
    assert await steps("mute") == (True, True, False)
    assert await steps("nowhere") == (False, None, None)
    assert await steps("shop") == (True, True, None)
    with pytest.raises(ConfigurationError, match="not an http or https URL"):
        await probe_endpoint(business, "typo")
    matrix_shop.file.unlink()
    gone = await probe_endpoint(business, "shop")
    assert "no such file" in gone.summary
    assert gone.summary.endswith("more than that was not checked.")


@pytest.mark.services
async def test_a_database_server_is_probed_without_its_password(
    matrix_shop: MatrixShop, postgres_url: str
) -> None:
    store = matrix_shop.business.store
    assert store
    there = store.model_copy(update={"url": type(store.url)(postgres_url)})
    absent = type(store.url)("mysql://root:canary@127.0.0.1:1/shop")
    business = type(matrix_shop.business)
    seen = await probe_endpoint(business(there), "shop")
    assert (seen.resolves, seen.accepts, seen.answers) == (True, True, None)
    gone = await probe_endpoint(business(store.model_copy(update={"url": absent})), "shop")
    assert (gone.accepts, gone.address) == (False, "127.0.0.1:1")
    assert "canary" not in gone.model_dump_json()


async def test_the_ledger_explains_what_it_saw(matrix_shop: MatrixShop) -> None:
    await matrix_shop.supplier("acme", None)
    ledger = matrix_shop.ledger
    for hours_ago in (1, 2, 30):
        asked = AgentMessage(
            recipient="integration-specialist",
            action="fetch_data",
            payload=json.loads('{"source": "acme"}'),
            timestamp=NOW - timedelta(hours=hours_ago),
        )
        error = ErrorInfo(code="source-unavailable", what="supplier 'acme' is gone.")
        ledger.record(asked)
        ledger.record(
            AgentReply(
                message_id=asked.id,
                sender="integration-specialist",
                outcome=Outcome.FAILED,
                error=error,
            )
        )
    await ledger.flush()
    seen = await explain_failure(matrix_shop.business, ledger, NOW, "acme")
    assert (seen.calls, seen.failed, seen.since) == (2, 2, NOW - timedelta(hours=2))
    longer = await explain_failure(matrix_shop.business, ledger, NOW, "acme", window_hours=48)
    assert (longer.calls, longer.failed) == (3, 3)
