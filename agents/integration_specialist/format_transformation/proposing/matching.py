"""Which table and columns are which of our frames: by name, by value, by what points at what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agents.integration_specialist.format_transformation.catalogue import Link, Table
from agents.integration_specialist.format_transformation.looking.asking import Asking
from agents.integration_specialist.format_transformation.proposing.names import SURE, name_score
from agents.integration_specialist.format_transformation.synonyms import (
    BUYING,
    COLUMNS,
    MINOR,
    TABLES,
)
from agents.integration_specialist.format_transformation.words import stem, words_of
from blocks.vocabulary.frames import CONTRACTS

ANCHOR = {"products": "sku", "stock": "on_hand", "sale_lines": "units", "open_orders": "units"}
"""The column that a frame's own table must hold: it decides what one row is."""

ENOUGH = 0.4
"""Scores below this are no match."""

MOST_ARE = 0.5
"""Share of a column's values that must be SKUs of products, for it to hold SKUs."""

_MONEY = frozenset({"unit_price", "revenue", "unit_cost"})
_PAID = frozenset({"unit_price", "revenue"})
_NAMED = frozenset({"name", "category", "supplier"})
_HOP = 0.93  # a column that is one join further away is that much less likely to be meant
_MAX_HOPS = 2
_COUNTED = 0.7  # a mere number of the row is a SKU only where there is nothing better
_TRADE_OFF = 0.8  # what a required column that is missing costs


@dataclass(frozen=True)
class Place:
    """A column that can be had from a table, and the links that lead to it."""

    table: Table
    column: str
    path: tuple[Link, ...]

    @property
    def where(self) -> str:
        """As a person reads it."""
        return f"{self.table.name}.{self.column}"


@dataclass(frozen=True)
class Candidate:
    """One table as one frame: how good it is, and where each column would come from."""

    frame: str
    table: Table
    score: float
    places: dict[str, Place]


def missing(frame: str, found: set[str]) -> list[str]:
    """Required columns of a frame that are not among those that were found."""
    required = [ours for ours, column in CONTRACTS[frame].columns.items() if column.required]
    lacking = [ours for ours in required if ours not in found]
    unpaid = frame == "sale_lines" and not _PAID & found
    return [*lacking, "unit_price"] if unpaid else lacking


def choose(tables: dict[str, Table], asking: Asking) -> dict[str, Candidate]:
    """The most likely table of each frame that has one.

    Products come first: their SKU is the identifier that all other frames must use. What customers
    ordered comes before what was ordered from suppliers: one table is not both.
    """
    chosen: dict[str, Candidate] = {}
    for frame in ANCHOR:
        sku = chosen["products"].places["sku"] if "products" in chosen else None
        lines = chosen["sale_lines"].table if "sale_lines" in chosen else None
        candidates = [
            candidate
            for table in tables.values()
            if frame != "open_orders" or table is not lines
            if (candidate := _candidate(frame, table, tables, sku, asking))
        ]
        if candidates:
            chosen[frame] = max(candidates, key=lambda c: c.score)
    return chosen


def reachable(table: Table, tables: dict[str, Table]) -> Iterator[Place]:
    """Columns of a table and of the tables its rows point at, nearest first, each table once."""
    seen = {table.name}
    ring: list[tuple[Table, tuple[Link, ...]]] = [(table, ())]
    for _ in range(_MAX_HOPS + 1):
        further: list[tuple[Table, tuple[Link, ...]]] = []
        for here, path in ring:
            for column in here.types:
                yield Place(here, column, path)
            for link in here.links:
                if link.target not in seen:
                    seen.add(link.target)
                    further.append((tables[link.target], (*path, link)))
        ring = further


def _candidate(
    frame: str, table: Table, tables: dict[str, Table], sku: Place | None, asking: Asking
) -> Candidate | None:
    anchor = ANCHOR[frame]
    own = [Place(table, column, ()) for column in table.types]
    places_there = list(reachable(table, tables))
    for needed, there in ((anchor, own), ("sku", places_there)):
        if not any(_column_score(frame, needed, p, sku, asking) >= ENOUGH for p in there):
            return None  # as most tables of a database: nothing further of them is looked at
    places: dict[str, Place] = {}
    score = 0.0
    taken: set[tuple[str, str]] = set()
    ranked = sorted(
        (
            (_column_score(frame, ours, place, sku, asking), ours, place)
            for ours in COLUMNS[frame]
            for place in places_there
            if ours != anchor or not place.path
        ),
        key=lambda item: -item[0],
    )
    for points, ours, place in ranked:
        spot = (place.table.name, place.column)
        if points < ENOUGH or ours in places or spot in taken:
            continue
        places[ours] = place
        taken.add(spot)
        score += points if CONTRACTS[frame].columns[ours].required else 0.3 * points
    if anchor not in places or "sku" not in places:
        return None
    if frame == "stock" and not _is_about_stock(table, places[anchor].column):
        return None
    order = places.get("order_id", places[anchor])
    headers = {x.target for x in order.table.links if x.column == order.column}
    if frame == "sale_lines" and any(
        BUYING & set(tables[name].stems) for name in {table.name, *headers}
    ):
        return None
    if frame == "open_orders" and not _is_about_buying(table, places):
        return None
    if frame == "products" and _has_variants(table, places["sku"], tables):
        score -= 1
    score += _table_score(frame, table)
    score -= _TRADE_OFF * len(missing(frame, set(places)))
    return Candidate(frame, table, score, places) if score > 0 else None


