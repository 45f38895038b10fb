"""What the money of a frame is: the unit's or the line's, with or without tax, in which coin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from agents.integration_specialist.format_transformation.catalogue import Table, is_number
from agents.integration_specialist.format_transformation.proposing.drafting import Draft
from agents.integration_specialist.format_transformation.proposing.matching import (
    Place,
    is_code,
    reachable,
)
from agents.integration_specialist.format_transformation.synonyms import (
    CURRENCY,
    DISCOUNT,
    GROSS,
    MINOR,
    NET,
)
from agents.integration_specialist.format_transformation.words import words_of
from blocks.vocabulary.amounts import Part

_MONEY = ("unit_price", "revenue", "unit_cost")
_CENT = 0.011  # a line's total may be rounded by so much
_LESS, _MORE = 0.25, 1.35  # a line's total by its units and price: discounts, taxes


def choose_paid(draft: Draft) -> None:
    """The line's total, where there is one that fits its units and price, is what was paid."""
    if draft.frame != "sale_lines":
        return
    price, total, units = (draft.place(name) for name in ("unit_price", "revenue", "units"))
    if not (price and total and units):
        return
    if _with_tax(price.column) != _with_tax(total.column):
        twin = _twin(draft.table, price.column, _with_tax(total.column))
        if twin:
            price = Place(draft.table, twin, ())
            draft.candidate.places["unit_price"] = price
            draft.columns["unit_price"] = draft.reach(price)
    ratios = list(_ratios(draft.table, units.column, price.column, total.column))
    if not ratios:
        draft.questions.append(f"is {total.column} the money of the whole line? No row tells")
        return
    fitting = [ratio for ratio in ratios if _LESS <= ratio <= _MORE]
    exact = [ratio for ratio in ratios if abs(ratio - 1) <= _CENT]
    if len(fitting) * 2 < len(ratios):
        draft.drop("revenue")
        draft.notes.append(
            f"{total.column} is not the money of a line: it does not fit "
            f"{units.column} times {price.column} in {len(ratios) - len(fitting)} of {len(ratios)}"
        )
        return
    draft.notes.append(
        f"the money of a line is {total.column}; {units.column} times {price.column} gives the "
        f"same in {len(exact)} of {len(ratios)} looked at"
    )
    if len(exact) < len(ratios):
        draft.drop("unit_price")


def _ratios(table: Table, units: str, price: str, total: str) -> Iterator[float]:
    for row in table.rows:
        if all(map(is_number, (row[units], row[price], row[total]))):
            product = float(row[units]) * float(row[price])
            if product:
                yield float(row[total]) / product


def tell_discounts(draft: Draft) -> None:
    """Whether what was taken off is off already."""
    columns = [c for c in draft.table.types if DISCOUNT & set(words_of(c))]
    if draft.frame != "sale_lines" or not columns:
        return
    given = [c for c in columns if any(_number(v) for v in draft.table.values(c))]
    if draft.place("revenue") and not draft.place("unit_price"):
        draft.amounts["discounts"] = "excluded"
    elif given and not draft.place("revenue"):
        draft.questions.append(
            f"is {given[0]} taken off {draft.columns.get('unit_price', 'the price')} already? "
            "If not, write the money of a line as an expression in revenue"
        )


def tell_tax(draft: Draft) -> None:
    """With or without tax, by the names; the other one is named where there are both."""
    paid = [place for ours in ("revenue", "unit_price") if (place := draft.place(ours))]
    if draft.frame != "sale_lines" or not paid:
        return
    part = _with_tax(paid[0].column)
    columns = ", ".join(_told(draft.table, place.column) for place in paid)
    if part == "unknown":
        draft.notes.append(f"{columns}: no name tells whether with or without tax")
        return
    draft.amounts["tax"] = part
    other: Part = "excluded" if part == "included" else "included"
    twins = [twin for place in paid if (twin := _twin(draft.table, place.column, other))]
    words = {"included": "with tax", "excluded": "without tax"}
    draft.notes.append(
        f"{columns}: {words[part]}"
        + "".join(f"; {_told(draft.table, twin)} is {words[other]}" for twin in twins)
    )


