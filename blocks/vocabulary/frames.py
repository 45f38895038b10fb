"""Column contracts of every frame that crosses a border, and a store read at one instant.

Conventions: a ``date`` is a trading day in the store's own time zone (naive, midnight); an
instant (``*_at``, ``ts``) is timezone-aware UTC; money is in the store's currency; ``units`` are
pieces. A SKU is text, never a number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd
import pandera.pandas as pa

from blocks.errors import ContractViolation
from blocks.vocabulary.amounts import Amounts

# Pandera loads its backend (up to seconds on a busy machine) at the first check, which would come
# amid calls to suppliers whose latency is measured.
pa.DataFrameSchema.register_default_backends(pd.DataFrame)

NO_CURRENCY = "XXX"
"""What ISO 4217 writes where there is no currency: nobody has said what money it is."""

NO_ITEM = "-"
"""The SKU of an order line that is no item. Its money counts in ``orders``, not in ``sales``."""

DAILY_WEEKS = 26
"""Weeks before a snapshot of which ``sales`` has a row per day and SKU; before, one per week."""

_DAY = "datetime64[us]"
_INSTANT = "datetime64[us, UTC]"


def _text(**kwargs: Any) -> pa.Column:
    return pa.Column(str, pa.Check.str_length(min_value=1, max_value=200), **kwargs)


def _number(minimum: float | None = None, **kwargs: Any) -> pa.Column:
    checks = [pa.Check(lambda s: s.abs() < 1e12, name="finite")]
    if minimum is not None:
        checks.append(pa.Check.ge(minimum))
    return pa.Column(float, checks, **kwargs)


PRODUCTS = pa.DataFrameSchema(
    {
        "sku": _text(unique=True, report_duplicates="exclude_first"),
        "name": _text(),
        "category": pa.Column(str, nullable=True, required=False),
        "unit_price": _number(0, nullable=True),
        "unit_cost": _number(0, nullable=True, required=False),
        "currency": pa.Column(str, nullable=True, required=False),
        "stocked": _number(0, nullable=True, required=False),
    },
    name="products",
    strict="filter",
)
"""One row per product: price and cost in money per unit, where they are known. A snapshot's are in
the store's currency; ``currency`` is what the store's tables say. ``stocked`` is 0 for what nobody
counts (services, downloads): it has no stock."""

STOCK = pa.DataFrameSchema(
    {
        "sku": _text(unique=True, report_duplicates="exclude_first"),
        "on_hand": _number(),
        "reserved": _number(0, nullable=True, required=False),
        "updated_at": pa.Column(_INSTANT, nullable=True, required=False),
    },
    name="stock",
    strict="filter",
)
"""One row per SKU: units on hand now (negative: sold and owed), and how many of them are spoken for
(reserved, or sold and not delivered yet), where the store tells; the rest is free."""

SALE_LINES = pa.DataFrameSchema(
    {
        "order_id": _text(),
        "sku": _text(),
        "sold_at": pa.Column(_DAY),
        "units": _number(),
        "unit_price": _number(nullable=True, required=False),
        "revenue": _number(nullable=True, required=False),
        "currency": pa.Column(str, nullable=True, required=False),
    },
    name="sale_lines",
    strict="filter",
)
"""One row per order line, ``sold_at`` in store time; negative ``units`` are returns. Its money is
``revenue``, or units times ``unit_price`` where there is none; a negative price is a discount. The
SKU ``NO_ITEM`` stands for money without goods: a discount, a delivery, a voucher."""

SALES = pa.DataFrameSchema(
    {
        "date": pa.Column(_DAY),
        "sku": _text(),
        "units": _number(0),
        "returned": _number(0),
        "revenue": _number(),
    },
    name="sales",
    strict="filter",
)
"""One row per trading day and SKU: units sold, units returned, net revenue. Days without a sale
have no row. What is older than ``DAILY_WEEKS`` may be one row per SKU and week, counted back from
the snapshot's day: the week's sums (returns up to what was sold the same day), dated on the SKU's
last selling day in it."""

ORDERS = pa.DataFrameSchema(
    {
        "date": pa.Column(_DAY, unique=True, report_duplicates="exclude_first"),
        "orders": _number(0),
        "units": _number(0),
        "revenue": _number(),
        "returned": _number(0, required=False),
    },
    name="orders",
    strict="filter",
)
"""One row per trading day, over all SKUs: customer orders, units sold, net revenue, units
returned (not in older snapshots)."""

OPEN_ORDERS = pa.DataFrameSchema(
    {
        "order_id": _text(),
        "supplier": _text(),
        "sku": _text(),
        "units": _number(0),
        "ordered_at": pa.Column(_INSTANT),
        "expected_at": pa.Column(_INSTANT, nullable=True),
    },
    name="open_orders",
    strict="filter",
)
"""One row per purchase order line that has not arrived."""

OFFERS = pa.DataFrameSchema(
    {
        "supplier": _text(),
        "sku": _text(),
        "unit_cost": _number(0),
        "lead_time_days": _number(0),
        "min_order_units": _number(0),
        "from_units": _number(0, nullable=True, required=False),
        "pack_units": _number(0, nullable=True, required=False),
        "available_units": _number(0, nullable=True, required=False),
        "lead_time_deviation": _number(0, nullable=True, required=False),
        "shelf_life_days": _number(0, nullable=True, required=False),
        "currency": pa.Column(str, nullable=True, required=False),
        "unit": pa.Column(str, nullable=True, required=False),
    },
    name="offers",
    strict="filter",
)
"""One row per supplier, SKU and price step: what a unit costs, net of tax, from ``from_units`` on
(0 where that is not told), how long it takes, the smallest order, and units per pack (orders are
whole packs; 1 where it is not told). ``available_units`` are what the supplier has (nobody knows
where it is not told); ``lead_time_deviation`` is the standard deviation of the lead time in days,
where it was learned from deliveries. ``currency`` is the price's (the store's where it is not
told), ``unit`` what the price is for (``piece`` where it is not told), ``shelf_life_days`` how long
goods last."""

_NO_LIMIT = 1e300
"""Bytes and nanoseconds count in far more than 10^12. Beyond this, a number stands for "no limit"
as infinity does, and a sum of some would overflow."""

SERIES = pa.DataFrameSchema(
    {
        "ts": pa.Column(_INSTANT),
        "value": pa.Column(float, pa.Check(lambda s: s.abs() < _NO_LIMIT, name="finite")),
    },
    name="series",
    strict="filter",
)
"""One row per sample of one metric."""

CONTRACTS: dict[str, pa.DataFrameSchema] = {
    schema.name: schema
    for schema in (PRODUCTS, STOCK, SALE_LINES, SALES, ORDERS, OPEN_ORDERS, OFFERS, SERIES)
}


@dataclass(frozen=True)
class Problem:
    """Why some rows of a frame were set aside, or why a whole frame is missing.

    Attributes:
        frame: Name of the contract.
        column: Offending column, or "" when the whole frame is concerned.
        reason: What is wrong, in words.
        rows: How many rows it concerns (0 when the frame never came).
        example: One offending value, as text.
        kept: Whether the rows are in the frame all the same: odd, but not wrong for sure.
        share: Share of the store's revenue (0 to 1) that these rows make or, of products and
            stock, that their items made; None where it cannot be told.
    """

    frame: str
    column: str
    reason: str
    rows: int = 0
    example: str = ""
    kept: bool = False
    share: float | None = None

    def __str__(self) -> str:
        where = f"{self.frame}.{self.column}" if self.column else self.frame
        example = f", for instance {self.example!r}" if self.example else ""
        count = f" ({self.rows} row{'s' if self.rows > 1 else ''}{example})" if self.rows else ""
        share = f", {self.share:.1%} of revenue" if self.share is not None else ""
        return f"{where}: {self.reason}{count}{share}"


@dataclass
class Snapshot:
    """The store's frames as read at one instant.

    Attributes:
        taken_at: When it was read (UTC).
        frames: Contract name to valid frame; a frame that could not be had is absent.
        problems: What is missing or was set aside, and why.
        stale_because: Why an older snapshot stands in for a fresh one; "" when it is fresh.
        currency: ISO code of the store's money; NO_CURRENCY when nobody has said.
        timezone: IANA name of the store's time zone.
        store: Name of the store; "" when the frames are not a store's.
        amounts: What is in the revenue: tax, discounts, refunds, shipping.
    """

    taken_at: datetime
    frames: dict[str, pd.DataFrame]
    problems: list[Problem] = field(default_factory=list)
    stale_because: str = ""
    currency: str = NO_CURRENCY
    timezone: str = "UTC"
    store: str = ""
    amounts: Amounts = field(default_factory=Amounts)

    @property
    def left_out(self) -> float | None:
        """Share of revenue (0 to 1) that rows of ``sale_lines`` make which were set aside.

        None where the share of some of them cannot be told.
        """
        lost = [p for p in self.problems if p.frame == "sale_lines" and p.rows and not p.kept]
        shares = [p.share for p in lost if p.share is not None]
        return sum(shares) if len(shares) == len(lost) else None

    def need(self, *names: str) -> tuple[pd.DataFrame, ...]:
        """The named frames.

        Raises:
            ContractViolation: One of them could not be had; says why.
        """
        for name in names:
            if name not in self.frames:
                why = "; ".join(str(p) for p in self.problems if p.frame == name)
                raise ContractViolation(
                    f"The snapshot has no {name!r} frame{': ' + why if why else '.'}",
                    hint="Check the store's mapping with ./orchestrator connect.",
                )
        return tuple(self.frames[name] for name in names)

    def names(self) -> dict[str, str]:
        """Product names by SKU, as far as they are known."""
        products = self.frames.get("products")
        return {} if products is None else dict(zip(products["sku"], products["name"], strict=True))