def _is_about_stock(table: Table, column: str) -> bool:
    """Whether a quantity is one of stock: its table or itself says so, and not the contrary."""
    good, bad = TABLES["stock"]
    said = f" {' '.join(map(stem, words_of(column)))} "
    about = good & set(table.stems) or any(f" {word} " in said for word in good)
    return bool(about) and not bad & set(table.stems)


def _is_about_buying(table: Table, places: dict[str, Place]) -> bool:
    """Whether goods are on their way to us: a customer's order is none, however alike it looks."""
    if not {"supplier", "expected_at"} & set(places):
        return False
    told = [table, *(place.table for place in places.values())]
    words = {*(stem for one in told for stem in one.stems)}
    words |= (
        {stem(word) for word in words_of(places["supplier"].column)}
        if "supplier" in places
        else set()
    )
    return bool(words & BUYING)


def _has_variants(table: Table, sku: Place, tables: dict[str, Table]) -> bool:
    """Whether rows of a table with SKUs of its own point at it: they are what is sold."""
    good, bad = TABLES["products"]
    return any(
        link.target == table.name
        and good & set(other.stems)
        and not bad & set(other.stems)
        and any(
            name_score(column, other, COLUMNS["products"]["sku"])
            >= name_score(sku.column, table, COLUMNS["products"]["sku"])
            and other.filled(column) >= table.filled(sku.column)
            and other.values(column)
            for column in other.types
            if column not in other.primary_key and column != link.column
        )
        for other in tables.values()
        for link in other.links
    )


def _column_score(frame: str, ours: str, place: Place, sku: Place | None, asking: Asking) -> float:
    table, column = place.table, place.column
    if frame == "sale_lines" and ours in _PAID and place.path:
        return 0.0  # what the catalogue says today is not what was paid
    fit = _fit(frame, ours, place)
    if fit == 0:
        return 0.0
    if ours == "sku" and sku is not None:
        return _sku_score(place, sku, asking)
    by_name = name_score(_plain(column) if ours in _MONEY else column, table, COLUMNS[frame][ours])
    if ours == "sku":
        fit *= table.filled(column) * _distinct(table, column)
        if table.counts(column):
            fit *= _COUNTED
    if ours in _MONEY and _is_foreign(table, column):
        return 0.0
    return by_name * fit * _HOP ** len(place.path)


def _fit(frame: str, ours: str, place: Place) -> float:
    """How well a column's values are what our column holds, 0 to 1."""
    table, column = place.table, place.column
    dtype = str(CONTRACTS[frame].columns[ours].dtype)
    kind = "date" if dtype.startswith("datetime") else "number" if dtype == "float64" else "text"
    fit = table.holds(column, kind)
    if ours in _NAMED and table.values(column) and table.holds(column, "number") == 1:
        fit *= 0.0 if ours == "name" else 0.6  # the name behind the number is better
    if ours == "name" and TABLES["names"][1] & set(table.stems) - TABLES["products"][0]:
        return 0.0  # a partner's name, an attribute's
    if ours != "name" and table.keys_of(column) is not None:
        return 0.0  # an object, in JSON
    if ours == "currency" and not all(map(is_code, table.values(column))):
        return 0.0
    return fit


def is_code(value: object) -> bool:
    """Whether a value is the ISO code of a currency, by its looks."""
    return isinstance(value, str) and len(value) == 3 and value.isascii() and value.isupper()


def _distinct(table: Table, column: str) -> float:
    values = table.values(column)
    return len(set(map(str, values))) / len(values) if values else 1.0


def _plain(column: str) -> str:
    """A column's name without the words that say in which coin it is: ``price_in_cents``."""
    words = words_of(column)
    if not MINOR & set(words):
        return column
    return " ".join(word for word in words if word not in MINOR and word != "in")


def _is_foreign(table: Table, column: str) -> bool:
    """Whether an amount is in the customer's money, where the table has the shop's own as well."""
    names = {" ".join(words_of(name)) for name in table.types}
    has_own = any(f"base {name}" in names for name in names)
    return has_own and words_of(column)[:1] != ["base"]


def _sku_score(place: Place, sku: Place, asking: Asking) -> float:
    """A SKU elsewhere is the products' own: that very column, or one that holds its values."""
    table, column = place.table, place.column
    if (table.name, column) == (sku.table.name, sku.column):
        return _HOP ** len(place.path)
    if any((x.column, x.target, x.key) == (column, sku.table.name, sku.column)
           for x in table.links):  # fmt: skip
        return 1.0 if not place.path else 0.5
    if place.path or any(link.column == column for link in table.links):
        return 0.0
    by_name = name_score(column, table, COLUMNS["products"]["sku"])
    values = [value for value in table.values(column) if isinstance(value, str | int)]
    if by_name < ENOUGH or table.counts(column):
        return 0.0
    share = asking.holds(values, sku.table, sku.column)
    if share is None:
        return 0.8 * by_name
    # Of what was sold, the line's own SKU says it best: the link may lead to the parent.
    own = by_name >= SURE and isinstance(next(iter(values), 0), str)
    return 0.0 if share < MOST_ARE else 0.95 + 0.05 * share if own else 0.9 * by_name


def _table_score(frame: str, table: Table) -> float:
    good, bad = TABLES[frame]
    words = {*table.stems, stem("".join(table.words))}
    return 0.5 * min(3, len(words & good)) - 0.8 * len(words & bad)
