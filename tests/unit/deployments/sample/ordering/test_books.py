"""A supplier's book, and what it makes of orders."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from deployments.sample.faults import ORDER_KINDS, Fault, Trouble
from deployments.sample.ordering.books import (
    BookedLine,
    BookedOrder,
    OtherOrderError,
    SupplierBook,
    deliveries,
)
from deployments.sample.ordering.desk import OrderDesk, RefusedError, Wanted
from deployments.sample.suppliers import catalogue, supplier_named

DAY = date(2026, 11, 23)
NAME = "northwind-wholesale"
SKU, OTHER = [offer.product.sku for offer in catalogue(supplier_named(NAME))][:2]


def order(reference: str = "PO-1", key: str = "", units: int = 48) -> BookedOrder:
    days = (DAY + timedelta(days=9), DAY + timedelta(days=11))
    line = BookedLine(SKU, units, units, Decimal("1.10"), *days)
    return BookedOrder(reference, key, datetime(2026, 11, 23, 10, tzinfo=UTC), DAY, (line,))


def test_what_is_entered_is_in_the_book_and_a_key_is_used_once(tmp_path: Path) -> None:
    book = SupplierBook(tmp_path, NAME)
    assert book.orders() == []
    assert not list(tmp_path.iterdir()), "looking makes no file"
    first = book.enter(order(key="k"))
    again = book.enter(order(key="k"))
    assert (first.number, again.number, again.repeats) == (1, 1, 1)
    with pytest.raises(OtherOrderError, match="PO-1"):
        book.enter(order(key="k", units=60))
    assert SupplierBook(tmp_path, NAME).orders() == [again]
    assert again.lines == order().lines


def test_without_a_key_an_order_that_comes_twice_is_two_and_delivered_twice(tmp_path) -> None:
    book = SupplierBook(tmp_path, NAME)
    book.enter(order())
    book.enter(order())
    assert [each.number for each in book.of("PO-1")] == [1, 2]
    assert [bought.order_id for bought in deliveries(tmp_path)] == ["PO-1", "PO-1/2"]
    assert {bought.arrives_on for bought in deliveries(tmp_path)} == {DAY + timedelta(days=11)}


def desk(folder: Path, fault: str = "", *, today: date = DAY, name: str = NAME) -> OrderDesk:
    trouble = Trouble(ORDER_KINDS)
    trouble.begin(Fault(fault, float("inf"), 0) if fault else None)
    return OrderDesk(supplier_named(name), SupplierBook(folder, name), lambda: today, trouble)


@pytest.mark.parametrize(
    ("fault", "units", "share"),
    [("", 2400, 1), ("confirm-less", 1200, 1), ("raise-the-price", 2400, 1.15)],
)
def test_a_supplier_takes_an_order_as_its_fault_has_it(tmp_path, fault, units, share) -> None:
    taken = desk(tmp_path, fault).take(Wanted("PO-1", ((SKU, 2400),)))
    usual = catalogue(supplier_named(NAME))[0].unit_cost
    (line,) = taken.lines
    assert (line.ordered, line.units) == (2400, units)
    assert float(line.unit_cost) == pytest.approx(usual * share, abs=0.005)
    assert line.promised_on == DAY + timedelta(days=9)


def test_how_an_order_stands_follows_the_days(tmp_path: Path) -> None:
    taken = desk(tmp_path).take(Wanted("PO-1", ((SKU, 2400),)))
    arrives = taken.lines[0].arrives_on
    days = (DAY, DAY + timedelta(days=1), arrives - timedelta(days=1), arrives)
    assert [desk(tmp_path, today=day).state(taken) for day in days] == [
        *("confirmed", "shipped", "shipped", "delivered")
    ]
    less = desk(tmp_path, "confirm-less").take(Wanted("PO-2", ((SKU, 2400),)))
    assert desk(tmp_path).state(less) == "part"


def test_some_come_late_and_always_the_same(tmp_path: Path) -> None:
    """15% of northwind's are late, by 1 to 4 days; of 400 orders that is 32 to 88 (4 sigma)."""

    def delays(folder: Path) -> list[int]:
        return [desk(folder)._delay(f"PO-{i}") for i in range(400)]

    late = [days for days in delays(tmp_path) if days]
    assert 32 <= len(late) <= 88
    assert set(late) == {1, 2, 3, 4}
    assert delays(tmp_path) == delays(tmp_path)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ((("no-such", 48),), "do not sell 'no-such'"),
        (((SKU, 36),), "we sell 48 to"),
        (((SKU, 10**18),), "we sell 48 to"),
        (((SKU, 49),), "packs of 12"),
        (((SKU, 2400), (SKU, 2400)), "ordered twice"),
        (((SKU, 48),), "no order below 250"),
        ((), "no lines"),
    ],
)
def test_an_order_that_it_does_not_take_is_in_no_book(tmp_path, lines, says) -> None:
    with pytest.raises(RefusedError, match=says):
        desk(tmp_path).take(Wanted("PO-1", lines))
    assert SupplierBook(tmp_path, NAME).orders() == []
