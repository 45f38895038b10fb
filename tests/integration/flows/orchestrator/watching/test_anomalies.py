"""The watch judges what it measured by its own past, and goes on where another process ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from blocks.business.business import Business
from blocks.business.services import MonitoredService
from blocks.ledger import Ledger
from blocks.policy.watching.anomaly_rules import AnomalyRules
from blocks.vocabulary.looks import Look, Sample
from flows.orchestrator.watching import anomalies
from flows.orchestrator.watching.anomalies import Following
from flows.orchestrator.watching.signals import settle
from tests.loopback import Reply, Request, serve

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CHECKOUT = "service:checkout/latency_ms"
RULES, NOBODY = AnomalyRules(), Business(store=None)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as opened:
        yield opened


def measured(series: str, start: datetime, end: datetime, level: float = 50.0) -> list[Sample]:
    n = int((end - start) / (5 * MINUTE))
    noise = np.random.default_rng(5).normal(0, 2, n)
    return [
        Sample(series=series, at=start + i * 5 * MINUTE, value=level + float(noise[i]))
        for i in range(n)
    ]


async def firing(ledger: Ledger) -> list[str]:
    return [
        one.event.subject or "" for one in await ledger.inbox.firing("orchestrator.watch.anomalies")
    ]


async def look(following: Following, ledger: Ledger, now: datetime) -> Look:
    seen = await following.look(NOBODY, ledger, RULES, now)
    await settle(ledger, seen, now)
    return seen


async def test_an_episode_is_one_alert_from_its_start_to_its_end(ledger: Ledger) -> None:
    await ledger.samples.keep(measured(CHECKOUT, NOW - timedelta(days=7), NOW))
    await ledger.samples.keep(measured("service:checkout/up", NOW - timedelta(days=7), NOW, 1.0))
    following = Following()
    assert (await look(following, ledger, NOW)).covered == {"service:checkout"}

    now = NOW
    for level, fires in [(300.0, True)] * 3 + [(50.0, True)] * 11 + [(50.0, False)]:
        await ledger.samples.keep(measured(CHECKOUT, now, now + 5 * MINUTE, level))
        now += 5 * MINUTE
        await look(following, ledger, now)
        assert await firing(ledger) == (["service:checkout"] if fires else [])
        if now == NOW + 10 * MINUTE:
            following = Following()  # the process was restarted
    told = await ledger.inbox.received(NOW - timedelta(days=3650), 100)
    assert sorted(event.status for event in told) == ["firing", "resolved"]


async def test_what_there_was_no_time_for_is_learned_by_the_next_looks(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"probe:p{i}/latency_ms" for i in range(25)]
    for name in names:
        await ledger.samples.keep(measured(name, NOW - timedelta(days=2), NOW))
    monkeypatch.setattr(anomalies, "LEARNING_SECONDS", -1.0)
    following = Following()
    first = await look(following, ledger, NOW)
    assert (first.covered, first.missing) == (
        frozenset(),
        ("25 series: still to be learned from their past",),
    )
    monkeypatch.setattr(anomalies, "LEARNING_SECONDS", 60.0)
    second = await look(following, ledger, NOW + 5 * MINUTE)
    assert (len(second.covered), second.missing) == (25, ())


async def test_what_is_no_longer_measured_or_judged_is_over(ledger: Ledger) -> None:
    await ledger.samples.keep(measured(CHECKOUT, NOW - timedelta(days=7), NOW))
    await ledger.samples.keep(measured(CHECKOUT, NOW, NOW + 5 * MINUTE, 300.0))
    following, now = Following(), NOW + 5 * MINUTE
    await look(following, ledger, now)
    assert await firing(ledger) == ["service:checkout"]
    seen = await following.look(NOBODY, ledger, AnomalyRules(judged=["metric:*"]), now)
    await settle(ledger, seen, now)
    assert await firing(ledger) == []


async def test_samples_that_the_ledger_took_late_are_judged(ledger: Ledger) -> None:
    await ledger.samples.keep(measured(CHECKOUT, NOW - timedelta(days=7), NOW))
    following = Following()
    await look(following, ledger, NOW)
    await look(following, ledger, NOW + 30 * MINUTE)
    await ledger.samples.keep(measured(CHECKOUT, NOW, NOW + 30 * MINUTE, 300.0))
    seen = await look(following, ledger, NOW + 35 * MINUTE)
    assert [signal.evidence["since"] for signal in seen.signals] == [NOW.isoformat()]


async def test_watched_metrics_are_judged_by_what_prometheus_recorded(ledger: Ledger) -> None:
    down: list[bool] = []

    def prometheus(request: Request) -> Reply:
        if down:
            return Reply(status=400)
        begin, end, step = (float(request.query[key]) for key in ("start", "end", "step"))
        at = begin + step * np.arange(int((end - begin) / step) + 1)
        level = np.where(at < NOW.timestamp(), 50.0, 300.0)
        values = [[t, str(v + t / step % 7)] for t, v in zip(at.tolist(), level, strict=True)]
        result = [{"metric": {"__name__": request.query["query"]}, "values": values}]
        return Reply(json.dumps({"status": "success", "data": {"result": result}}))

    async with serve(prometheus) as server:
        service = MonitoredService(
            name="checkout",
            health_url=f"{server.url}/health",
            history_url=server.url,
            metrics=["queue_length"],
        )
        business, following = Business(store=None, services=(service,)), Following()
        before = await following.look(business, ledger, RULES, NOW)
        after = await following.look(business, ledger, RULES, NOW + 10 * MINUTE)
        down.append(True)
        unread = await following.look(business, ledger, RULES, NOW + 15 * MINUTE)
    subject = "metric:checkout/queue_length"
    assert (before.covered, before.signals) == ({subject}, ())
    assert [signal.subject for signal in after.signals] == [subject]
    assert unread.covered == frozenset()
    assert unread.missing[0].startswith(f"{subject}: ")
