"""Which goods a line is about: the variant that was chosen, or none at all."""

from __future__ import annotations

from agents.integration_specialist.format_transformation.proposing.drafting import (
    Draft,
    in_list,
    quoted,
)
from agents.integration_specialist.format_transformation.proposing.matching import Place, reachable
from agents.integration_specialist.format_transformation.synonyms import KIND, SERVICES, VARIANT
from agents.integration_specialist.format_transformation.words import words_of
from blocks.store.mapping import Join
from blocks.vocabulary.frames import NO_ITEM


def ask_about_number(draft: Draft) -> None:
    """A SKU that merely numbers the rows may be what products go by, or nobody's word for them."""
    sku = draft.place("sku")
    if sku and sku.table.counts(sku.column):
        draft.questions.append(
            f"{sku.where} merely numbers the rows: is it what you call a product by?"
        )


def take_lines_without_product(draft: Draft) -> None:
    """A discount or a delivery among the order's lines is money without goods."""
    sku = draft.place("sku")
    if draft.frame != "sale_lines" or sku is None:
        return
    pointer = sku.path[0].column if sku.path else sku.column
    if draft.table.filled(pointer) < 1 and any(row[pointer] is None for row in draft.table.rows):
        there = quoted(pointer)
        draft.columns["sku"] = f"if({there} is empty, '{NO_ITEM}', {draft.expression('sku')})"
        draft.notes.append(
            f"lines without {pointer} count as money without goods (discounts, deliveries)"
        )


def take_variants(draft: Draft) -> None:
    """Two columns of a line that both lead to the products: the variant's comes first."""
    sku = draft.place("sku")
    if sku is None or len(sku.path) != 1:
        return
    used = sku.path[0]
    target = draft.tables[used.target]
    keys = {str(value) for value in target.values(used.key)}
    for column in draft.table.types:
        others = {str(value) for value in draft.table.values(column) if value not in (0, "")}
        if column == used.column or not VARIANT & set(words_of(column)) or not others <= keys:
            continue
        on = {f"{draft.table.name}.{column}": used.key}
        draft.joins["variant"] = Join(table=used.target, name="variant", on=on)
        chosen = f"null_if(variant.{quoted(sku.column)}, '')"
        draft.columns["sku"] = f"first_of({chosen}, {draft.expression('sku')})"
        draft.notes.append(
            f"{used.column} and {column} both point at {used.target}: {column} says what was sold, "
            f"{used.column} where it is empty"
        )
        return


def leave_out_services(products: Draft, lines: Draft | None) -> None:
    """Products that are no goods: they have no stock, and on a line they are money alone."""
    about = {place.table.name for place in products.candidate.places.values()}
    kinds = [p for p in reachable(products.table, products.tables) if p.table.name in about]
    for kind in kinds:
        states = kind.table.states.get(kind.column, {})
        services = [state for state in states if str(state).lower() in SERVICES]
        if not services or not KIND & set(words_of(kind.column)):
            continue
        products.where_not[products.reach(kind)] = services
        named = ", ".join(map(str, services))
        products.notes.append(f"left out where {kind.where} is {named}: no goods")
        if lines:
            _count_as_money(lines, kind, [str(state) for state in services])
        return


def _count_as_money(lines: Draft, kind: Place, services: list[str]) -> None:
    places = reachable(lines.table, lines.tables)
    same = (p for p in places if (p.table, p.column) == (kind.table, kind.column) and p.path)
    there = next(same, None)
    if there is None or not lines.place("sku"):
        return
    named = in_list(services)
    sku = lines.expression("sku")
    lines.columns["sku"] = f"if({lines.written(there)} in ({named}), '{NO_ITEM}', {sku})"
    lines.notes.append(f"lines whose {kind.where} is {named} count as money without goods")
