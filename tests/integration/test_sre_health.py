"""Health checks against real services, a real store, a real ledger."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from agents.sre_reliability.system_monitoring import (
    assess_health,
    collect_metrics,
    comprehensive_health_check,
)
from blocks.business import Business
from blocks.errors import SourceUnavailable
from blocks.findings import Finding
from blocks.ledger import Ledger
from blocks.ledger.records import RunRecord
from blocks.messages import Severity, utc_now
from blocks.prefect_api import PrefectApi
from blocks.services import MonitoredService
from blocks.stores import FrameMapping, StoreDatabase
from tests.loopback import Loopback, Reply, Request, serve

NOW = utc_now()
HEALTHY = Reply('{"status": "pass"}')
METRICS = Reply("cpu_percent 12.5\norders_total 7\n", content_type="text/plain")
WEB_PAGE = Reply("<html>Welcome</html>", content_type="text/html")
NOBODY = "http://127.0.0.1:1"  # nothing listens on port 1


def service(url: str, **change: object) -> MonitoredService:
    values = {
        "name": "checkout",
        "health_url": f"{url}/health",
        "metrics_url": f"{url}/metrics",
        "revenue_share": 0.5,
        "restart": ["true"],
        "timeout": 1,
    }
    return MonitoredService.model_validate(values | change)


def about_services(findings: list[Finding]) -> list[Finding]:
    """Without what concerns the machine that the tests run on."""
    return [f for f in findings if not f.resource.startswith("host:")]


@asynccontextmanager
async def served(health: Reply, metrics: Reply = METRICS) -> AsyncIterator[Loopback]:
    def answer(request: Request) -> Reply:
        return metrics if request.path == "/metrics" else health

    async with serve(answer) as server:
        yield server


async def test_a_service_that_answers_well_is_healthy_and_its_metrics_are_read():
    async with served(HEALTHY) as server:
        seen = await assess_health(Business(None, services=(service(server.url),)), NOW)
    (checkout,) = seen.services
    assert (checkout.status, checkout.healthy, checkout.http_status) == ("ok", True, 200)
    assert checkout.metrics == {"cpu_percent": 12.5, "orders_total": 7.0}
    assert checkout.restartable
    assert about_services(seen.findings) == []
    assert seen.host is not None
    assert len(server.requests) == 2  # asked once, and its metrics once


@pytest.mark.parametrize(
    ("health", "metrics", "status"),
    [
        (Reply("oops", status=500), METRICS, "failing"),
        (Reply('{"status": "down"}'), METRICS, "failing"),
        (WEB_PAGE, WEB_PAGE, "garbled"),
        (Reply(raw=b"garbage\r\n\r\n"), METRICS, "garbled"),
        (Reply(raw=b""), METRICS, "down"),  # hangs up or stays silent
    ],
)
async def test_what_is_wrong_with_a_service_has_a_name(health, metrics, status):
    async with served(health, metrics) as server:
        seen = await assess_health(Business(None, services=(service(server.url),)), NOW)
    assert seen.services[0].status == status
    (found,) = about_services(seen.findings)
    assert found.kind == f"service-{status}"
    assert found.resource == "service:checkout"
    assert found.severity is Severity.CRITICAL  # half of the revenue depends on it
    assert found.revenue_share == 0.5
    assert found.evidence["bad_looks"] == found.evidence["looks"] == 3
    assert found.remedy is not None
    assert (found.remedy.action, found.remedy.params) == (
        "restart_service",
        {"service": "checkout"},
    )
    assert seen.status == "critical"
    assert seen.score <= 70  # 40 points at three quarters


async def test_a_slow_service_is_a_warning():
    async with served(Reply("ok", pause=0.02)) as server:
        slow = service(server.url, latency_budget_ms=10)
        seen = await assess_health(Business(None, services=(slow,)), NOW)
    (found,) = about_services(seen.findings)
    assert (found.kind, found.severity) == ("service-slow", Severity.WARNING)
    assert found.evidence["latency_ms"] > found.evidence["budget_ms"] == 10


async def test_one_bad_answer_of_three_is_no_outage():
    answers = iter([Reply(status=500), HEALTHY, HEALTHY])

    def answer(request: Request) -> Reply:
        return METRICS if request.path == "/metrics" else next(answers)

    async with serve(answer) as server:
        seen = await assess_health(Business(None, services=(service(server.url),)), NOW)
    assert seen.services[0].healthy
    assert "1 of 3 looks failed: HTTP 500" in seen.services[0].detail
    assert about_services(seen.findings) == []


async def test_without_a_restart_command_there_is_advice_and_no_remedy():
    down = service(NOBODY, restart=None, revenue_share=0.1)
    seen = await assess_health(Business(None, services=(down,)), NOW)
    (found,) = about_services(seen.findings)
    assert (found.kind, found.severity) == ("service-down", Severity.ERROR)
    assert found.remedy is None
    assert "restart" in found.advice


async def test_a_service_that_cannot_be_checked_does_not_sink_the_others():
    async with served(HEALTHY) as server:
        business = Business(
            None, services=(service(server.url), service("nonsense:", name="search"))
        )
        seen = await assess_health(business, NOW)
    assert {s.name: s.status for s in seen.services} == {"checkout": "ok", "search": "unknown"}
    (found,) = about_services(seen.findings)
    assert (found.kind, found.resource) == ("check-failed", "service:search")
    assert any("service:search" in note for note in seen.missing)


# --- Metric history ----------------------------------------------------------------------------


def prometheus(metrics: dict[str, list[tuple[float, float]]]) -> Reply | object:
    def answer(request: Request) -> Reply:
        if request.path == "/health":
            return HEALTHY
        if request.path == "/metrics":
            return METRICS
        values = metrics.get(request.query["query"])
        if values is None:
            return Reply("gone", status=503)
        result = [{"metric": {}, "values": [[ts, str(value)] for ts, value in values]}]
        return Reply(json.dumps({"status": "success", "data": {"result": result}}))

    return answer


def week(last_half_hour: float) -> list[tuple[float, float]]:
    """Seven days of 10 and 11 in turn, whose last six samples are all one value."""
    end = NOW.timestamp()
    steady = [(end - 300 * i, 10.0 + i % 2) for i in range(7 * 288, 5, -1)]
    return steady + [(end - 300 * i, last_half_hour) for i in range(5, -1, -1)]


async def test_a_metric_that_left_its_usual_level_is_found_and_a_lost_one_is_noted(ledger):
    histories = {"cpu": week(95.0), "orders": week(10.0)}
    async with serve(prometheus(histories)) as server:
        watched = service(server.url, history_url=server.url, metrics=["cpu", "orders", "gone"])
        business = Business(None, services=(watched,))
        seen = await comprehensive_health_check(business, ledger, NO_PREFECT, NOW)
        series = await collect_metrics(business, NOW, hours=168)
    found = {f.resource: f for f in seen.findings if f.resource.startswith("metric:")}
    assert set(found) == {"metric:checkout/cpu", "metric:checkout/gone"}
    cpu = found["metric:checkout/cpu"]
    assert (cpu.kind, cpu.severity) == ("metric-anomaly", Severity.WARNING)
    assert cpu.evidence["value"] == 95
    assert cpu.evidence["ongoing"] is True
    assert found["metric:checkout/gone"].kind == "check-failed"
    assert set(series) == {"checkout/cpu", "checkout/orders"}
    assert list(series["checkout/cpu"].columns) == ["ts", "value"]


async def test_no_metric_at_all_is_an_error_only_when_some_were_to_be_had():
    lost = service(NOBODY, history_url=NOBODY, metrics=["cpu"])
    with pytest.raises(SourceUnavailable):
        await collect_metrics(Business(None, services=(lost,)), NOW)
    assert await collect_metrics(Business(None), NOW) == {}


async def test_a_service_that_is_down_is_one_finding_not_one_per_metric(ledger):
    down = service(NOBODY, history_url=NOBODY, metrics=["cpu", "orders"])
    seen = await comprehensive_health_check(
        Business(None, services=(down,)), ledger, NO_PREFECT, NOW
    )
    kinds = [f.kind for f in about_services(seen.findings)]
    assert kinds == ["service-down", "prefect-unreachable"]
    assert len([note for note in seen.missing if note.startswith("metric:")]) == 2


# --- Databases and Prefect ---------------------------------------------------------------------


class _NoPrefect(PrefectApi):
    """A Prefect API whose server is not there: the address is real, nobody listens."""

    async def health(self, now, **limits):
        from prefect.settings import PREFECT_API_URL, temporary_settings

        with temporary_settings({PREFECT_API_URL: f"{NOBODY}/api"}):
            return await super().health(now, **limits)


NO_PREFECT = _NoPrefect()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", patience=0.2) as ledger:
        yield ledger


@pytest.fixture
def store(tmp_path: Path) -> StoreDatabase:
    file = tmp_path / "shop.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE stock (sku TEXT, on_hand REAL)")
        connection.execute("INSERT INTO stock VALUES ('A', 3)")
    connection.close()
    return StoreDatabase(
        name="shop",
        url=f"sqlite:///{file}",
        frames={"stock": FrameMapping(table="stock", columns={"sku": "sku", "on_hand": "on_hand"})},
    )


async def test_store_and_ledger_are_measured(ledger, store):
    ledger.record(RunRecord(id="r", workflow="w", started_at=NOW))
    seen = await comprehensive_health_check(Business(store), ledger, NO_PREFECT, NOW)
    database = seen.database
    assert database is not None
    assert database.store_latency_ms is not None
    assert database.ledger_writable is True
    assert database.ledger_schema == await ledger.schema_version()
    assert database.ledger_size_mb is not None
    assert seen.host is not None
    assert seen.host.disk_path == str(ledger.path.parent)
    assert seen.prefect is None
    assert {f.kind for f in seen.findings} & {"store-unreachable", "ledger-unwritable"} == set()


async def test_a_store_that_is_gone_may_be_fetched_again(ledger, store, tmp_path):
    (tmp_path / "shop.db").unlink()
    seen = await comprehensive_health_check(Business(store), ledger, NO_PREFECT, NOW)
    found = next(f for f in seen.findings if f.resource == "store:shop")
    assert (found.kind, found.severity) == ("store-unreachable", Severity.CRITICAL)
    assert found.remedy is not None
    assert found.remedy.action == "refetch_snapshot"
    assert seen.database is not None
    assert seen.database.ledger_writable is True


async def test_a_ledger_that_is_locked_is_critical(ledger, tmp_path):
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        ledger.record(RunRecord(id="r", workflow="w", started_at=NOW))
        seen = await comprehensive_health_check(Business(None), ledger, NO_PREFECT, NOW)
    finally:
        other.execute("ROLLBACK")
        other.close()
    found = next(f for f in seen.findings if f.resource == "ledger:local")
    assert (found.kind, found.severity) == ("ledger-unwritable", Severity.CRITICAL)
    assert seen.database is not None
    assert seen.database.ledger_writable is False


@pytest.mark.prefect
async def test_prefect_itself_is_part_of_the_check(ledger, prefect_server):
    seen = await comprehensive_health_check(Business(None), ledger, PrefectApi(), utc_now())
    assert seen.prefect is not None
    assert seen.prefect.version
    assert seen.checked_at <= utc_now() + timedelta(seconds=1)
    assert "prefect-unreachable" not in [f.kind for f in seen.findings]
