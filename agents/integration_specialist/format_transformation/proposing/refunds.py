"""What was sold and given back: as lines of their own, or counted in a column beside the units."""

from __future__ import annotations

from agents.integration_specialist.format_transformation.catalogue import Table, is_number
from agents.integration_specialist.format_transformation.proposing.drafting import Draft, quoted
from agents.integration_specialist.format_transformation.words import words_of

_REFUNDED = frozenset({"refunded", "refund"})
_RETURNED = frozenset({"returned"})
_CANCELLED = frozenset({"canceled", "cancelled"})
"""Words of columns that count units of a line which nobody has in the end."""


def take_off_refunds(draft: Draft) -> None:
    """Take off what was paid back or cancelled, where a column counts it; and say so."""
    units = draft.place("units")
    if draft.frame != "sale_lines" or units is None:
        return
    if any(is_number(v) and v < 0 for v in draft.table.values(units.column)):
        draft.amounts["refunds"] = "excluded"
        draft.notes.append("returns are lines of negative units: they are taken off on their day")
        return
    counted = _beside(draft.table, units.column)
    if counted:
        _take_off(draft, counted)
    refunds = [c for c in draft.table.types if _REFUNDED & set(words_of(c))]
    if any(not _CANCELLED & set(words_of(column)) for column in counted):
        draft.amounts["refunds"] = "excluded"
    elif refunds:
        draft.amounts["refunds"] = "included"
        draft.notes.append(f"what is paid back ({', '.join(refunds)}) is not taken off")


def _beside(table: Table, units: str) -> list[str]:
    """Columns that count some of the line's units, in the same measure and never more of them."""
    measure = set(words_of(units)) - {"ordered", "sold"}
    found: dict[frozenset[str], str] = {}
    for column in table.types:
        words = set(words_of(column))
        kind = next((kind for kind in (_REFUNDED, _RETURNED, _CANCELLED) if kind & words), None)
        counts = column != units and measure & words and _fits(table, column, units)
        if kind and kind not in found and counts:
            found[kind] = column
    if _REFUNDED in found:
        found.pop(_RETURNED, None)  # mostly the same units
    return list(found.values())


def _fits(table: Table, column: str, units: str) -> bool:
    """Whether a column holds numbers, from nothing up to the line's units."""
    rows = [(row[column], row[units]) for row in table.rows if row[column] is not None]
    return table.holds(column, "number") > 0 and all(
        is_number(some) and is_number(whole) and 0 <= some <= whole for some, whole in rows
    )


def _take_off(draft: Draft, counted: list[str]) -> None:
    units = draft.expression("units")
    less = "".join(f" - first_of({quoted(column)}, 0)" for column in counted)
    if "revenue" in draft.columns:
        draft.columns["revenue"] = f"{draft.expression('revenue')} * ({units}{less}) / {units}"
    draft.columns["units"] = f"({units}{less})"
    draft.notes.append(
        f"{' and '.join(counted)} are taken off units and money, on the day of the order"
    )
