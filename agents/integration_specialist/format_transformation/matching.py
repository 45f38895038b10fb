"""Which table and columns are which of our frames: by name, by value, by what points at what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from agents.integration_specialist.format_transformation.catalogue import (
    Link,
    Table,
    stem,
    words_of,
)
from agents.integration_specialist.format_transformation.synonyms import (
    ARRIVED,
    COLUMNS,
    OPEN_WORDS,
    STATUS,
    TABLES,
    VOID_WORDS,
)
from blocks.store.mapping import FrameMapping, Join, Value
from blocks.vocabulary.frames import CONTRACTS

ANCHOR = {"products": "sku", "stock": "on_hand", "sale_lines": "units", "open_orders": "units"}
"""The column that a frame's own table must hold: it decides what one row is."""

ENOUGH = 0.4
"""Scores below this are no match."""

_SURE = 0.7  # more than likeness alone can give
_NAMED = frozenset({"name", "category", "supplier"})
_HOP = 0.93  # a column that is one join further away is that much less likely to be meant
_MAX_HOPS = 2


@dataclass(frozen=True)
class Place:
    """A column that can be had from a table, and the links that lead to it."""

    table: Table
    column: str
    path: tuple[Link, ...]


@dataclass(frozen=True)
class Candidate:
    """One table as one frame: how good it is, and where each column would come from."""

    frame: str
    table: Table
    score: float
    places: dict[str, Place]


def propose(tables: dict[str, Table]) -> dict[str, FrameMapping]:
    """The most likely mapping of each frame that has one.

    Products come first: their SKU is the identifier that all other frames must use.
    """
    mappings: dict[str, FrameMapping] = {}
    products = _best("products", tables, None)
    sku = products.places["sku"] if products else None
    for frame in ANCHOR:
        best = products if frame == "products" else _best(frame, tables, sku)
        if best:
            mappings[frame] = _mapping(best, tables)
    return mappings


def name_score(column: str, table: Table, names: tuple[str, ...]) -> float:
    """How much a column's name says that it is one of ``names``, 0 to 1."""
    words = words_of(column)
    # products.product_name may be meant as "name", suppliers.name as "supplier name".
    without_table = [word for word in words if stem(word) not in table.stems]
    forms = {" ".join(form) for form in (words, without_table, [*table.words, *words]) if form}
    return max((_form_score(form, names) for form in forms), default=0.0)


@lru_cache(maxsize=50_000)
def _form_score(form: str, names: tuple[str, ...]) -> float:
    best = 0.0
    joined, words = form.replace(" ", ""), set(form.split())
    for rank, name in enumerate(names):
        likely = 1 - 0.25 * rank / len(names)  # the likeliest names stand first
        if joined == name.replace(" ", ""):
            best = max(best, likely)
        elif set(name.split()) <= words:
            best = max(best, 0.8 * likely - 0.05 * (len(words) - len(name.split())))
        elif len(joined) > 4 and best < 0.7:
            alike = SequenceMatcher(None, joined, name.replace(" ", "")).ratio()
            best = max(best, 0.7 * likely * alike if alike > 0.8 else 0.0)
    return best


def _best(frame: str, tables: dict[str, Table], sku: Place | None) -> Candidate | None:
    candidates = [c for table in tables.values() if (c := _candidate(frame, table, tables, sku))]
    return max(candidates, key=lambda c: c.score, default=None)


