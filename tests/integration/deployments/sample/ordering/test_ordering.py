"""Orders at the sample's three suppliers, real processes all, judged by their own books."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from blocks.business.business import Business
from blocks.business.ordering.answers import held_against
from blocks.business.ordering.placing import find, place
from blocks.business.suppliers import SupplierConnection
from blocks.errors import (
    DeliveryUnknown,
    OrchestratorError,
    SourceError,
    SourceRefused,
    SourceUnavailable,
)
from blocks.settings import PROJECT_ROOT, Settings, get_settings
from blocks.vocabulary.purchasing import OrderLine, PurchaseOrder, SupplierSays
from deployments.sample.business import drill_targets, prepare
from deployments.sample.ordering.books import BookedOrder, SupplierBook
from deployments.sample.suppliers import SUPPLIERS, catalogue, supplier_named
from tests.integration.loopback import free_ports
from tests.waiting import wait_until

NAMES = [supplier.name for supplier in SUPPLIERS]
NORTHWIND, MIDLAND, CONTINENTAL = NAMES
MONDAY = date(2026, 11, 23)


class Desks:
    """The three suppliers as they run, and their books."""

    def __init__(self, state_dir: Path) -> None:
        port = free_ports(7)
        sample = prepare(state_dir, Settings(sample_port=port), MONDAY)
        self.folder = sample.business_file.parent
        self.specs = [spec for spec in sample.processes if spec.name in NAMES]
        self.connections = {s.name: s for s in Business.from_toml(sample.business_file).suppliers}
        self.targets = drill_targets(state_dir)
        self._orders = 0

    def connection(self, name: str) -> SupplierConnection:
        """A supplier who has a second to answer."""
        found = self.connections[name].model_copy(update={"timeout": 1.5})
        if name == CONTINENTAL:
            server = found.ordering.server.model_copy(update={"timeout": 1.5})
            desk = found.ordering.model_copy(update={"server": server})
            found = found.model_copy(update={"ordering": desk})
        return found

    def order(self, name: str, **changes: Any) -> PurchaseOrder:
        """An order that the supplier takes, of a number of its own."""
        self._orders += 1
        offers = catalogue(supplier_named(name))[:2]
        order = PurchaseOrder(
            reference=f"PO-{self._orders:03d}",
            supplier=name,
            currency="GBP",
            lines=tuple(
                OrderLine(
                    sku=offer.product.sku,
                    name=offer.product.name,
                    units=2400,
                    unit_cost=Decimal(str(offer.unit_cost)),
                )
                for offer in offers
            ),
        )
        return order.model_copy(update=changes)

    def booked(self, name: str, order: PurchaseOrder) -> list[BookedOrder]:
        return SupplierBook(self.folder, name).of(order.reference)

    def drill(self, name: str, fault: str) -> None:
        target = self.targets[name]
        headers = {"Authorization": f"Bearer {target.token}"}
        method, document = ("POST", {"fault": fault}) if fault else ("DELETE", None)
        with httpx.Client(trust_env=False, headers=headers) as client:
            client.request(method, target.url, json=document).raise_for_status()


@pytest.fixture(scope="module")
def desks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desks]:
    all_of_them = Desks(tmp_path_factory.mktemp("state"))
    processes = [
        subprocess.Popen(spec.argv, env={**os.environ, **spec.env}, cwd=PROJECT_ROOT)
        for spec in all_of_them.specs
    ]

    def answer() -> bool:
        try:
            return all(
                httpx.get(spec.ready_url, trust_env=False).status_code == 200
                for spec in all_of_them.specs
            )
        except httpx.TransportError:
            return False

    try:
        wait_until(answer, "the suppliers")
        yield all_of_them
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.fixture(autouse=True)
def well_again(desks: Desks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No trouble of one test is left for another, nor what we remember of it."""
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path))
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()
    for name in NAMES:
        desks.drill(name, "")


async def tried(desks: Desks, name: str, order: PurchaseOrder, key: str = "") -> Any:
    """The answer to an order, or the error."""
    try:
        return await place(desks.connection(name), order, idempotency_key=key or order.reference)
    except OrchestratorError as error:
        return error


@pytest.mark.parametrize(
    ("name", "says"),
    [(NORTHWIND, "confirmed"), (MIDLAND, "confirmed"), (CONTINENTAL, "taken")],
)
async def test_each_takes_orders_in_its_own_way(desks, name, says) -> None:
    order = desks.order(name)
    answer = await place(desks.connection(name), order, idempotency_key="a" + order.reference)
    assert (answer.says.value, answer.reference) == (says, order.reference)
    (booked,) = desks.booked(name, order)
    assert [(line.sku, line.ordered, line.units) for line in booked.lines] == [
        (line.sku, 2400, 2400) for line in order.lines
    ]
    assert [line.unit_cost for line in booked.lines] == [line.unit_cost for line in order.lines]
    if name != CONTINENTAL:
        assert {line.sku: line.units for line in answer.lines} == {
            line.sku: line.units for line in order.lines
        }
        assert answer.detail == ""


@pytest.mark.parametrize("name", NAMES)
async def test_of_who_takes_and_never_answers_nobody_knows(desks, name) -> None:
    order = desks.order(name)
    desks.drill(name, "accept-and-time-out")
    assert isinstance(await tried(desks, name, order), DeliveryUnknown)
    assert len(desks.booked(name, order)) == 1, "it has the order all the same"


