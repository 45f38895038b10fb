"""A small business for the actions that take nothing but JSON: its numbers are easy to foresee."""

from __future__ import annotations

import sqlite3
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from blocks.business.business import Business
from blocks.business.services import MonitoredService
from blocks.business.suppliers import SupplierConnection
from blocks.ledger import Ledger
from blocks.store.block import StoreDatabase
from blocks.vocabulary.messages import SystemEvent
from tests.loopback import Reply, serve

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""A Monday; the shop trades every day and knows no other time zone."""

DAYS = 210
WELL = Reply('{"status": "ok"}')
OFFERS = Reply('[{"sku": "a", "unit_cost": 1, "lead_time_days": 3, "min_order_units": 5}]')
NOBODY = "http://127.0.0.1:1"  # nothing listens on port 1

FRAMES: dict[str, Any] = {
    "products": {"table": "goods", "columns": {"sku": "sku", "name": "name", "unit_price": "p"}},
    "stock": {"table": "shelf", "columns": {"sku": "sku", "on_hand": "units"}},
    "sale_lines": {
        "table": "sold",
        "columns": {
            "order_id": "bill",
            "sku": "sku",
            "sold_at": "day",
            "units": "units",
            "unit_price": "price",
        },
    },
    "open_orders": {
        "table": "due",
        "columns": {
            "order_id": "bill",
            "supplier": "supplier",
            "sku": "sku",
            "units": "units",
            "ordered_at": "ordered",
            "expected_at": "expected",
        },
    },
}


@dataclass
class MatrixShop:
    """A shop that sells 6 apples at 2.00 and 3 pears at 4.00 a day, on three bills: 24.00 a day."""

    folder: Path
    ledger: Ledger
    open: AsyncExitStack
    suppliers: list[SupplierConnection] = field(default_factory=list)
    services: list[MonitoredService] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.folder / "shop.db"

    @property
    def business(self) -> Business:
        url = SecretStr(f"sqlite:///{self.file}")
        store = StoreDatabase(name="shop", url=url, currency="GBP", frames=FRAMES)
        return Business(store, tuple(self.suppliers), tuple(self.services))

    def sql(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.file)) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    async def supplier(self, name: str, reply: Reply | None = OFFERS, **changes: Any) -> None:
        """Add a supplier that gives this reply; None: one that is not there."""
        url = NOBODY if reply is None else (await self._serve(reply))
        given = {"name": name, "base_url": url, "timeout": 5, "latency_budget_ms": 30_000}
        self.suppliers.append(SupplierConnection.model_validate(given | changes))

    async def service(self, name: str, reply: Reply | None = WELL, **changes: Any) -> None:
        """Add a service that gives this reply; None: one that is not there."""
        url = NOBODY if reply is None else (await self._serve(reply))
        given = {"name": name, "health_url": url, "timeout": 5, "latency_budget_ms": 30_000}
        self.services.append(MonitoredService.model_validate(given | changes))

    async def _serve(self, reply: Reply) -> str:
        return (await self.open.enter_async_context(serve(reply))).url

    def fill(self) -> None:
        with closing(sqlite3.connect(self.file)) as connection, connection:
            connection.executescript(
                """CREATE TABLE goods (sku TEXT, name TEXT, p REAL);
                   INSERT INTO goods VALUES ('a', 'Apple', 2), ('b', 'Pear', 4);
                   CREATE TABLE shelf (sku TEXT, units REAL);
                   INSERT INTO shelf VALUES ('a', 60), ('b', 0);
                   CREATE TABLE due (bill TEXT, supplier TEXT, sku TEXT, units REAL,
                                     ordered TEXT, expected TEXT);
                   INSERT INTO due VALUES ('p1', 'acme', 'a', 20, '2026-02-27', '2026-03-10');
                   CREATE TABLE sold (bill TEXT, sku TEXT, day TEXT, units REAL, price REAL);"""
            )
            today = datetime.combine(NOW.date(), time(12))
            for ago in range(1, DAYS + 1):
                day = (today - timedelta(days=ago)).isoformat()
                for bill in range(3):
                    rows = [("a", day, 2, 2.0), ("b", day, 1, 4.0)]
                    connection.executemany(
                        f"INSERT INTO sold VALUES ('{ago}-{bill}', ?, ?, ?, ?)", rows
                    )


def event(subject: str, **fields: Any) -> dict[str, Any]:
    """An event as JSON."""
    given = {"source": "monitor", "type": "trouble", "subject": subject, "time": NOW}
    return SystemEvent(**given | fields).model_dump(mode="json")
