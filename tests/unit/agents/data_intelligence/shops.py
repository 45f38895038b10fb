"""Small shops for the tests, made day by day so that every number can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta

import pandas as pd

from blocks.vocabulary.conform import conform
from blocks.vocabulary.frames import OFFERS, OPEN_ORDERS, ORDERS, PRODUCTS, SALES, STOCK, Snapshot

TODAY = date(2026, 3, 2)
"""A Monday."""

NOW = datetime.combine(TODAY, time(7), UTC)

CONTRACTS = {
    "products": PRODUCTS,
    "stock": STOCK,
    "open_orders": OPEN_ORDERS,
    "offers": OFFERS,
    "sales": SALES,
    "orders": ORDERS,
}


def days_before(today: date, count: int, *, closed: Iterable[int] = (5,)) -> list[date]:
    """The last ``count`` calendar days before today without the closed weekdays (Saturday = 5)."""
    days = [today - timedelta(days=i) for i in range(count, 0, -1)]
    return [day for day in days if day.weekday() not in closed]


def sales_of(
    days: Iterable[date],
    units: dict[str, Callable[[date], float]],
    *,
    price: float = 2.0,
) -> pd.DataFrame:
    """A SALES frame: for each SKU, a function from day to units; zero makes no row."""
    rows = [
        {"date": day, "sku": sku, "units": sold, "returned": 0.0, "revenue": price * sold}
        for day in days
        for sku, of in units.items()
        if (sold := of(day)) > 0
    ]
    return conform(pd.DataFrame(rows, columns=list(SALES.columns)), SALES)[0]


def orders_of(sales: pd.DataFrame, orders_a_day: float = 10.0) -> pd.DataFrame:
    """The ORDERS frame that goes with the sales."""
    orders = sales.groupby("date", as_index=False)[["units", "revenue"]].sum()
    return conform(orders.assign(orders=orders_a_day), ORDERS)[0]


def snapshot_of(sales: pd.DataFrame, **frames: pd.DataFrame | list[dict[str, object]]) -> Snapshot:
    """A snapshot with sales, its orders (unless given), and any frames as rows."""
    given = {
        name: conform(pd.DataFrame(rows), CONTRACTS[name])[0] if isinstance(rows, list) else rows
        for name, rows in frames.items()
    }
    return Snapshot(NOW, {"sales": sales, "orders": orders_of(sales)} | given, currency="GBP")


def without(snapshot: Snapshot, *names: str) -> Snapshot:
    """The same snapshot with some frames gone."""
    frames = {name: frame for name, frame in snapshot.frames.items() if name not in names}
    return Snapshot(snapshot.taken_at, frames, list(snapshot.problems), currency=snapshot.currency)


DAYS = days_before(TODAY, 7 * 40, closed=())
STEADY = sales_of(DAYS, {sku: lambda day: 3.0 for sku in "abcd"}, price=2.0)
"""Four items at 3 a day and 2.00 each: 21 units in a week of lead time."""


def stock(**on_hand: float) -> list[dict[str, object]]:
    """Rows of a stock."""
    return [{"sku": sku, "on_hand": units} for sku, units in on_hand.items()]


def order(sku: str, units: float, days: float | None) -> dict[str, object]:
    """An open order line, due in so many days; on no day that is known when None."""
    return {
        "order_id": f"po-{sku}-{days}",
        "supplier": "s",
        "sku": sku,
        "units": units,
        "ordered_at": NOW - timedelta(days=20),
        "expected_at": None if days is None else NOW + timedelta(days=days),
    }
