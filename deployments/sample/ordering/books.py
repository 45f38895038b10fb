"""A supplier's own book of the orders that it took: what was ordered, how often, what comes when.

It is the supplier's word against ours. Whether an order came once or twice is judged by it, and the
shop's goods come by it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from deployments.sample.replenishment import PurchaseOrder
from deployments.sample.suppliers import SUPPLIERS

_TABLES = """
CREATE TABLE IF NOT EXISTS orders (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    reference TEXT NOT NULL,
    key TEXT UNIQUE,          -- NULL where the customer gave none
    taken_at TEXT NOT NULL,
    ordered_on TEXT NOT NULL, -- the day at the shop
    repeats INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS lines (
    number INTEGER NOT NULL REFERENCES orders (number),
    position INTEGER NOT NULL,
    sku TEXT NOT NULL,
    ordered INTEGER NOT NULL,
    units INTEGER NOT NULL,
    unit_cost TEXT NOT NULL,
    promised_on TEXT NOT NULL,
    arrives_on TEXT NOT NULL,
    PRIMARY KEY (number, position)
);
"""


@dataclass(frozen=True)
class BookedLine:
    """One item of an order.

    Attributes:
        sku: The SKU.
        ordered: Pieces that were ordered.
        units: Pieces that are delivered.
        unit_cost: Price per piece, in GBP.
        promised_on: Day of delivery, as confirmed.
        arrives_on: Day on which it comes, which the supplier does not know yet.
    """

    sku: str
    ordered: int
    units: int
    unit_cost: Decimal
    promised_on: date
    arrives_on: date


@dataclass(frozen=True)
class BookedOrder:
    """One order as it stands in the book.

    Attributes:
        reference: The customer's number of it.
        key: Its idempotency key; "" where it came without one.
        taken_at: When it came, in UTC.
        ordered_on: The shop's day then.
        lines: Its items.
        number: The supplier's own number of it; 0 before it is entered.
        repeats: How often it came again with the same key, and was not taken again.
    """

    reference: str
    key: str
    taken_at: datetime
    ordered_on: date
    lines: tuple[BookedLine, ...]
    number: int = 0
    repeats: int = 0


class OtherOrderError(ValueError):
    """A key came again with another order."""


class SupplierBook:
    """The book of one supplier: a SQLite file of its own.

    Args:
        folder: The sample's folder.
        supplier: The supplier's name.
    """

    def __init__(self, folder: Path, supplier: str) -> None:
        self._file = folder / f"{supplier}-orders.db"

    def enter(self, order: BookedOrder) -> BookedOrder:
        """Enter an order, or find it where its key was used before.

        Returns:
            The order as it stands in the book.

        Raises:
            OtherOrderError: The key was used for another order.
        """
        with self._open() as book:
            book.execute("BEGIN IMMEDIATE")
            if known := [each for each in _read(book) if order.key and each.key == order.key]:
                if not _same(known[0], order):
                    raise OtherOrderError(f"this key was used for {known[0].reference!r}")
                book.execute("UPDATE orders SET repeats = repeats + 1 WHERE key = ?", (order.key,))
                return replace(known[0], repeats=known[0].repeats + 1)
            number = book.execute(
                "INSERT INTO orders (reference, key, taken_at, ordered_on) VALUES (?, ?, ?, ?)",
                (
                    *(order.reference, order.key or None),
                    *(order.taken_at.isoformat(), order.ordered_on.isoformat()),
                ),
            ).lastrowid
            book.executemany(
                "INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        *(number, position, line.sku, line.ordered, line.units),
                        *(str(line.unit_cost), line.promised_on.isoformat()),
                        line.arrives_on.isoformat(),
                    )
                    for position, line in enumerate(order.lines)
                ],
            )
            assert number is not None, "of an insert"
            return replace(order, number=number)

    def orders(self) -> list[BookedOrder]:
        """All orders, as they came."""
        if not self._file.exists():
            return []
        with self._open() as book:
            return _read(book)

    def of(self, reference: str) -> list[BookedOrder]:
        """The orders with a customer's number: one, unless it was taken twice."""
        return [order for order in self.orders() if order.reference == reference]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """The book, closed afterwards; what was begun and not ended by then did not happen."""
        with closing(sqlite3.connect(self._file, timeout=10, isolation_level=None)) as book:
            book.executescript(_TABLES)
            yield book
            if book.in_transaction:
                book.execute("COMMIT")


def deliveries(folder: Path) -> list[PurchaseOrder]:
    """All that was bought from the sample's suppliers by orders in their books, by item.

    Who took an order twice delivers twice: the second bears its own number beside ours.
    """
    bought = []
    for supplier in SUPPLIERS:
        seen: set[str] = set()
        for order in SupplierBook(folder, supplier.name).orders():
            again = order.reference in seen
            seen.add(order.reference)
            order_id = f"{order.reference}/{order.number}" if again else order.reference
            bought += [
                PurchaseOrder(
                    order_id=order_id,
                    sku=line.sku,
                    supplier=supplier.name,
                    units=line.units,
                    unit_cost=float(line.unit_cost),
                    ordered_on=order.ordered_on,
                    promised_on=line.promised_on,
                    arrives_on=line.arrives_on,
                )
                for line in order.lines
                if line.units
            ]
    return bought


def _read(book: sqlite3.Connection) -> list[BookedOrder]:
    lines: dict[int, list[BookedLine]] = {}
    for number, sku, ordered, units, cost, promised, arrives in book.execute(
        "SELECT number, sku, ordered, units, unit_cost, promised_on, arrives_on FROM lines "
        "ORDER BY number, position"
    ):
        days = (date.fromisoformat(promised), date.fromisoformat(arrives))
        lines.setdefault(number, []).append(BookedLine(sku, ordered, units, Decimal(cost), *days))
    return [
        BookedOrder(
            reference=reference,
            key=key or "",
            taken_at=datetime.fromisoformat(taken_at),
            ordered_on=date.fromisoformat(ordered_on),
            lines=tuple(lines[number]),
            number=number,
            repeats=repeats,
        )
        for number, reference, key, taken_at, ordered_on, repeats in book.execute(
            "SELECT number, reference, key, taken_at, ordered_on, repeats FROM orders "
            "ORDER BY number"
        )
    ]


def _same(known: BookedOrder, order: BookedOrder) -> bool:
    def wanted(one: BookedOrder) -> tuple[str, list[tuple[str, int]]]:
        return one.reference, [(line.sku, line.ordered) for line in one.lines]

    return wanted(known) == wanted(order)
