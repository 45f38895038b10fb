"""Links that nobody declared: one table's column holds the keys of another.

Two tables that each count their own rows hold the same numbers and mean nothing by it. So a link
needs a name that points at the other table and values that are keys there, or texts that are. Where
both merely count, and only the name says that one is the other, it is a question.
"""

from __future__ import annotations

from agents.integration_specialist.format_transformation.catalogue import Link, Table
from agents.integration_specialist.format_transformation.looking.asking import Asking
from agents.integration_specialist.format_transformation.words import stem, words_of

NEARLY_ALL = 0.95
"""Share of the values that must be keys of the table that they point at."""

FEWEST = 5
"""So many different texts must be keys where no name points at their table."""

_KEY_WORDS = frozenset({"id", "nr", "no", "code", "key", "number", "nummer"})
_FILLERS = frozenset({"entity", "tbl", "table", "master", "data", "wp", "wc", "tb"})
_NONE = (None, "", 0)  # how a row says that it points at nothing


def find_links(tables: dict[str, Table], asking: Asking) -> None:
    """Add to each table the links that its names and values make evident."""
    for table in tables.values():
        linked = {link.column for link in table.links}
        for column in table.types:
            link = None if column in linked else _evident(table, column, tables, asking)
            if link:
                table.links.append(link)


def _evident(table: Table, column: str, tables: dict[str, Table], asking: Asking) -> Link | None:
    values = {v for v in table.values(column) if isinstance(v, str | int) and v not in _NONE}
    if not values:
        return None
    pointed = [
        (distance, target, key)
        for target in tables.values()
        if target is not table and (key := _key_of(target))
        if (distance := _distance(column, target, key)) is not None
    ]
    for _, target, key in sorted(pointed, key=lambda item: (item[0], item[1].name)):
        counters = table.counts(column) and target.counts(key)
        if counters and table.is_own(column):
            continue
        if (asking.holds(values, target, key) or 0) >= NEARLY_ALL:
            return Link(column, target.name, key, sure=not counters)
    texts = [value for value in values if isinstance(value, str) and not value.isdigit()]
    if len(texts) < FEWEST or len(texts) < len(values) or [column] == table.primary_key:
        return None
    for target in tables.values():
        if target is table or not (key := _key_of(target)) or target.counts(key):
            continue
        if _is_text(target, key) and (asking.holds(values, target, key) or 0) >= NEARLY_ALL:
            return Link(column, target.name, key)
    return None


def _key_of(table: Table) -> str | None:
    return table.primary_key[0] if len(table.primary_key) == 1 else None


def _is_text(table: Table, column: str) -> bool:
    return all(isinstance(value, str) for value in table.values(column))


def _distance(column: str, target: Table, key: str) -> int | None:
    """How many words the table's name has beyond those of the column; None: it means another.

    ``product_id`` points at ``products`` and, further off, at ``shop_product``; and at any table
    about products whose own key has its very name.
    """
    *words, last = words_of(column)
    named = [stem(word) for word in words]
    if not named or last not in _KEY_WORDS:
        return None
    about = [word for word in target.stems if word not in _FILLERS]
    if about[-len(named) :] == named:
        return len(about) - len(named)
    same_key = words_of(key) == words_of(column)
    if set(named) <= set(about) and (same_key or _FILLERS & set(target.stems)):
        return len(target.stems)  # 'catalog_product_entity', 'product_meta_lookup.product_id'
    return None
