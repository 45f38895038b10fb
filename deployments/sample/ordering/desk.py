"""What a supplier of the sample makes of an order: taken into its book, or refused in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from deployments.sample.faults import Trouble
from deployments.sample.ordering.books import BookedLine, BookedOrder, SupplierBook
from deployments.sample.suppliers import Supplier, catalogue, chance

MOST_UNITS = 1_000_000
"""More pieces than this the supplier does not have."""

RAISE = Decimal("1.15")
"""By how much ``raise-the-price`` does."""


class RefusedError(ValueError):
    """The supplier does not take an order; the text says why."""


@dataclass(frozen=True)
class Wanted:
    """An order as it came, whatever the way.

    Attributes:
        reference: The customer's number of it.
        lines: SKU and pieces.
        key: Its idempotency key; "" where it came without one.
    """

    reference: str
    lines: tuple[tuple[str, int], ...]
    key: str = ""


@dataclass(frozen=True)
class OrderDesk:
    """Where a supplier takes orders.

    Attributes:
        supplier: Whose.
        book: What it enters them in.
        today: The day at the shop.
        trouble: The fault of a drill.
    """

    supplier: Supplier
    book: SupplierBook
    today: Callable[[], date]
    trouble: Trouble = field(default_factory=Trouble)

    def take(self, wanted: Wanted) -> BookedOrder:
        """Take an order into the book, with what is delivered of it, and when.

        Raises:
            RefusedError: It is not one that this supplier takes.
            OtherOrderError: Its key was used for another one.
        """
        prices = self._prices(wanted)
        day, fault = self.today(), self.trouble.kind
        lines = []
        for sku, ordered in wanted.lines:
            pack = self.supplier.pack_units
            units = ordered // 2 // pack * pack if fault == "confirm-less" else ordered
            price = prices[sku]
            if fault == "raise-the-price":
                price = (price * RAISE).quantize(Decimal("0.01"))
            promised = day + timedelta(days=self.supplier.lead_time_days)
            arrives = promised + timedelta(days=self._delay(wanted.reference))
            lines.append(BookedLine(sku, ordered, units, price, promised, arrives))
        return self.book.enter(
            BookedOrder(wanted.reference, wanted.key, datetime.now(UTC), day, tuple(lines))
        )

    def state(self, order: BookedOrder) -> str:
        """How an order stands: confirmed, part, shipped or delivered."""
        today = self.today()
        if all(line.arrives_on <= today for line in order.lines):
            return "delivered"
        if today > order.ordered_on:
            return "shipped"
        return "confirmed" if all(x.units == x.ordered for x in order.lines) else "part"

    def _prices(self, wanted: Wanted) -> dict[str, Decimal]:
        supplier = self.supplier
        prices = {o.product.sku: Decimal(str(o.unit_cost)) for o in catalogue(supplier)}
        if not wanted.reference or len(wanted.reference) > 80:
            raise RefusedError("the order has no number of yours, or a very long one")
        if not wanted.lines:
            raise RefusedError("the order has no lines")
        for sku, units in wanted.lines:
            if sku not in prices:
                raise RefusedError(f"we do not sell {sku[:40]!r}")
            if not supplier.min_order_units <= units <= MOST_UNITS:
                raise RefusedError(f"of {sku} we sell {supplier.min_order_units} to {MOST_UNITS}")
            if units % supplier.pack_units:
                raise RefusedError(f"{sku} comes in packs of {supplier.pack_units}")
        if len({sku for sku, _ in wanted.lines}) < len(wanted.lines):
            raise RefusedError("an article is ordered twice")
        goods = sum(prices[sku] * units for sku, units in wanted.lines)
        if goods < supplier.terms.min_order_value:
            raise RefusedError(f"we take no order below {supplier.terms.min_order_value} GBP")
        return prices

    def _delay(self, reference: str) -> int:
        """Days by which an order comes late as a whole; the same for the same one, every time."""
        drawn = chance("late", reference) / self.supplier.late_share
        return 1 + int(drawn * self.supplier.late_days) if drawn < 1 else 0
