"""Rows that are no goods, no sales, or not here: deleted, archived, parts of others, elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from agents.integration_specialist.format_transformation.proposing.drafting import (
    Draft,
    in_list,
    is_called,
)
from agents.integration_specialist.format_transformation.proposing.matching import Place, reachable
from agents.integration_specialist.format_transformation.synonyms import (
    ACTIVE,
    COUNTED,
    DELETED,
    DELETED_AT,
    KIND,
    OWN_PLACES,
    PLACES,
)
from agents.integration_specialist.format_transformation.words import listed, words_of
from blocks.store.mapping import Value

_YES = frozenset({"1", "true", "t", "y", "yes", "j", "ja", "o", "oui", "s", "si"})
_NO = frozenset({"0", "false", "f", "n", "no", "nein", "non"})


def leave_out_deleted(draft: Draft) -> None:
    """Rows that were deleted softly, archived or switched off."""
    for place in _about_the_row(draft):
        if is_called(place, DELETED_AT) and place.table.holds(place.column, "date") != 0:
            draft.where[draft.reach(place)] = []
            draft.notes.append(f"left out where {place.where} is filled: deleted or archived")
        elif is_called(place, DELETED):
            _leave_out(draft, place, _YES, "deleted or archived")
        elif is_called(place, ACTIVE) and draft.frame == "products":
            _leave_out(draft, place, _NO, "archived or switched off")
        elif is_called(place, COUNTED) and draft.frame == "stock":
            _leave_out(draft, place, _NO, "its stock is not counted")


def _leave_out(draft: Draft, place: Place, which: frozenset[str], why: str) -> None:
    states = place.table.states.get(place.column, {})
    unwanted: list[Value] = [state for state in states if str(state).lower() in which]
    if unwanted and len(unwanted) < len(states):
        draft.where_not[draft.reach(place)] = unwanted
        value = ", ".join(str(state) for state in unwanted)
        draft.notes.append(f"left out where {place.where} is {value}: {why}")


def _about_the_row(draft: Draft) -> Iterator[Place]:
    """Columns that speak of the row itself: an order's header's too, and a variant's product's."""
    if draft.frame in ("sale_lines", "open_orders"):
        return draft.order()
    used = {place.table.name for place in draft.candidate.places.values()}
    price = draft.place("unit_price") or draft.place("name")
    about = {draft.table.name, *([price.table.name] if price and draft.frame == "products" else [])}
    return (p for p in reachable(draft.table, draft.tables) if p.table.name in about & used)


def add_up_places(draft: Draft) -> None:
    """Stock that lies in several places or lots is added up; places that are not ours are not."""
    if draft.frame != "stock":
        return
    sku = draft.place("sku")
    pointer = sku.path[0].column if sku and sku.path else sku.column if sku else ""
    places = [p for p in draft.own() if PLACES & set(words_of(p.column))]
    several = len(set(map(str, draft.table.values(pointer)))) < len(draft.table.values(pointer))
    if not places and not several:
        return
    draft.rows = "sum"
    lies_in = listed([place.column for place in places]) or "it does not say where"
    kinds = list(_kinds(draft, places))
    for kind in kinds:
        states = kind.table.states[kind.column]
        ours: list[Value] = [s for s in states if " ".join(words_of(str(s))) in OWN_PLACES]
        others = [str(state) for state in states if state not in ours]
        if ours and others:
            _count_only(draft, kind, [str(state) for state in ours])
            draft.notes.append(
                f"stock where {kind.where} is {listed([str(s) for s in ours])} is added up; "
                f"what lies elsewhere does not count: {listed(others)}"
            )
            return
    draft.questions.append(
        f"a SKU has several rows ({lies_in}): all are added up. Is all of it yours to sell? "
        "If not, say which with where"
        + (f" (there is {', '.join(_shown(kind) for kind in kinds)})" if kinds else "")
    )


def _count_only(draft: Draft, kind: Place, ours: list[str]) -> None:
    """Count what lies elsewhere as nothing: left out, an item that is only there had no stock."""
    for column in ("on_hand", "reserved"):
        place = draft.place(column)
        if place:
            there = f"{draft.written(kind)} in ({in_list(ours)})"
            draft.columns[column] = f"if({there}, {draft.written(place)}, 0)"


def _kinds(draft: Draft, places: list[Place]) -> Iterator[Place]:
    """Columns that say what kind of place it is, in the table of places."""
    columns = {place.column for place in places}
    targets = {link.target for link in draft.table.links if link.column in columns}
    return (
        place
        for place in reachable(draft.table, draft.tables)
        if place.table.name in targets
        and KIND & set(words_of(place.column))
        and place.table.states.get(place.column)
    )


def _shown(place: Place) -> str:
    return f"{place.where} = {listed([str(s) for s in place.table.states[place.column]], 6)}"


def leave_out_uncounted(draft: Draft) -> None:
    """Rows of stock without a number: nobody counts these."""
    if draft.frame == "stock" and draft.table.filled(draft.columns["on_hand"]) < 1:
        draft.where_not[draft.columns["on_hand"]] = []
        draft.notes.append(f"left out where {draft.columns['on_hand']} is empty: it is not counted")
