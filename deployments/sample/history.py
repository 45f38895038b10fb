"""The shop's real sales, moved to the present.

The source ends on 2011-09-30. Its dates are moved by a multiple of 364 days, so that every weekday
stays true and the season stays close (364 days is a year less a day and a quarter), and what then
lies in the future is cut off: the shop's last sales are yesterday's. Tomorrow one more day shows.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple

DATA = Path(__file__).resolve().parent / "data"
SALES_FILE = DATA / "online_retail_slice.csv.gz"
PRODUCTS_FILE = DATA / "products.csv"
LAST_DAY = date(2011, 9, 30)
"""The last trading day of the source."""

CYCLE = 364
"""Days of 52 weeks."""


class Product(NamedTuple):
    """A thing the shop sells; ``list_price`` in GBP, ``pattern`` is how its demand looks."""

    sku: str
    name: str
    list_price: float
    pattern: str


class Line(NamedTuple):
    """One line of a customer's order; negative ``units`` are a return. Price in GBP per unit."""

    order_id: str
    sold_at: datetime
    sku: str
    units: int
    unit_price: float


@cache
def products() -> tuple[Product, ...]:
    """All products of the slice, by SKU."""
    with PRODUCTS_FILE.open(encoding="utf-8", newline="") as file:
        return tuple(
            Product(row["sku"], row["name"], float(row["list_price"]), row["pattern"])
            for row in csv.DictReader(file)
        )


def source_lines() -> list[Line]:
    """All lines of the slice in the source's own dates, in order of time."""
    with gzip.open(SALES_FILE, "rt", encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        moment = cache(datetime.fromisoformat)  # the lines of an order share one
        return [
            Line(order, moment(at), sku, int(units), float(price))
            for order, at, sku, units, price in rows
        ]


def shift_for(today: date) -> timedelta:
    """How far the source moves so that it reaches ``today``'s yesterday: whole 364-day cycles."""
    behind = (today - timedelta(days=1) - LAST_DAY).days
    return timedelta(days=-(-behind // CYCLE) * CYCLE)


def fingerprint() -> str:
    """Identity of the data files, so that a store filled from others is filled again."""
    return hashlib.sha256(SALES_FILE.read_bytes() + PRODUCTS_FILE.read_bytes()).hexdigest()
