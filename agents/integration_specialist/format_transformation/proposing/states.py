"""Which orders count: their states as they are in the database, and what each means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from agents.integration_specialist.format_transformation.catalogue import reads_as_number
from agents.integration_specialist.format_transformation.proposing.drafting import Draft, is_called
from agents.integration_specialist.format_transformation.proposing.matching import Place
from agents.integration_specialist.format_transformation.proposing.names import SURE
from agents.integration_specialist.format_transformation.synonyms import (
    ARRIVED,
    ASKED_WORDS,
    ELSEWHERE,
    OFFERED_WORDS,
    OPEN_WORDS,
    RECEIVED,
    REFUNDED,
    STATUS,
    VOID_WORDS,
)
from agents.integration_specialist.format_transformation.words import words_of
from blocks.store.mapping import Value

_PREFIX = re.compile(r"[a-z]{1,6}[-_:]")


@dataclass(frozen=True)
class _Status:
    """A column that says where an order stands.

    Attributes:
        place: The column; of a table of states, where the order itself has only a number.
        states: Each state, with the number of rows looked at that have it.
    """

    place: Place
    states: Mapping[Value, int]


def choose_sold(draft: Draft) -> None:
    """Leave out orders that never became a sale, and those that may not have; say which."""
    alike: dict[frozenset[Value], list[_Status]] = {}
    for status in _statuses(draft):
        alike.setdefault(frozenset(status.states), []).append(status)
    for statuses in alike.values():
        _choose_sold(draft, statuses[0].states, [status.place for status in statuses])


def _choose_sold(draft: Draft, states: Mapping[Value, int], places: list[Place]) -> None:
    """Filter by columns that have the same states: an order's and its lines'."""
    where = " and ".join(place.where for place in places)
    meanings = _meanings(states)
    if not meanings:
        draft.questions.append(
            f"{where} has {_counted(states, states)}: which of them are no sales? "
            "Name them in where_not"
        )
        return
    back = REFUNDED if _has_returns(draft) else frozenset[str]()
    void = [state for state, word in meanings.items() if word in VOID_WORDS | REFUNDED - back]
    asked = [state for state, word in meanings.items() if word in ASKED_WORDS]
    offered = [state for state, word in meanings.items() if word == "sent"]
    if offered and OFFERED_WORDS & set(meanings.values()):
        void += offered
    elif offered and "draft" in meanings.values():
        asked += offered
    if void or asked:
        for place in places:
            draft.where_not[draft.reach(place)] = [*void, *asked]
    kept = [state for state in states if state not in (*void, *asked)]
    draft.notes.append(
        f"{where}: counted {_counted(states, kept)}; left out {_counted(states, void)}"
    )
    if back & set(meanings.values()):
        draft.notes.append("refunded orders count on their day: refunds are lines of their own")
    if asked:
        draft.questions.append(
            f"{where}: does {_counted(states, asked)} count as sold? "
            "It is left out; take it out of where_not if it does"
        )


def _has_returns(draft: Draft) -> bool:
    units = draft.place("units")
    values = draft.table.values(units.column) if units else []
    return any(reads_as_number(value) and float(value) < 0 for value in values)


def choose_open(draft: Draft) -> None:
    """Keep what has not arrived: by the units received, a date of arrival, or the state."""
    told = False
    units = draft.place("units")
    received = next((p for p in draft.own() if is_called(p, RECEIVED) and _is_amount(p)), None)
    if units and received and received.column != units.column:
        ours, theirs = draft.written(units), draft.written(received)
        draft.columns["units"] = f"{ours} - first_of({theirs}, 0)"
        draft.keep.append(f"{ours} > first_of({theirs}, 0)")
        draft.notes.append(f"open is {ours} less {theirs}")
        told = True
    arrived = next((p for p in draft.order() if is_called(p, ARRIVED) and _is_date(p)), None)
    if arrived and not told:
        draft.where[draft.reach(arrived)] = []
        draft.notes.append(f"open while {arrived.where} is empty")
        told = True
    for status in _statuses(draft):
        told = _choose_open_states(draft, status, told) or told
    if not told and "open" not in draft.table.words:
        draft.questions.append(
            "nothing tells open orders from arrived ones: every row is taken as open"
        )


def _choose_open_states(draft: Draft, status: _Status, told: bool) -> bool:
    """Filter by state: what is void where something else tells what is open, else what is open."""
    states, meanings = status.states, _meanings(status.states)
    offered = {"sent"} if told or OFFERED_WORDS & set(meanings.values()) else set[str]()
    void = [state for state, word in meanings.items() if word in VOID_WORDS | offered]
    still = [s for s, word in meanings.items() if word in OPEN_WORDS and s not in void]
    if told and void:
        draft.where_not[draft.reach(status.place)] = void
        kept = [state for state in states if state not in void]
    elif still and not told:
        draft.where[draft.reach(status.place)] = kept = still
    else:
        return False
    left = [state for state in states if state not in kept]
    draft.notes.append(
        f"{status.place.where}: kept {_counted(states, kept)}; left out {_counted(states, left)}"
    )
    return True


def _statuses(draft: Draft) -> Iterator[_Status]:
    """Columns that say where an order stands: the order's own before its lines'."""
    found = [
        place
        for place in draft.order()
        if {*STATUS} & set(words_of(place.column))
        and place.table.states.get(place.column)
        and not ELSEWHERE & set(words_of(place.column))
    ]
    for place in sorted(found, key=lambda place: -len(place.path)):
        yield _named(draft, place) or _Status(place, place.table.states[place.column])


def _named(draft: Draft, place: Place) -> _Status | None:
    """The states of an order by their names, where the order has only their numbers."""
    link = next((x for x in place.table.links if x.column == place.column), None)
    if link is None or not draft.tables[link.target].whole:
        return None
    target = draft.tables[link.target]
    labels = [c for c in target.types if words_of(c)[-1:] in (["name"], ["title"], ["label"])]
    if not labels:
        return None
    counted = place.table.states[place.column]
    states: dict[Value, int] = {
        str(row[labels[0]]): counted.get(row[link.key], 0) for row in target.rows
    }
    return _Status(Place(target, labels[0], (*place.path, link)), states)


def _meanings(states: Iterable[Value]) -> dict[Value, str]:
    """Each state in words; nothing where states are mere numbers that nobody explains."""
    states = list(states)
    texts = [state for state in states if isinstance(state, str)]
    if len(texts) < len(states):
        return {}
    prefixes = [found[0] for text in texts if (found := _PREFIX.match(text.lower()))]
    common = max(prefixes, key=prefixes.count, default="")
    if prefixes.count(common) * 2 <= len(texts) or prefixes.count(common) < 2:
        common = ""  # 'wc-completed' beside 'trash': a prefix that most share says nothing
    return {text: " ".join(words_of(text.lower().removeprefix(common))) for text in texts}


def _is_amount(place: Place) -> bool:
    """Whether it says how much was received: not when, which the same word tells."""
    return place.table.holds(place.column, "number") >= SURE


def _is_date(place: Place) -> bool:
    return not place.table.values(place.column) or place.table.holds(place.column, "date") > 0


def _counted(states: Mapping[Value, int], chosen: Iterable[Value]) -> str:
    """States with the share of the looked-at rows that has each."""
    total = sum(states.values()) or 1
    return ", ".join(f"{state} ({states[state] / total:.0%})" for state in chosen) or "none"