def _candidate(
    frame: str, table: Table, tables: dict[str, Table], sku: Place | None
) -> Candidate | None:
    reachable = list(_reachable(table, tables))
    places: dict[str, Place] = {}
    score = 0.0
    taken: set[tuple[str, str]] = set()
    ranked = sorted(
        (
            (_column_score(frame, ours, place, sku), ours, place)
            for ours in COLUMNS[frame]
            for place in reachable
            if ours != ANCHOR[frame] or not place.path
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
    if ANCHOR[frame] not in places or "sku" not in places:
        return None
    missing = [o for o, c in CONTRACTS[frame].columns.items() if c.required and o not in places]
    score += _table_score(frame, table) - 0.8 * len(missing)
    return Candidate(frame, table, score, places) if score > 0 else None


def _reachable(table: Table, tables: dict[str, Table]) -> Iterator[Place]:
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


def _column_score(frame: str, ours: str, place: Place, sku: Place | None) -> float:
    kind = _kind(frame, ours)
    fit = place.table.holds(place.column, kind)
    if fit == 0:
        return 0.0
    if ours == "sku" and sku is not None:
        return _sku_score(place, sku)
    by_name = name_score(place.column, place.table, COLUMNS[frame][ours])
    if ours in _NAMED and place.table.holds(place.column, "number") == 1:
        by_name *= 0.6  # the name behind the number is better than the number
    return by_name * fit * _HOP ** len(place.path)


def _sku_score(place: Place, sku: Place) -> float:
    """A SKU elsewhere is the products' own: that very column, or one that holds its values."""
    if (place.table.name, place.column) == (sku.table.name, sku.column):
        return 1.0 * _HOP ** len(place.path)
    if any((x.column, x.target, x.key) == (place.column, sku.table.name, sku.column)
           for x in place.table.links):  # fmt: skip
        return 1.0 if not place.path else 0.5
    if place.path:
        return 0.0
    by_name = name_score(place.column, place.table, COLUMNS["products"]["sku"])
    known = {str(value) for value in sku.table.values(sku.column)}
    ours = {str(value) for value in place.table.values(place.column)}
    points_elsewhere = any(link.column == place.column for link in place.table.links)
    return 0.0 if points_elsewhere or (known and ours and not known & ours) else 0.9 * by_name


def _table_score(frame: str, table: Table) -> float:
    good, bad = ({stem(word) for word in words} for words in TABLES[frame])
    words = {*table.stems, stem("".join(table.words))}
    return 0.5 * min(3, len(words & good)) - 0.8 * len(words & bad)


def _kind(frame: str, ours: str) -> str:
    dtype = str(CONTRACTS[frame].columns[ours].dtype)
    return "date" if dtype.startswith("datetime") else "number" if dtype == "float64" else "text"


def _mapping(candidate: Candidate, tables: dict[str, Table]) -> FrameMapping:
    joins: dict[str, Join] = {}

    def reach(place: Place) -> str:
        owner = candidate.table.name
        for link in place.path:
            on = {f"{owner}.{link.column}": link.key}
            joins.setdefault(link.target, Join(table=link.target, on=on))
            owner = link.target
        return f"{owner}.{place.column}" if place.path else place.column

    places = candidate.places
    columns = {ours: reach(places[ours]) for ours in COLUMNS[candidate.frame] if ours in places}
    where: dict[str, list[Value]] = {}
    where_not: dict[str, list[Value]] = {}
    for place in _order_columns(candidate, tables):
        if candidate.frame == "open_orders" and not where:
            where = _still_open(place, reach)
        if candidate.frame == "sale_lines" and not where_not and _is_called(place, STATUS):
            void = _states(place, VOID_WORDS)
            where_not = {reach(place): void} if void else {}
    return FrameMapping(
        table=candidate.table.name,
        columns=columns,
        joins=list(joins.values()),
        where=where,
        where_not=where_not,
    )


def _order_columns(candidate: Candidate, tables: dict[str, Table]) -> Iterator[Place]:
    """Columns of the order itself: of its lines, and of its header where that is another table."""
    dated = candidate.places.get("sold_at") or candidate.places.get("ordered_at")
    order = candidate.places.get("order_id")
    owners = {place.table.name for place in (dated, order) if place} | {candidate.table.name}
    if order:
        owners |= {x.target for x in order.table.links if x.column == order.column}
    return (p for p in _reachable(candidate.table, tables) if p.table.name in owners)


def _still_open(place: Place, reach: Callable[[Place], str]) -> dict[str, list[Value]]:
    if _is_called(place, ARRIVED) and (
        not place.table.values(place.column) or place.table.holds(place.column, "date")
    ):
        return {reach(place): []}
    still_open = _states(place, OPEN_WORDS) if _is_called(place, STATUS) else []
    return {reach(place): still_open} if still_open else {}


def _is_called(place: Place, names: tuple[str, ...]) -> bool:
    return name_score(place.column, place.table, names) >= _SURE


def _states(place: Place, meaning: frozenset[str]) -> list[Value]:
    return [
        state
        for state in place.table.states.get(place.column, [])
        if " ".join(words_of(state)) in meaning
    ]