async def test_with_its_key_an_order_may_be_sent_again(desks) -> None:
    order = desks.order(NORTHWIND)
    desks.drill(NORTHWIND, "accept-and-time-out")
    for _ in range(2):
        assert isinstance(await tried(desks, NORTHWIND, order), DeliveryUnknown)
    desks.drill(NORTHWIND, "")
    answer = await tried(desks, NORTHWIND, order)
    assert answer.says is SupplierSays.CONFIRMED
    (booked,) = desks.booked(NORTHWIND, order)
    assert booked.repeats == 2
    other = desks.order(NORTHWIND)
    error = await tried(desks, NORTHWIND, other, key=order.reference)
    assert isinstance(error, DeliveryUnknown), (
        "a key that was used before tells nothing of this one"
    )
    assert desks.booked(NORTHWIND, other) == []


@pytest.mark.parametrize("name", [NORTHWIND, MIDLAND])
async def test_who_can_be_asked_tells_what_a_time_out_hid(desks, name) -> None:
    order = desks.order(name)
    assert await find(desks.connection(name), order.reference) is None
    desks.drill(name, "accept-and-time-out")
    assert isinstance(await tried(desks, name, order), DeliveryUnknown)
    answer = await find(desks.connection(name), order.reference)
    assert answer
    assert held_against(order, answer).says is SupplierSays.CONFIRMED
    assert len(desks.booked(name, order)) == 1


async def test_midland_knows_no_keys_and_takes_what_comes_twice_twice(desks) -> None:
    order = desks.order(MIDLAND)
    for _ in range(2):
        await place(desks.connection(MIDLAND), order, idempotency_key="the same")
    assert len(desks.booked(MIDLAND, order)) == 2
    answer = await find(desks.connection(MIDLAND), order.reference)
    assert answer
    assert answer.says is SupplierSays.PARTLY
    assert "It has this order 2 times" in answer.detail


@pytest.mark.parametrize("name", [NORTHWIND, MIDLAND])
@pytest.mark.parametrize(
    ("fault", "says", "detail", "units"),
    [
        ("confirm-less", "partly", "of 2400 of", 1200),
        ("raise-the-price", "partly", "instead of", 2400),
        ("confirm-twice", "confirmed", "2 times", 2400),
    ],
)
async def test_what_differs_is_seen(desks, name, fault, says, detail, units) -> None:
    order = desks.order(name)
    desks.drill(name, fault)
    answer = await tried(desks, name, order)
    assert (answer.says.value, detail in answer.detail) == (says, True), answer.detail
    assert {line.units for line in answer.lines} == {units}
    (booked,) = desks.booked(name, order)
    assert [line.units for line in booked.lines] == [line.units for line in answer.lines]
    found = await find(desks.connection(name), order.reference)
    assert found
    assert held_against(order, found).says.value == says


async def test_a_web_page_is_no_confirmation(desks) -> None:
    for name in (NORTHWIND, MIDLAND):
        order = desks.order(name)
        desks.drill(name, "html-200")
        error = await tried(desks, name, order)
        assert isinstance(error, DeliveryUnknown)
        assert "web page" in str(error)
        assert len(desks.booked(name, order)) == 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fault", ["silent", "errors", "garbage"])
async def test_who_is_broken_has_no_order(desks, name, fault) -> None:
    if (name, fault) == (CONTINENTAL, "garbage"):
        return  # a mail server has no web pages
    order = desks.order(name)
    desks.drill(name, fault)
    error = await tried(desks, name, order)
    # Before a mail is handed over it is sure that it was not; a request is sent as a whole.
    by_mail = name == CONTINENTAL
    assert isinstance(error, SourceUnavailable if by_mail else DeliveryUnknown)
    assert desks.booked(name, order) == []
    if not by_mail:
        with pytest.raises(SourceError):
            await find(desks.connection(name), order.reference)
    desks.drill(name, "")
    if not by_mail:
        assert await find(desks.connection(name), order.reference) is None


@pytest.mark.parametrize("name", NAMES)
async def test_an_order_that_cannot_be_is_refused_in_the_supplier_s_words(desks, name) -> None:
    sku = catalogue(supplier_named(name))[0].product.sku
    line = OrderLine(sku=sku, units=10**9 - 1, unit_cost=Decimal(1))
    order = desks.order(name, lines=(line,))
    error = await tried(desks, name, order)
    assert isinstance(error, SourceRefused)
    assert f"of {sku} we sell" in str(error)
    assert desks.booked(name, order) == []


async def test_strangers_order_nothing(desks) -> None:
    for name in (NORTHWIND, MIDLAND):
        stranger = desks.connection(CONTINENTAL).credential
        connection = desks.connection(name).model_copy(update={"credential": stranger})
        order = desks.order(name)
        with pytest.raises(SourceRefused, match="credentials"):
            await place(connection, order, idempotency_key="k")
        assert desks.booked(name, order) == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v2/orders", b"["),
        ("/api/v2/orders", b'{"customer_reference": 1, "positions": []}'),
        ("/api/v2/orders", b'{"customer_reference": "x", "positions": [{"code": "a"}]}'),
        (
            "/api/v2/orders",
            b'{"customer_reference": "x", "positions": [{"code": 1, "quantity": true}]}',
        ),
        ("/api/v2/orders", b"[" * 200_000),
    ],
    ids=range(5),
)
async def test_what_is_no_order_is_refused(desks, path, body) -> None:
    connection = desks.connection(NORTHWIND)
    for headers in ({"Idempotency-Key": "z"}, {}):
        answer = await connection.post(path, body, content_type="", headers=headers)
        assert answer.status == 422


async def test_twenty_at_once_with_one_key_are_one(desks) -> None:
    order = desks.order(NORTHWIND)
    connection = desks.connections[NORTHWIND]
    answers = await asyncio.gather(
        *(place(connection, order, idempotency_key="race") for _ in range(20))
    )
    assert {answer.number for answer in answers} == {
        f"NW-{desks.booked(NORTHWIND, order)[0].number:05d}"
    }
    assert len(desks.booked(NORTHWIND, order)) == 1
