"""Watched metrics: read from services over HTTP, kept, rated, and told when they stop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from agents.sre_reliability.system_monitoring import comprehensive_health_check
from agents.sre_reliability.system_monitoring.metric_watch import look_at_metrics
from blocks.business.business import Business
from blocks.business.services import MonitoredService
from blocks.ledger import Ledger
from blocks.prefect_api.client import PrefectApi
from blocks.vocabulary.looks import Look, Sample
from tests.loopback import Reply, Request, serve
from tests.odd_services import METRICS, answer

NOW = datetime(2026, 3, 9, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as opened:
        yield opened


def service(url: str, *metrics: str, **more: object) -> MonitoredService:
    return MonitoredService.model_validate(
        {
            "name": "checkout",
            "health_url": f"{url}/health",
            "metrics_url": f"{url}/metrics",
            "metrics": list(metrics),
        }
        | more
    )


async def look(ledger: Ledger, watched: MonitoredService, now: datetime) -> Look:
    seen = await look_at_metrics([watched], ledger.samples.history, now)
    await ledger.samples.keep(seen.samples)
    return seen


def values(seen: Look) -> dict[str, float]:
    return {sample.series: sample.value for sample in seen.samples}


async def test_a_counter_becomes_a_rate_also_when_it_begins_anew(ledger: Ledger):
    counts = iter([100, 160, 30])
    now_shown = [0]

    def metrics(request: Request) -> Reply:
        if request.path == "/health":
            return Reply("ok")
        return Reply(f"# TYPE orders counter\norders {now_shown[0]}\nqueue 5\n")

    async with serve(metrics) as server:
        watched = service(server.url, "orders", "queue")
        told = []
        for minute, count in enumerate(counts):
            now_shown[0] = count
            told.append(values(await look(ledger, watched, NOW + minute * MINUTE)))
    assert told[0] == {"counter:checkout/orders": 100, "metric:checkout/queue": 5}
    assert told[1]["metric:checkout/orders"] == 1.0  # 60 within 60 s
    assert told[2]["metric:checkout/orders"] == 0.5  # it began at 0 again: 30 since
    kept = await ledger.samples.history(["metric:checkout/orders"], NOW, NOW + 9 * MINUTE)
    assert [value for _, value in kept["metric:checkout/orders"]] == [1.0, 0.5]


async def test_two_who_look_at_once_make_no_rush_of_a_request_between_them(ledger: Ledger):
    count, second = [0], timedelta(seconds=1)
    async with serve(lambda _: Reply(f"# TYPE orders counter\norders {count[0]}\n")) as server:
        watched = service(server.url, "orders")
        await look(ledger, watched, NOW)
        for at, count[0] in ((MINUTE, 60), (MINUTE + second, 65)):
            seen = values(await look(ledger, watched, NOW + at))
    assert seen["metric:checkout/orders"] == pytest.approx(65 / 61)


async def test_a_metric_that_is_gone_for_long_is_told_unless_its_service_is_down(ledger: Ledger):
    there, healthy = [True], [True]

    def metrics(request: Request) -> Reply:
        if request.path == "/health":
            return Reply("ok", status=200 if healthy[0] else 503)
        return Reply("queue 5\n" if there[0] else "other 1\n")

    async with serve(metrics) as server:
        watched = service(server.url, "queue", "never")
        for minute in range(5):
            seen = await look(ledger, watched, NOW + minute * MINUTE)
            assert seen.covered == {"metric:checkout/queue"}
        assert seen.missing == ("metric:checkout/never: never seen so far",)
        there[0] = False
        soon = await look(ledger, watched, NOW + 10 * MINUTE)
        assert (soon.covered, soon.signals) == (frozenset(), ())
        late = await look(ledger, watched, NOW + 30 * MINUTE)
        healthy[0] = False
        ill = await look(ledger, watched, NOW + 31 * MINUTE)
        healthy[0] = there[0] = True
        back = await look(ledger, watched, NOW + 32 * MINUTE)
    (signal,) = late.signals
    assert (signal.kind, signal.subject) == ("metric.stopped", "metric:checkout/queue")
    assert signal.summary == "queue of checkout: no sample since 2026-03-09 12:04 UTC."
    assert (ill.signals, ill.covered) == ((), frozenset()), "others tell that it is down"
    assert (back.signals, back.covered) == ((), {"metric:checkout/queue"})


@pytest.mark.parametrize("name", sorted(METRICS))
async def test_odd_metrics_are_nobodys_illness(name: str, ledger: Ledger):
    async with serve(answer) as server:
        watched = service(
            server.url,
            "orders_total",
            health_url=f"{server.url}/{name}/health",
            metrics_url=f"{server.url}/{name}/metrics",
        )
        seen = await look(ledger, watched, NOW)
    assert seen.signals == ()
    assert all("service:checkout: " in note or "metric:checkout/" in note for note in seen.missing)
    if name in ("plain", "floatstamp", "gzip", "special"):
        assert values(seen)["counter:checkout/orders_total"] == 42
    if name == "spaces":  # paid and open: one of them must be named
        assert "is 2 series" in seen.missing[0]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(b"\x0a\x05", content_type="application/vnd.google.protobuf"), "in protobuf"),
        (Reply("a_total 1\nb_total 42", content_type="application/openmetrics-text"), ""),
        (Reply("x" * 6_000_000, content_type="text/plain"), "more than 5 MB"),
    ],
)
async def test_what_cannot_be_read_is_said(reply: Reply, said: str, ledger: Ledger):
    async with serve(reply) as server:
        seen = await look(ledger, service(server.url, "b_total"), NOW)
    assert seen.samples == ()
    assert said in " ".join(seen.missing)


def prometheus(last: timedelta, **more: object) -> Reply:
    """A range of samples each 5 minutes, the newest so long ago."""
    ends = (NOW - last).timestamp()
    points = [[ends - 300 * i, "5"] for i in range(100, -1, -1)]
    result = [{"metric": {}, "values": points}]
    return Reply(json.dumps({"status": "success", "data": {"result": result}, **more}))


async def test_a_prometheus_is_asked_whether_samples_still_come(ledger: Ledger):
    silence = [timedelta()]

    def answers(request: Request) -> Reply:
        if request.path == "/health":
            return Reply("ok")
        begin = float(request.query["start"])
        whole = json.loads(prometheus(silence[0]).body)
        for series in whole["data"]["result"]:
            series["values"] = [p for p in series["values"] if p[0] >= begin]
        return Reply(json.dumps(whole))

    async with serve(answers) as server:
        watched = service(server.url, "orders_total", history_url=server.url)
        assert (await look(ledger, watched, NOW)).covered == {"metric:checkout/orders_total"}
        assert [r.query["query"] for r in server.requests] == ["rate(orders_total[10m])"]
        silence[0] = timedelta(hours=2)
        (signal,) = (await look(ledger, watched, NOW)).signals
    assert signal.kind == "metric.stopped"


async def test_half_an_answer_of_a_prometheus_is_none(ledger: Ledger):
    partly = prometheus(
        timedelta(), warnings=["PromQL warning: odd", "remote read: shard 2 is down"]
    )
    async with serve(partly) as server:
        seen = await look(ledger, service(server.url, "queue", history_url=server.url), NOW)
    assert seen.covered == frozenset()
    assert "in part only: remote read: shard 2 is down" in seen.missing[0]
    annotated = prometheus(timedelta(), warnings=["PromQL warning: odd"])
    async with serve(annotated) as server:
        seen = await look(ledger, service(server.url, "queue", history_url=server.url), NOW)
    assert seen.covered == {"metric:checkout/queue"}


@pytest.mark.parametrize(
    ("more", "sent"),
    [
        ({"history_credential": "s3cret"}, "Bearer s3cret"),
        ({"history_credential": "s3cret", "history_username": "ops"}, "Basic b3BzOnMzY3JldA=="),
        ({}, None),
    ],
)
async def test_a_prometheus_may_want_to_know_who_asks(more, sent, ledger: Ledger):
    async with serve(prometheus(timedelta())) as server:
        await look(ledger, service(server.url, "queue", history_url=server.url, **more), NOW)
        assert server.requests[0].headers.get("authorization") == sent


async def test_the_daily_check_judges_what_we_keep_where_there_is_no_prometheus(ledger: Ledger):
    series = "metric:checkout/queue"
    steps = [NOW - timedelta(minutes=5 * i) for i in range(7 * 288, 0, -1)]
    wild = NOW - timedelta(hours=1)
    await ledger.samples.keep(
        [
            Sample(series=series, at=at, value=500.0 if at > wild else 10.0 + at.minute % 3)
            for at in steps
        ]
    )
    async with serve(Reply("ok")) as server:
        business = Business(None, services=(service(server.url, "queue"),))
        with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}):
            checked = await comprehensive_health_check(business, ledger, PrefectApi(), NOW)
    (found,) = [f for f in checked.findings if f.resource == series]
    assert (found.kind, found.evidence["value"]) == ("metric-anomaly", 500.0)
