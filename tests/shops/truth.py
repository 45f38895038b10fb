"""A shop's figures by SQL of its own, held against a snapshot that was read through a mapping.

Each statement is what somebody who knows the shop's system would ask its database, written apart
from the mapping.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import create_engine, text

from blocks.vocabulary.frames import NO_ITEM, Snapshot

_CENT = 0.005


@dataclass(frozen=True)
class Truth:
    """Statements whose columns are as follows; money to the cent, days as ISO text.

    Attributes:
        days: Day, orders, revenue.
        items: Day, SKU, units sold, units returned.
        stock: SKU, on hand, reserved.
        products: SKU, name, price; every item once.
        open_orders: Order, supplier, SKU, units, day expected; None where there is no such thing.
    """

    days: str
    items: str
    stock: str
    products: str
    open_orders: str | None = None


def asked(url: str, statement: str) -> list[tuple[Any, ...]]:
    """The rows of a statement, as the database's own user would see them."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]
    finally:
        engine.dispose()


def done(url: str, statement: str) -> None:
    """Change a shop."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()


def assert_true(snapshot: Snapshot, url: str, truth: Truth) -> None:
    """Every figure of a snapshot is that of the shop, and the snapshot has all of them."""
    orders, sales, stock = snapshot.need("orders", "sales", "stock")
    assert _by(orders, ["date"], ["orders", "revenue"]) == _expected(url, truth.days, 1)
    goods = sales[(sales["sku"] != NO_ITEM) & ((sales["units"] > 0) | (sales["returned"] > 0))]
    assert _by(goods, ["date", "sku"], ["units", "returned"]) == _expected(url, truth.items, 2)
    (products,) = snapshot.need("products")
    assert _by(products, ["sku", "name"], ["unit_price"]) == _expected(url, truth.products, 2)
    counted = stock.assign(reserved=stock.get("reserved", 0.0))
    assert _by(counted, ["sku"], ["on_hand", "reserved"]) == _expected(url, truth.stock, 1)
    if truth.open_orders is None:
        assert "open_orders" not in snapshot.frames
        return
    (coming,) = snapshot.need("open_orders")
    days = coming["expected_at"].dt.tz_convert(snapshot.timezone).dt.strftime("%Y-%m-%d")
    found = coming.assign(expected_at=days)
    keys = ["order_id", "supplier", "sku", "expected_at"]
    wanted = {
        (str(order), str(supplier), str(sku), str(day)[:10]): _approx([units])
        for order, supplier, sku, units, day in asked(url, truth.open_orders)
    }
    assert _by(found, keys, ["units"]) == wanted


def _by(frame: pd.DataFrame, keys: list[str], figures: list[str]) -> dict[tuple[str, ...], Any]:
    texts = [
        frame[key].dt.strftime("%Y-%m-%d") if key == "date" else frame[key].astype(str)
        for key in keys
    ]
    rows = frame[figures].fillna(0.0).to_numpy(dtype=float).tolist()
    return dict(zip(zip(*texts, strict=True), rows, strict=True))


def _expected(url: str, statement: str, keys: int) -> dict[tuple[str, ...], Any]:
    return {tuple(map(str, row[:keys])): _approx(row[keys:]) for row in asked(url, statement)}


def _approx(figures: Any) -> Any:
    return pytest.approx([float(figure) for figure in figures], abs=_CENT, rel=0)
