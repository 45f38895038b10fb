"""Orders of a shop's database, looked at as time goes by: silence, shortfalls, late data, money."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from agents.data_intelligence.takings import money_per_hour, usual_takings
from blocks.business.business import Business
from blocks.business.services import MonitoredService
from blocks.ledger import Ledger
from blocks.policy.policy import Policy
from blocks.policy.watching.anomaly_rules import AnomalyRules
from blocks.policy.watching.trade_rules import TradeRules
from blocks.prefect_api.client import PrefectApi
from blocks.store.block import StoreDatabase
from blocks.vocabulary.looks import Look
from blocks.vocabulary.messages import Severity
from flows.orchestrator.watching.orders import Orders
from flows.orchestrator.watching.parts import PARTS, Watch
from flows.orchestrator.watching.signals import settle

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
"""A Wednesday's noon."""

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SHOP = "store:shop"
SOURCE = "orchestrator.watch.orders"
RULES = TradeRules()


class Shop:
    """A shop that sells from 8 to 20 o'clock, and whose database a test writes."""

    def __init__(self, folder: Path, per_hour: float) -> None:
        self.url = f"sqlite:///{folder / 'shop.db'}"
        self._engine = sa.create_engine(self.url)
        self._random = np.random.default_rng(11)
        self._per_hour, self._number = per_hour, 0
        with self._engine.begin() as connection:
            connection.exec_driver_sql(
                "CREATE TABLE IF NOT EXISTS sold "
                "(number TEXT, sku TEXT, at TEXT, units INT, paid REAL, state TEXT)"
            )
            connection.exec_driver_sql("CREATE INDEX IF NOT EXISTS sold_at ON sold (at)")

    def sell(self, begin: datetime, end: datetime, share: float = 1.0, state: str = "paid") -> None:
        """Orders of 10.00 each from one instant to another, at random times of its hours."""
        rows, at = [], begin
        while at < end:
            until = min(end, at.replace(minute=0) + HOUR)
            if 8 <= at.hour < 20:
                many = self._random.poisson(self._per_hour * share * ((until - at) / HOUR))
                rows += [at + self._random.random() * (until - at) for _ in range(many)]
            at = until
        self._write(sorted(rows), state)

    def _write(self, times: list[datetime], state: str) -> None:
        said = []
        for at in times:
            self._number += 1
            when = at.replace(tzinfo=None).isoformat(" ", "seconds")
            said.append((f"{at:%j}-{self._number}", "a", when, 1, 10.0, state))
        if said:
            with self._engine.begin() as connection:
                connection.exec_driver_sql("INSERT INTO sold VALUES (?, ?, ?, ?, ?, ?)", said)

    def business(self, *services: MonitoredService) -> Business:
        columns = {"order_id": "number", "sku": "sku", "sold_at": "at", "units": "units"}
        lines: Any = {
            "table": "sold",
            "columns": columns | {"revenue": "paid"},
            "where": {"state": ["paid"]},
        }
        store = StoreDatabase(
            name="shop",
            url=SecretStr(self.url),
            currency="EUR",
            frames={"sale_lines": lines},
        )
        store.take_from_file()
        return Business(store=store, services=services)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as opened:
        yield opened


@pytest.fixture(scope="module")
def ten_weeks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop's database with 40 orders an hour, up to now."""
    folder = tmp_path_factory.mktemp("shop")
    Shop(folder, 40.0).sell(NOW - 70 * DAY, NOW)
    return folder / "shop.db"


@pytest.fixture
def shop(tmp_path: Path, ten_weeks: Path) -> Shop:
    """Of its own for each test."""
    shutil.copy(ten_weeks, tmp_path)
    return Shop(tmp_path, 40.0)


async def looks(
    orders: Orders, business: Business, ledger: Ledger, begin: datetime, end: datetime
) -> list[Look]:
    """A look every five minutes, each of which sees only what is there."""
    found, at = [], begin
    while at <= end:
        look = await orders.look(business, ledger, RULES, at)
        await ledger.samples.keep(look.samples)
        found.append(look)
        at += 5 * MINUTE
    return found


async def seen_well(orders: Orders, business: Business, ledger: Ledger) -> None:
    """Looks of the hour and a half before now, while orders come in."""
    for look in await looks(orders, business, ledger, NOW - 90 * MINUTE, NOW):
        assert look.signals == ()


async def test_a_shop_that_sells_as_usual_is_well(shop: Shop, ledger: Ledger) -> None:
    look = await Orders().look(shop.business(), ledger, RULES, NOW)
    assert (look.covered, look.signals, look.missing) == (frozenset({SHOP}), (), ())


