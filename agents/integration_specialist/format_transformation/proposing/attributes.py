"""Names and prices that are rows of other tables: one row per product and attribute (EAV)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agents.integration_specialist.format_transformation.catalogue import Table
from agents.integration_specialist.format_transformation.looking.asking import Asking
from agents.integration_specialist.format_transformation.proposing.drafting import Draft, quoted
from agents.integration_specialist.format_transformation.synonyms import COLUMNS
from agents.integration_specialist.format_transformation.words import words_of
from blocks.store.mapping import Join, Value

_VALUES = frozenset({"value", "meta value", "attribute value", "wert"})
_ATTRIBUTES = frozenset(
    {"attribute id", "attribute", "attribute code", "meta key", "attribute key", "merkmal"}
)
_SCOPES = frozenset({"store", "website", "language", "lang", "locale", "channel", "scope"})
_SOUGHT = ("name", "unit_price", "unit_cost")
_NEARLY_ALL = 0.95


@dataclass(frozen=True)
class _Values:
    """A table with a row per thing and attribute."""

    table: Table
    thing: str
    attribute: str
    value: str


def take_attributes(draft: Draft, asking: Asking) -> None:
    """Join what a product lacks as rows of attributes: attribute 73 of the default store view."""
    key = draft.table.primary_key[0] if len(draft.table.primary_key) == 1 else None
    if draft.frame != "products" or key is None:
        return
    found = list(_value_tables(draft, key, asking))
    for ours in _SOUGHT:
        if draft.place(ours):
            continue
        for values in found:
            code = _attribute(draft, ours, values, asking)
            if code is not None:
                _join(draft, ours, key, values, code)
                break
    lacking = [ours for ours in _SOUGHT[:2] if ours not in draft.columns]
    if found and lacking:
        draft.notes.append(
            f"{', '.join(lacking)} may be rows of {', '.join(v.table.name for v in found)}, a row "
            f"per attribute: a join with where = {{ {found[0].attribute} = [number] }} reads one"
        )


def _value_tables(draft: Draft, key: str, asking: Asking) -> Iterator[_Values]:
    for table in draft.tables.values():
        names = {" ".join(words_of(column)): column for column in table.types}
        value = next((column for name, column in names.items() if name in _VALUES), None)
        attribute = next((column for name, column in names.items() if name in _ATTRIBUTES), None)
        thing = next(
            (
                column
                for column in table.types
                if any((x.column, x.target) == (column, draft.table.name) for x in table.links)
                or column == key
            ),
            None,
        )
        if not (value and attribute and thing) or thing in table.primary_key:
            continue
        if (asking.holds(table.values(thing), draft.table, key) or 0) >= _NEARLY_ALL:
            yield _Values(table, thing, attribute, value)


def _attribute(draft: Draft, ours: str, values: _Values, asking: Asking) -> Value | None:
    """What the attribute that is meant goes by in the table of values."""
    names = [name.replace(" ", "_") for name in COLUMNS["products"][ours]]
    kind = "text" if ours == "name" else "number"
    if values.table.holds(values.value, kind) < 1 or (
        ours == "name" and values.table.holds(values.value, "number") == 1
    ):
        return None
    there = values.table.values(values.attribute)
    if there and all(isinstance(code, str) for code in there):
        spelt = {code.lower().lstrip("_"): code for code in there}
        return next((spelt[name] for name in names if name in spelt), None)
    for declared in draft.tables.values():
        if len(declared.primary_key) != 1 or "attribute" not in declared.words:
            continue
        key = declared.primary_key[0]
        codes = [c for c in declared.types if "code" in words_of(c) or words_of(c)[-1:] == ["name"]]
        for code in codes:
            rows = asking.rows_with(names, declared, code)
            for name in names:
                for number in (row[key] for row in rows if row[code] == name):
                    if asking.rows_with([number], values.table, values.attribute):
                        return number if isinstance(number, int | str) else None
    return None


def _join(draft: Draft, ours: str, key: str, values: _Values, code: Value) -> None:
    where: dict[str, list[Value]] = {values.attribute: [code]}
    for column in values.table.types:
        scopes = set(values.table.values(column))
        if scopes and _SCOPES & set(words_of(column)):
            where[column] = [0 if 0 in scopes else min(scopes, key=str)]  # 0: for all of them
    draft.joins[f"its {ours}"] = Join(
        table=values.table.name,
        name=f"the_{ours}",
        on={f"{draft.table.name}.{key}": values.thing},
        where=where,
    )
    draft.columns[ours] = f"the_{ours}.{values.value}"
    told = ", ".join(f"{column} {chosen[0]}" for column, chosen in where.items())
    draft.notes.append(
        f"{ours} is a row of {values.table.name} ({told}): {quoted(draft.columns[ours])}"
    )