def _with_tax(column: str) -> Part:
    words = set(words_of(column))
    if words & GROSS:
        return "included"
    return "excluded" if words & NET else "unknown"


def _twin(table: Table, column: str, part: Part) -> str | None:
    """The column that says the same the other way: ``price_excl_tax`` of ``price_incl_tax``."""
    both = GROSS | NET
    rest = [word for word in words_of(column) if word not in both]
    return next(
        (
            other
            for other in table.types
            if other != column
            and _with_tax(other) == part
            and [word for word in words_of(other) if word not in both] == rest
        ),
        None,
    )


def _told(table: Table, column: str) -> str:
    example = next((value for value in table.values(column) if _number(value)), None)
    return column if example is None else f"{column} ({_number(example):.2f} for instance)"


def read_minor_units(draft: Draft) -> None:
    """Amounts in cents, where the name says so; asked about where only the numbers look it."""
    for ours in _MONEY:
        place = draft.place(ours)
        if place is None:
            continue
        if MINOR & set(words_of(place.column)):
            draft.columns[ours] = f"{draft.written(place)} / 100"
            draft.notes.append(f"{place.where} is in the smallest coin: divided by 100")
        elif _looks_minor(place.table, place.column):
            draft.questions.append(
                f"{place.where} holds whole numbers such as {place.table.values(place.column)[0]}: "
                f'are they cents? Then write {ours} = "{draft.written(place)} / 100"'
            )


def _looks_minor(table: Table, column: str) -> bool:
    values = table.values(column)
    whole = all(isinstance(v, int) and not isinstance(v, bool) for v in values)
    declared = isinstance(table.types[column], sa.Integer)
    large = [v for v in values if whole and abs(v) >= 100]
    odd = [v for v in large if v % 100]  # 2000 may be two thousand, 1995 is 19.95 in a shop
    return bool(declared and whole and len(large) * 10 >= len(values) * 9 and odd)


def read_names(draft: Draft) -> None:
    """A name that is kept in several languages is read in one of them."""
    for ours in ("name", "category", "supplier"):
        place = draft.place(ours)
        keys = place.table.keys_of(place.column) if place else None
        if not place or not keys:
            continue
        language = next((k for k in keys if k.lower().startswith("en")), next(iter(keys)))
        draft.columns[ours] = f"json({draft.written(place)}, '{language}')"
        draft.notes.append(
            f"{place.where} is JSON in {', '.join(list(keys)[:6])}: {language} is taken"
        )


def tell_currency(draft: Draft) -> None:
    """The money of orders by a column of the order, that of prices by one beside the price."""
    paid = draft.place("revenue") or draft.place("unit_price")
    draft.drop("currency")
    if paid is None:
        return
    lines = draft.frame == "sale_lines"
    places = draft.order() if lines else reachable(draft.table, draft.tables)
    found = [
        place
        for place in places
        if CURRENCY & {*words_of(place.column), *place.table.words}
        and (lines or place.table is paid.table)
        and _codes(place)
    ]
    if not found:
        return
    base = words_of(paid.column)[:1] == ["base"]
    best = max(found, key=lambda place: (words_of(place.column)[:1] == ["base"]) == base)
    draft.candidate.places["currency"] = best
    draft.columns["currency"] = draft.reach(best)
    draft.currencies = {code: (best.where, rows) for code, rows in _codes(best).items()}
    if lines and len(draft.currencies) > 1:
        draft.questions.append(
            f"orders are in {', '.join(sorted(draft.currencies))}: what is each worth? Write "
            "rates; until then only what is in the store's own currency is added up"
        )


def _codes(place: Place) -> dict[str, int]:
    states = place.table.states.get(place.column, {})
    codes = {str(code): rows for code, rows in states.items() if is_code(code)}
    return codes if len(codes) == len(states) else {}


def _number(value: Any) -> float:
    return float(value) if is_number(value) else 0.0
