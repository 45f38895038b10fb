"""Requests that a service counts itself, read over HTTP from what serves Prometheus' API."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agents.sre_reliability.objectives.counters import read_counters
from agents.sre_reliability.objectives.objective_watch import look_at_objectives
from blocks.business.business import Business
from blocks.business.services import MonitoredService
from blocks.errors import SourceGarbled
from blocks.ledger import Ledger
from blocks.policy.watching.objective_rules import Objective, ObjectiveRules, Requests
from tests.loopback import Reply, serve

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOURCE = Requests(total="requests_total", bad="requests_total", service="shop")


def range_of(*values: float) -> Reply:
    start = NOON.timestamp()
    pairs = [[start + 15 * i, str(value)] for i, value in enumerate(values)]
    data = {"resultType": "matrix", "result": [{"metric": {}, "values": pairs}]}
    return Reply(json.dumps({"status": "success", "data": data}), content_type="application/json")


def shop(url: str) -> MonitoredService:
    return MonitoredService(name="shop", health_url=url, history_url=url)


async def test_what_counters_grew_by_is_kept_once_whoever_reads_it_again() -> None:
    async with serve(range_of(100, 110, 4)) as server:
        service = shop(server.url)
        now = NOON + timedelta(seconds=40)
        read = await read_counters(service, "shop", SOURCE, None, now)
        assert [(s.series, s.value) for s in read] == [
            ("objective:shop/total_count", 10),
            ("objective:shop/bad_count", 10),
            ("objective:shop/total_count", 4),
            ("objective:shop/bad_count", 4),
        ]
        known = NOON + timedelta(seconds=15)
        again = await read_counters(service, "shop", SOURCE, known, now)
        assert again == read[2:]


async def test_what_is_no_counter_is_refused() -> None:
    async with serve(range_of(0, 1e13)) as server:
        with pytest.raises(SourceGarbled, match="grew by 1e\\+13"):
            await read_counters(shop(server.url), "shop", SOURCE, None, NOON + timedelta(minutes=1))


async def test_without_its_service_it_is_missing_and_nothing_is_said_to_be_over(
    tmp_path: Path,
) -> None:
    promise = Objective(name="shop", target="service:shop", objective=0.99, source=SOURCE)
    rules = ObjectiveRules(services=None, own=(promise,))
    async with serve(range_of(0, 100, 200)) as server:
        business = Business(store=None, services=(shop(server.url),))
        with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
            now = NOON + timedelta(seconds=40)
            look = await look_at_objectives(business, ledger, rules, now)
            assert look.covered == {"service:shop"}
            assert not look.missing
            gone = Business(store=None)
            look = await look_at_objectives(gone, ledger, rules, now)
    assert look.covered == frozenset()
    assert "no service 'shop' is configured" in look.missing[0]
