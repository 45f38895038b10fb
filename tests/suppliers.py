"""Suppliers that take orders on loopback, keep books, and fail as real ones do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from blocks.business.business import Business
from blocks.business.suppliers import SupplierConnection
from tests.loopback import HANG, Loopback, Reply, Request, serve

KEYED, ASKED, SILENT = "keyed", "asked", "silent"
"""Who knows an order again by its key, who can be asked, and who does neither."""

SICK = Reply("Internal error", 500, "text/plain")
WEB_PAGE = Reply("<!doctype html><html>Sign in</html>", content_type="text/html")

_DESK: dict[str, Any] = {
    "via": "api",
    "orders_path": "orders",
    "answer": {
        name: name
        for name in ("reference", "number", "status", "lines", "sku", "units", "unit_cost")
    },
    "status_words": {
        word: word for word in ("taken", "confirmed", "partly", "rejected", "shipped", "delivered")
    },
}
_WAYS: dict[str, dict[str, str]] = {
    KEYED: {"idempotency_header": "Idempotency-Key"},
    ASKED: {"find_path": "orders/{reference}"},
    SILENT: {},
}


@dataclass
class Books:
    """What the suppliers have on their books.

    Attributes:
        taken: Each order that was taken, with its supplier, in the order in which they came.
        faults: By supplier, what goes wrong with the next posts: ``hang`` (took it, says nothing),
            ``page`` (took it, answers HTML), ``lost`` (says nothing, never took it), ``refuse``.
        says: By supplier, what it says of orders; ``confirmed`` of who is not named.
        changes: By supplier, what it changes in each line.
        mute: Suppliers that are out of order when they are asked.
    """

    server: Loopback
    taken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    faults: dict[str, list[str]] = field(default_factory=dict)
    says: dict[str, str] = field(default_factory=dict)
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    mute: set[str] = field(default_factory=set)
    _keys: dict[str, Reply] = field(default_factory=dict)

    @property
    def items(self) -> Counter[str]:
        """How often each item was ordered."""
        return Counter(line["sku"] for _, order in self.taken for line in order["lines"])

    @property
    def posts(self) -> int:
        """How often somebody tried to order."""
        return sum(request.method == "POST" for request in self.server.requests)

    def business(self, *names: str, **more: Any) -> Business:
        """A business that buys from these: ``keyed``, ``asked-2``, ``silent``, …"""
        return Business(None, tuple(self.supplier(name, **more) for name in names))

    def supplier(self, name: str, **more: Any) -> SupplierConnection:
        return supplier_at(self.server.url, name, **more)

    def answer(self, request: Request) -> Reply:
        name, _, reference = request.path.removeprefix("/").partition("/orders")
        if request.method == "GET":
            return SICK if name in self.mute else self._found(name, reference.strip("/"))
        fault = faults.pop(0) if (faults := self.faults.get(name)) else ""
        if fault == "lost":
            return HANG
        if fault == "refuse":
            return Reply('{"error": "no credit"}', 422)
        key = request.headers.get("idempotency-key", "")
        if key not in self._keys or not key:
            order = json.loads(request.body)
            self.taken.append((name, order))
            self._keys[key] = self._says(name, order)
        return {"hang": HANG, "page": WEB_PAGE}.get(fault, self._keys[key])

    def _found(self, name: str, reference: str) -> Reply:
        for supplier, order in self.taken:
            if (supplier, order["reference"]) == (name, reference):
                return self._says(name, order)
        return Reply('{"error": "not found"}', 404)

    def _says(self, name: str, order: dict[str, Any]) -> Reply:
        lines = [line | self.changes.get(name, {}) for line in order["lines"]]
        status = self.says.get(name, "confirmed")
        said = {"reference": order["reference"], "number": "S-1", "status": status, "lines": lines}
        return Reply(json.dumps(said))


def supplier_at(url: str, name: str, **more: Any) -> SupplierConnection:
    """The connection to one of the suppliers at an address."""
    return SupplierConnection(
        name=name,
        base_url=f"{url}/{name}",
        timeout=2.0,
        internal_hosts=["127.0.0.1"],
        ordering=_DESK | _WAYS[name.partition("-")[0]],
        **more,
    )


@asynccontextmanager
async def suppliers() -> AsyncIterator[Books]:
    """Run the suppliers' server."""
    async with serve(WEB_PAGE) as server:
        books = Books(server)
        server.answer = books.answer
        yield books


def drafts(*orders: tuple[str, Iterable[str]], units: int = 10, **more: Any) -> Any:
    """A plan with a draft per supplier of so many pieces of each item, at 2.50 each."""
    from agents.data_intelligence.predictive_analytics.baskets.drafts import PurchasePlan

    return PurchasePlan.model_validate(
        {
            "as_of": "2026-03-01",
            "currency": "EUR",
            "orders": [_draft(name, list(skus), units) | more for name, skus in orders],
            "held": [],
            "demand_basis": "",
            "total": None,
        }
    )


def _draft(supplier: str, skus: list[str], units: int) -> dict[str, Any]:
    lines = [
        {
            "sku": sku,
            "name": f"Item {sku}",
            "units": units,
            "unit_cost": "2.50",
            "value": f"{2.5 * units:.2f}",
            "free": 2,
            "on_order": 0,
            "reorder_point": 12,
            "order_up_to": 30,
            "protection_days": 11,
            "demand": 14,
            "days_of_cover": 1.6,
            "probability": 0.7,
            "waiting_cost_per_day": "3.20",
            "why_item": "2 are there, and it is ordered at 12 or fewer.",
            "why_units": "Up to 12 are sold until the next order arrives.",
            "why_supplier": f"{supplier} is the cheapest.",
            "rules": {"Tryton": 12, "Odoo": 12, "ERPNext": 14},
        }
        for sku in skus
    ]
    goods = 2.5 * units * len(skus)
    return {
        "supplier": supplier,
        "currency": "USD",
        "lines": lines,
        "goods": f"{goods:.2f}",
        "freight": "4.90",
        "total": f"{goods + 4.9:.2f}",
        "total_in_store_currency": f"{(goods + 4.9) / 2:.2f}",
        "lead_time_days": 4,
        "arrives_on": "2026-03-05",
        "notes": [],
    }
