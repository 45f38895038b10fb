"""A checkout that answers well and sells nothing: from its database to the incident and its end."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from prefect.variables import Variable

from agents.data_intelligence.takings import money_between, usual_takings
from agents.registry import registry
from blocks.business.business import Business
from blocks.ledger import Ledger
from blocks.ledger.events.records import IncidentStatus
from blocks.prefect_api.client import PrefectApi
from blocks.settings import PROJECT_ROOT, Settings, get_settings
from blocks.vocabulary.looks import Look
from blocks.vocabulary.messages import Severity
from deployments.sample import history
from deployments.sample.business import drill_targets, prepare
from deployments.sample.checkout import SELLS_NOTHING
from deployments.sample.history import Line
from deployments.sample.store import TIMEZONE
from flows.event_driven_workflow import event_driven_workflow
from flows.orchestrator.dispatch.policy import (
    VARIABLE,
    forget_policy,
    policy_in_force,
    write_changes,
)
from flows.orchestrator.watching.parts import PARTS, Watch
from flows.orchestrator.watching.watch import watch_once
from tests.integration.flows.seen import ran
from tests.integration.loopback import free_ports
from tests.waiting import wait_until

LONDON = ZoneInfo(TIMEZONE)
TODAY = date(2026, 11, 5)
"""A Thursday before Christmas: up to 18 orders an hour."""

STEP = timedelta(minutes=5)
(ORDERS,) = (part for part in PARTS if part.name == "orders")


def at(hour: int, minute: int = 0) -> datetime:
    """On the shop's clock."""
    return datetime.combine(TODAY, time(hour, minute), LONDON)


@dataclass
class Checkout:
    """The sample's checkout as a process, and its customers.

    Attributes:
        business: What is looked after.
        url: Where it listens.
        token: What its customers have.
    """

    business: Business
    url: str
    token: str

    def buy(self, begin: datetime, end: datetime) -> int:
        """Place the orders that customers really placed then; how many lines were taken."""
        taken = 0
        for order, lines in groupby(_lines_of_today(), key=lambda line: line.order_id):
            bought = [line for line in lines if line.units > 0]
            when = bought[0].sold_at if bought else None
            if when is None or not begin.replace(tzinfo=None) <= when < end.replace(tzinfo=None):
                continue
            told = [line._asdict() for line in bought]
            document = {
                "order_id": order,
                "sold_at": when.isoformat(),
                "lines": [{k: each[k] for k in ("sku", "units", "unit_price")} for each in told],
            }
            answer = self.ask("POST", "/orders", document)
            assert answer.status_code == 201, answer.text
            taken += answer.json()["lines"]
        return taken

    def ask(self, method: str, path: str, document: object = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.request(
            method, f"{self.url}{path}", json=document, headers=headers, trust_env=False, timeout=30
        )


def _lines_of_today() -> list[Line]:
    shift = history.shift_for(TODAY)
    return [
        line._replace(sold_at=line.sold_at + shift)
        for line in history.source_lines()
        if line.sold_at.date() + shift == TODAY
    ]


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    """Up and answering, in front of the shop's database as it is in the morning."""
    sample = prepare(tmp_path, Settings(sample_port=free_ports(7)), TODAY)
    (spec,) = (each for each in sample.processes if each.name == "checkout")
    process = subprocess.Popen(spec.argv, env={**os.environ, **spec.env}, cwd=PROJECT_ROOT)
    try:
        wait_until(lambda: _answers(spec.ready_url or ""), spec.name)
        target = drill_targets(tmp_path)["checkout"]
        url = (spec.ready_url or "").removesuffix("/health")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ORCHESTRATOR_BUSINESS_FILE", str(sample.business_file))
            get_settings.cache_clear()
            yield Checkout(Business.from_toml(sample.business_file), url, target.token)
        get_settings.cache_clear()
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
async def told_of_the_checkout(prefect_server: str) -> AsyncIterator[None]:
    forget_policy()
    changes = {"trade": {"checkout": "checkout"}, "events": {"group_wait_seconds": 0}}
    await write_changes(changes, registry())
    yield
    await Variable.aunset(VARIABLE)
    forget_policy()


async def look(checkout: Checkout, ledger: Ledger, now: datetime) -> Look:
    policy = (await policy_in_force(ledger, registry())).policy
    watch = Watch(checkout.business, ledger, PrefectApi(), policy, now.astimezone(UTC))
    (seen,) = await watch_once(watch, [ORDERS])
    return seen


async def go_on(
    checkout: Checkout, ledger: Ledger, begin: datetime, end: datetime
) -> list[tuple[datetime, Look]]:
    """Customers buy, and we look, every five minutes."""
    seen, now = [], begin
    while now < end:
        await asyncio.to_thread(checkout.buy, now, now + STEP)
        now += STEP
        seen.append((now, await look(checkout, ledger, now)))
    return seen


@pytest.mark.prefect
async def test_it_is_an_incident_within_the_hour_with_its_money_and_ends_with_the_first_order(
    told_of_the_checkout, ledger: Ledger, checkout: Checkout
) -> None:
    await asyncio.to_thread(checkout.buy, at(0), at(10))
    for _, seen in await go_on(checkout, ledger, at(10), at(12)):
        assert (seen.signals, seen.missing) == ((), ())

    checkout.ask("POST", "/_drill", {"fault": SELLS_NOTHING})
    stopped = await go_on(checkout, ledger, at(12), at(13))
    assert checkout.ask("GET", "/health").status_code == 200
    found = [(now, seen.signals[0]) for now, seen in stopped if seen.signals]
    assert found, "it took more than an hour"
    when, signal = found[0]
    assert (signal.kind, signal.subject) == ("orders.stopped", "service:checkout")

    _, report = await ran(event_driven_workflow)
    (incident,) = await ledger.incidents.open()
    assert (incident.resource, incident.severity) == ("service:checkout", Severity.CRITICAL)
    assert incident.status is IncidentStatus.STANDING, "that it answers well does not end it"
    assert "Place an order" in incident.done
    assert incident.impact_per_hour == pytest.approx(signal.impact_per_hour)
    takings = await usual_takings(ledger, "sample-shop", when)
    hour = money_between(takings, 1.0, when, when + timedelta(hours=1))
    assert hour == pytest.approx(signal.impact_per_hour, rel=0.01)
    night = money_between(takings, 1.0, at(22), at(23))
    assert night is not None
    assert night < 0.05 * hour, "by the hour of the day"
    assert any("At risk per hour" in table.columns for s in report.sections for table in s.tables)

    checkout.ask("DELETE", "/_drill")
    (_, well), *_ = await go_on(checkout, ledger, at(13, 5), at(13, 20))
    assert well.signals == ()
    await ran(event_driven_workflow)
    assert await ledger.incidents.open() == []