async def test_when_orders_stop_it_is_known_within_the_hour_and_over_with_the_first_one(
    shop: Shop, ledger: Ledger
) -> None:
    orders, business = Orders(), shop.business()
    await seen_well(orders, business, ledger)
    after = await looks(orders, business, ledger, NOW + 5 * MINUTE, NOW + HOUR)
    told = [look.signals[0] for look in after if look.signals]
    assert told, "within the hour"
    assert len(told) >= 7, "40 orders an hour: within half of it"
    assert {(each.kind, each.subject, each.severity) for each in told} == {
        ("orders.stopped", SHOP, Severity.CRITICAL)
    }
    assert len({each.fingerprint for each in told}) == 1
    assert told[-1].impact_per_hour == pytest.approx(400, rel=0.15)
    assert told[-1].evidence["hours_to_know_of_a_stop"] < 1
    assert told[-1].evidence["usual_revenue_since"] == pytest.approx(400, rel=0.2)
    shop.sell(NOW + HOUR, NOW + HOUR + 5 * MINUTE)
    (well,) = await looks(orders, business, ledger, NOW + 65 * MINUTE, NOW + 65 * MINUTE)
    assert (well.signals, SHOP in well.covered) == ((), True)


async def test_a_collapse_is_a_shortfall_and_no_silence(shop: Shop, ledger: Ledger) -> None:
    orders, business = Orders(), shop.business()
    await seen_well(orders, business, ledger)
    shop.sell(NOW, NOW + 3 * HOUR, share=0.25)
    told = [
        look.signals[0]
        for look in await looks(orders, business, ledger, NOW + 2 * HOUR, NOW + 3 * HOUR)
        if look.signals
    ]
    assert told
    assert {each.kind for each in told} == {"orders.low"}
    assert told[-1].impact_per_hour == pytest.approx(300, rel=0.25)


async def test_nobody_is_told_of_a_silent_night(shop: Shop, ledger: Ledger) -> None:
    orders, business = Orders(), shop.business()
    shop.sell(NOW, NOW + 8 * HOUR)
    evening = NOW + 8 * HOUR
    for look in await looks(orders, business, ledger, evening - HOUR, evening + 2 * HOUR):
        assert look.signals == ()


async def test_data_that_come_late_are_no_silence(shop: Shop, ledger: Ledger) -> None:
    """Nobody saw orders come in: it cannot be known whether they stopped."""
    look = await Orders().look(shop.business(), ledger, RULES, NOW + 2 * HOUR)
    assert look.signals == ()
    assert look.covered == frozenset(), "what fired before is not over"
    assert "cannot be told" in look.missing[0]


async def test_a_nightly_export_is_known_to_be_late(shop: Shop, ledger: Ledger) -> None:
    orders, business = Orders(), shop.business()
    midnight = NOW.replace(hour=0)
    shop.sell(NOW, midnight + DAY)
    for day in range(1, 6):
        today = midnight + day * DAY
        for hour in range(1, 24):
            look = await orders.look(business, ledger, RULES, today + hour * HOUR)
            await ledger.samples.keep(look.samples)
            assert look.signals == ()
        shop.sell(today, today + DAY)
    assert any("late" in why for why in look.notes)


async def test_placed_and_never_paid_is_told_apart_from_a_database_that_is_not_fed(
    shop: Shop, ledger: Ledger
) -> None:
    orders, business = Orders(), shop.business()
    await seen_well(orders, business, ledger)
    (look,) = await looks(orders, business, ledger, NOW + HOUR, NOW + HOUR)
    assert "the feed of the database that stopped" in look.signals[0].summary
    shop.sell(NOW, NOW + HOUR, state="pending")
    (look,) = await looks(orders, business, ledger, NOW + HOUR + MINUTE, NOW + HOUR + MINUTE)
    assert "an order line of whatever state" in look.signals[0].summary


async def test_it_is_told_of_the_checkout_where_one_is_named(shop: Shop, ledger: Ledger) -> None:
    business = shop.business(MonitoredService(name="till", health_url="http://127.0.0.1/"))
    orders = Orders()
    await seen_well(orders, business, ledger)
    rules = TradeRules(checkout="till")
    look = await orders.look(business, ledger, rules, NOW + HOUR)
    assert look.signals[0].subject == "service:till"
    assert look.covered == {SHOP, "service:till"}


async def test_a_day_that_the_policy_names_is_no_silence(shop: Shop, ledger: Ledger) -> None:
    orders, business = Orders(), shop.business()
    shop.sell(NOW, NOW + 8 * HOUR)
    await looks(orders, business, ledger, NOW, NOW + 2 * HOUR)
    tomorrow = NOW + DAY
    named = TradeRules(closed_days=[tomorrow.date()])
    assert (await orders.look(business, ledger, RULES, tomorrow)).signals
    assert not (await orders.look(business, ledger, named, tomorrow)).signals


