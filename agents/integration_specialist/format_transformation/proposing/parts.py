"""Lines that are parts of other lines: what is in a bundle, the variant that was chosen.

Both the line above and its parts are in the order, so its money, or its units, stand there twice.
What leaves the store are the lowest lines; what is paid for are the topmost.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from agents.integration_specialist.format_transformation.catalogue import Table, is_number
from agents.integration_specialist.format_transformation.proposing.drafting import (
    Draft,
    in_list,
    quoted,
)
from agents.integration_specialist.format_transformation.proposing.matching import reachable
from agents.integration_specialist.format_transformation.synonyms import KIND
from agents.integration_specialist.format_transformation.words import words_of
from blocks.store.mapping import Value

_SAME = 0.011  # the parts' money may differ from the whole's by rounding
_PARENT = frozenset({"parent", "eltern", "uebergeordnet"})


@dataclass(frozen=True)
class _Whole:
    """A line and the lines that are its parts."""

    row: dict[str, Any]
    parts: list[dict[str, Any]]


def count_parts_once(draft: Draft) -> list[str]:
    """Count units on the lowest lines and money on the topmost, where the sample shows which.

    Where it does not, parts are left out, and a person is asked.

    Returns:
        The kinds of product that have parts, and so never leave the store themselves.
    """
    parent = next((c for c in draft.table.types if _points_at_its_own(draft.table, c)), None)
    if draft.frame != "sale_lines" or parent is None:
        return []
    wholes = _wholes(draft.table, parent)
    kind, kinds = _kind_of_wholes(draft.table, wholes, parent)
    if wholes and kinds and all(_is_told_twice(draft, whole) for whole in wholes):
        there = in_list(kinds)
        top = f"{quoted(parent)} is empty"
        money = _money(draft)
        draft.columns["units"] = f"if({quoted(kind)} in ({there}), 0, {draft.expression('units')})"
        draft.drop("unit_price")
        draft.columns["revenue"] = f"if({top}, {money}, 0)"
        draft.notes.append(
            f"{parent} points at other lines: units count where {kind} is none of "
            f"{', '.join(kinds)}, money where {parent} is empty"
        )
        return kinds
    draft.where[parent] = []
    draft.questions.append(
        f"{parent} points at other lines of {draft.table.name}: parts of bundles and chosen "
        "variants are left out, their money is the line's above them. A bundle counts as one unit "
        "of its own SKU: is that right for your stock?"
    )
    return []


def leave_out_wholes(draft: Draft, kinds: list[str]) -> None:
    """Products that only stand for their parts have no stock, and are never short of it."""
    sku = draft.place("sku")
    if sku is None or not kinds:
        return
    for place in reachable(draft.table, draft.tables):
        if place.table is not sku.table or not KIND & set(words_of(place.column)):
            continue
        states = place.table.states.get(place.column, {})
        wholes: list[Value] = [state for state in states if state in kinds]
        if wholes:
            draft.where_not[draft.reach(place)] = wholes
            draft.notes.append(
                f"left out where {place.where} is {', '.join(map(str, wholes))}: "
                "only their parts are kept in stock"
            )
            return


def _points_at_its_own(table: Table, column: str) -> bool:
    if any(link.column == column and link.target == table.name for link in table.links):
        return True
    key = table.primary_key[0] if len(table.primary_key) == 1 else None
    if key is None or not _PARENT & set(words_of(column)):
        return False
    parts = {str(value) for value in table.values(column) if value != 0}
    keys = {str(value) for value in table.values(key)}
    return parts <= keys if table.whole else not parts or bool(parts & keys)


def _wholes(table: Table, parent: str) -> list[_Whole]:
    key = table.primary_key[0]
    parts: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in table.rows:
        if row[parent]:
            parts[row[parent]].append(row)
    return [_Whole(row, parts[row[key]]) for row in table.rows if row[key] in parts]


def _kind_of_wholes(table: Table, wholes: list[_Whole], parent: str) -> tuple[str, list[str]]:
    """A column that tells lines with parts from others, and what it says of them."""
    rows = [whole.row for whole in wholes]
    lowest = [row for row in table.rows if row not in rows]
    for column in table.types:
        if not KIND & set(words_of(column)):
            continue
        of_wholes = {row[column] for row in rows}
        if of_wholes and not of_wholes & {row[column] for row in lowest}:
            return column, sorted(value for value in of_wholes if isinstance(value, str))
    return parent, []


def _is_told_twice(draft: Draft, whole: _Whole) -> bool:
    """Whether the money of a line's parts is nothing, or the line's own once more."""
    own = _paid(draft, whole.row)
    parts = [_paid(draft, row) for row in whole.parts]
    if own is None or None in parts:
        return False
    total = sum(part for part in parts if part is not None)
    return total == 0 or abs(total - own) <= _SAME * max(1.0, abs(own))


def _paid(draft: Draft, row: dict[str, Any]) -> float | None:
    total, price, units = (draft.place(name) for name in ("revenue", "unit_price", "units"))
    used = [place for place in ([total] if total else [price, units]) if place]
    values = [row[place.column] for place in used]
    if not values or not all(map(is_number, values)):
        return None
    product = 1.0
    for value in values:
        product *= float(value)
    return product


def _money(draft: Draft) -> str:
    if draft.place("revenue"):
        return draft.expression("revenue")
    return f"{draft.expression('unit_price')} * {draft.expression('units')}"
