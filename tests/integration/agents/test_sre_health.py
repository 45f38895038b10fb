"""Health checks against real services, a real store, a real ledger."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from agents.sre_reliability.incident_response import respond_to_event
from agents.sre_reliability.performance_optimization.diagnosis import analyze_performance
from agents.sre_reliability.system_monitoring import (
    assess_health,
    collect_metrics,
    comprehensive_health_check,
)
from agents.sre_reliability.system_monitoring.screening import screen_anomaly
from blocks.business.business import Business
from blocks.business.services import MonitoredService
from blocks.errors import SourceUnavailable
from blocks.ledger import Ledger
from blocks.ledger.calls.records import RunRecord
from blocks.prefect_api.client import PrefectApi
from blocks.store.block import StoreDatabase
from blocks.store.mapping import FrameMapping
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Severity, SystemEvent, utc_now
from tests import odd_services
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
        (Reply('{"status": "DOWN"}', 503), WEB_PAGE, "failing"),
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


@pytest.mark.parametrize(
    ("health", "status", "says"),
    [
        (Reply(raw=b"garbage\r\n\r\n"), "garbled", "does not speak HTTP"),
        (Reply(status=302, headers={"Location": "/login"}), "failing", "/login"),
        (Reply(status=404), "failing", "HTTP 404"),
        (Reply(status=401), "failing", "HTTP 401"),
    ],
)
async def test_what_a_restart_cannot_change_is_for_a_person(health, status, says):
    async with served(health) as server:
        seen = await assess_health(Business(None, services=(service(server.url),)), NOW)
    (found,) = about_services(seen.findings)
    assert (found.kind, found.severity) == (f"service-{status}", Severity.CRITICAL)
    assert says in found.evidence["detail"]
    assert found.remedy is None
    assert "health_url" in found.advice


async def test_a_slow_service_is_a_warning_and_never_restarted_unasked():
    async with served(Reply("ok", pause=0.02)) as server:
        slow = service(server.url, latency_budget_ms=10)
        seen = await assess_health(Business(None, services=(slow,)), NOW)
    (found,) = about_services(seen.findings)
    assert (found.kind, found.severity) == ("service-slow", Severity.WARNING)
    assert found.evidence["latency_ms"] > found.evidence["budget_ms"] == 10
    assert found.remedy is None
    assert "for a person to say" in found.advice


async def test_a_service_with_a_complaint_is_a_warning():
    health = Reply('{"status": "yellow", "indicators": {"shards": {"status": "yellow"}}}')
    async with served(health) as server:
        seen = await assess_health(Business(None, services=(service(server.url),)), NOW)
    (found,) = about_services(seen.findings)
    assert (found.kind, found.severity) == ("service-degraded", Severity.WARNING)
    assert found.title == (
        "checkout is not quite well: it reports status 'yellow' "
        "(its part 'shards' reports status 'yellow')"
    )
    assert found.remedy is None
    assert seen.services[0].metrics  # it works, so its metrics are read


# --- Metrics that cannot be read ---------------------------------------------------------------


async def test_odd_metrics_are_read_or_a_warning_and_never_an_illness(tmp_path):
    async with serve(odd_services.answer) as server:
        found = odd_services.configured(server.url, tmp_path / "restarts")
        business = Business(None, services=tuple(map(MonitoredService.model_validate, found)))
        seen = await assess_health(business, NOW)
        url = server.url
    by_name = {s.name: s for s in seen.services}
    assert {name: s.status for name, s in by_name.items()} == {
        name: "failing" if name == "search" else "ok" for name in odd_services.METRICS
    }
    for name, samples in odd_services.SAMPLES.items():
        assert (by_name[name].metrics, by_name[name].detail) == (samples, "")
    findings = {f.resource: f for f in about_services(seen.findings)}
    assert set(findings) == {f"service:{n}" for n in [*odd_services.UNREADABLE, "search"]}

    for name, says in odd_services.UNREADABLE.items():
        warning = findings[f"service:{name}"]
        assert (warning.kind, warning.severity) == ("metrics-unreadable", Severity.WARNING)
        assert warning.title.startswith(f"Metrics cannot be read: the metrics of {name}")
        assert says.format(url=url) in warning.title
        assert warning.remedy is None
        assert warning.title in by_name[name].detail

    search = findings["service:search"]
    assert (search.kind, search.severity) == ("service-failing", Severity.CRITICAL)
    assert search.title == "search calls itself ill: it reports status 'red'"
    assert search.remedy is not None
    assert [f.resource for f in seen.findings if f.remedy] == ["service:search"]


async def test_some_unreadable_lines_cost_those_lines_and_are_told():
    metrics = Reply("up 1\noops\nqueue 2\n", content_type="text/plain")
    async with served(HEALTHY, metrics) as server:
        seen = await assess_health(Business(None, services=(service(server.url),)), NOW)
    assert seen.services[0].metrics == {"up": 1.0, "queue": 2.0}
    (found,) = about_services(seen.findings)
    assert (found.kind, found.severity) == ("metrics-unreadable", Severity.WARNING)
    assert "1 of 3 lines are no samples, the first of them line 2: 'oops'" in found.title


async def test_an_unusable_metrics_url_is_a_warning_too():
    async with served(HEALTHY) as server:
        typo = service(server.url, metrics_url="metrics")
        seen = await assess_health(Business(None, services=(typo,)), NOW)
    assert seen.services[0].healthy
    (found,) = about_services(seen.findings)
    assert (found.kind, found.severity) == ("metrics-unreadable", Severity.WARNING)
    assert "not an http or https URL" in found.title


async def test_a_slow_service_with_unreadable_metrics_has_both_findings():
    async with served(Reply("ok", pause=0.02), WEB_PAGE) as server:
        slow = service(server.url, latency_budget_ms=10)
        seen = await assess_health(Business(None, services=(slow,)), NOW)
    assert {f.kind for f in about_services(seen.findings)} == {
        "service-slow",
        "metrics-unreadable",
    }
    assert seen.services[0].status == "slow"


async def test_an_event_about_a_service_with_unreadable_metrics_calls_it_well(ledger):
    async with served(HEALTHY, WEB_PAGE) as server:
        event = SystemEvent(type="alert.firing", source="x", subject="service:checkout", time=NOW)
        business = Business(None, services=(service(server.url),))
        said = await respond_to_event(event.model_dump(mode="json"), business, ledger, NOW)
    assert (said.severity, said.proposals) == (Severity.INFO, [])
    assert "answers well now" in said.assessment
    assert "cannot be read" in said.evidence["detail"]


async def test_one_bad_answer_of_three_is_no_outage():
    answers = iter([Reply(status=500), HEALTHY, HEALTHY])

    def answer(request: Request) -> Reply:
        return METRICS if request.path == "/metrics" else next(answers)

    async with serve(answer) as server:
        seen = await assess_health(Business(None, services=(service(server.url),)), NOW)
    assert seen.services[0].healthy
    assert "1 of 3 looks failed: HTTP 500" in seen.services[0].detail
    assert seen.services[0].metrics
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
        series = await collect_metrics(business, ledger, NOW, hours=168)
    found = {f.resource: f for f in seen.findings if f.resource.startswith("metric:")}
    assert set(found) == {"metric:checkout/cpu", "metric:checkout/gone"}
    cpu = found["metric:checkout/cpu"]
    assert (cpu.kind, cpu.severity) == ("metric-anomaly", Severity.WARNING)
    assert cpu.evidence["value"] == 95
    assert cpu.evidence["ongoing"] is True
    assert found["metric:checkout/gone"].kind == "check-failed"
    assert set(series) == {"checkout/cpu", "checkout/orders"}
    assert list(series["checkout/cpu"].columns) == ["ts", "value"]


async def test_a_metric_that_stopped_is_told(ledger):
    end = NOW.timestamp()
    fresh, stale = week(10.0), [(ts, value) for ts, value in week(95.0) if ts < end - 3600]
    assert max(value for _, value in stale) < 95  # it was well as long as it was there
    histories = {"fresh": fresh, "stale": stale}

    def answer(request: Request) -> Reply:
        if request.query.get("query") == "never":
            return Reply('{"status": "success", "data": {"result": []}}')
        return prometheus(histories)(request)

    async with serve(answer) as server:
        watched = service(
            server.url, history_url=server.url, metrics=["fresh", "stale", "never"], restart=None
        )
        business = Business(None, services=(watched,))
        seen = await comprehensive_health_check(business, ledger, NO_PREFECT, NOW)
        down = Business(None, services=(watched.model_copy(update={"health_url": NOBODY}),))
        unseen = await comprehensive_health_check(down, ledger, NO_PREFECT, NOW)
        screened = await screen_anomaly(business, ledger, NOW)
        diagnosed = await analyze_performance(business, ledger, NOW)

    last = datetime.fromtimestamp(stale[-1][0], UTC)
    found = {f.resource: f for f in seen.findings if f.kind == "metric-stopped"}
    assert {resource: f.title for resource, f in found.items()} == {
        "metric:checkout/stale": f"stale of checkout: no sample since {last:%Y-%m-%d %H:%M} UTC",
        "metric:checkout/never": "never of checkout: no sample in all the time looked at",
    }
    assert {f.severity for f in found.values()} == {Severity.WARNING}
    assert "nobody watches it" in found["metric:checkout/stale"].advice

    # When the service is down its metrics stop too: one finding is enough.
    assert "metric-stopped" not in {f.kind for f in unseen.findings}
    assert sum("no sample" in note for note in unseen.missing) == 2

    assert screened.unusual == ["metric:checkout/stale", "metric:checkout/never"]
    assert "checkout/stale: its samples have stopped" in diagnosed.missing


async def test_the_rhythm_of_a_metric_follows_the_clock_of_the_business(ledger, store):
    now = datetime(2026, 3, 30, 11, 0, tzinfo=UTC)  # the day after clocks went forward

    def busy_by_day(ts: float) -> float:
        return 500.0 if 9 <= datetime.fromtimestamp(ts, ZoneInfo("Europe/Berlin")).hour < 18 else 20

    ends = [now.timestamp() - 300 * i for i in range(7 * 288, -1, -1)]
    history = {"orders": [(ts, busy_by_day(ts)) for ts in ends]}
    async with serve(prometheus(history)) as server:
        watched = service(server.url, history_url=server.url, metrics=["orders"])
        found = {}
        for zone in ("Europe/Berlin", "UTC"):
            shop = store.model_copy(update={"timezone": zone})
            business = Business(shop, services=(watched,))
            seen = await comprehensive_health_check(business, ledger, NO_PREFECT, now)
            found[zone] = [f.kind for f in seen.findings if f.resource.startswith("metric:")]
    assert found == {"Europe/Berlin": [], "UTC": ["metric-anomaly"]}


async def test_no_metric_at_all_is_an_error_only_when_some_were_to_be_had(ledger):
    lost = service(NOBODY, history_url=NOBODY, metrics=["cpu"])
    with pytest.raises(SourceUnavailable):
        await collect_metrics(Business(None, services=(lost,)), ledger, NOW)
    assert await collect_metrics(Business(None), ledger, NOW) == {}


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