async def test_what_is_usual_is_written_down_for_who_prices_incidents(
    shop: Shop, ledger: Ledger
) -> None:
    await Orders().look(shop.business(), ledger, RULES, NOW)
    takings = await usual_takings(ledger, "shop", NOW)
    assert takings.is_by_hour(NOW)
    assert money_per_hour(takings, 0.5, NOW) == pytest.approx(200, rel=0.15)
    assert money_per_hour(takings, 0.5, NOW + 14 * HOUR) == pytest.approx(0, abs=1)


async def test_what_is_usual_is_written_down_anew_when_more_is_known(
    shop: Shop, ledger: Ledger
) -> None:
    """A day off that was named later costs nothing."""
    orders, business, tomorrow = Orders(), shop.business(), NOW + DAY
    await orders.look(business, ledger, RULES, NOW)
    await orders.look(business, ledger, TradeRules(closed_days=[tomorrow.date()]), NOW)
    takings = await usual_takings(ledger, "shop", NOW)
    assert money_per_hour(takings, 1.0, tomorrow) == 0
    assert money_per_hour(takings, 1.0, NOW) == pytest.approx(400, rel=0.15)


async def test_hours_that_are_over_are_written_down(shop: Shop, ledger: Ledger) -> None:
    orders, business = Orders(), shop.business()
    await seen_well(orders, business, ledger)
    name = f"{SHOP}/orders_per_hour"
    kept = (await ledger.samples.history([name], NOW - DAY, NOW))[name]
    assert [at.hour for at, _ in kept][-1] == 10, "the hour from 11 to 12 is just over"
    with sa.create_engine(shop.url).connect() as connection:
        (there,) = connection.exec_driver_sql(
            "SELECT count(*) FROM sold WHERE at >= '2026-11-25 10:00' AND at < '2026-11-25 11:00'"
        ).one()
    assert kept[-1][1] == there


async def test_a_small_shop_is_not_called_silent_by_the_hour(
    tmp_path: Path, ledger: Ledger
) -> None:
    small = Shop(tmp_path, 0.25)
    small.sell(NOW - 100 * DAY, NOW)
    orders, business = Orders(), small.business()
    look = await orders.look(business, ledger, RULES, NOW)
    assert look.signals == ()
    assert "cannot be known within the hour" in look.notes[0]
    assert look.missing == (), "it is known for good, and no reason to call a look incomplete"


async def test_a_young_shop_is_not_judged(tmp_path: Path, ledger: Ledger) -> None:
    young = Shop(tmp_path, 40.0)
    young.sell(NOW - 20 * DAY, NOW)
    look = await Orders().look(young.business(), ledger, RULES, NOW)
    assert (look.covered, look.signals) == (frozenset(), ())
    assert "from 8 weeks of sales on" in look.notes[0]


async def test_a_database_that_cannot_be_read_is_said(
    shop: Shop, ledger: Ledger, tmp_path: Path
) -> None:
    business = shop.business()
    os.remove(tmp_path / "shop.db")
    look = await Orders().look(business, ledger, RULES, NOW)
    assert look.covered == frozenset()
    assert look.missing[0].startswith(SHOP)
    assert look.failed


async def test_without_a_store_there_is_nothing_to_look_at(ledger: Ledger) -> None:
    look = await Orders().look(Business(store=None), ledger, RULES, NOW)
    assert look == Look(part="orders")


async def test_what_was_told_of_a_store_that_is_no_longer_looked_after_is_over(
    shop: Shop, ledger: Ledger
) -> None:
    orders, business = Orders(), shop.business()
    await seen_well(orders, business, ledger)
    (stopped,) = await looks(orders, business, ledger, NOW + HOUR, NOW + HOUR)
    await settle(ledger, stopped, NOW + HOUR)
    assert await ledger.inbox.firing(SOURCE)

    (part,) = (each for each in PARTS if each.name == "orders")
    left_out = Business(store=None, left_out=("the store cannot be read as it is configured",))
    for now_looked_after, over in ((left_out, False), (Business(store=None), True)):
        later = Watch(now_looked_after, ledger, PrefectApi(), Policy(), NOW + 2 * HOUR)
        await settle(ledger, await part.look(later), NOW + 2 * HOUR)
        assert (await ledger.inbox.firing(SOURCE) == []) is over


def test_orders_are_judged_once() -> None:
    """Not as a series beside: one silence would be two alerts."""
    assert not AnomalyRules().judges(f"{SHOP}/orders_per_hour")
