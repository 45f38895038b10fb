"""A frame's mapping as it is drawn up, and what a person should hear of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from agents.integration_specialist.format_transformation.catalogue import (
    Table,
    seconds_per_step,
)
from agents.integration_specialist.format_transformation.proposing.matching import (
    Candidate,
    Place,
    missing,
    reachable,
)
from agents.integration_specialist.format_transformation.proposing.names import SURE, name_score
from agents.integration_specialist.format_transformation.synonyms import COLUMNS
from agents.integration_specialist.format_transformation.words import words_of
from blocks.store.mapping import FrameMapping, Join, Value
from blocks.vocabulary.amounts import Part

_PLAIN = re.compile(r"[^\W\d]\w*")
_RESERVED = frozenset({"and", "or", "not", "in", "is", "empty", "true", "false"})


@dataclass
class Draft:
    """A mapping in the making.

    Attributes:
        candidate: The table and the places that it is made of.
        tables: All tables of the database.
        columns: Our column to theirs.
        where: As in FrameMapping.
        where_not: As in FrameMapping.
        keep: Conditions that rows must meet.
        rows: As in FrameMapping.
        notes: What was seen, and what was made of it.
        questions: What a person has to say, since the database does not.
        amounts: What is known of the money: see blocks.vocabulary.amounts.
        currencies: Code of each currency seen, to where, and in how many of the rows looked at.
    """

    candidate: Candidate
    tables: dict[str, Table]
    columns: dict[str, str] = field(default_factory=dict)
    where: dict[str, list[Value]] = field(default_factory=dict)
    where_not: dict[str, list[Value]] = field(default_factory=dict)
    keep: list[str] = field(default_factory=list)
    rows: str = "one"
    notes: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    amounts: dict[str, Part] = field(default_factory=dict)
    currencies: dict[str, tuple[str, int]] = field(default_factory=dict)
    joins: dict[str, Join] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for ours in COLUMNS[self.frame]:
            if ours in self.candidate.places:
                self.columns[ours] = self.reach(self.candidate.places[ours])

    @property
    def frame(self) -> str:
        """The frame that it is for."""
        return self.candidate.frame

    @property
    def table(self) -> Table:
        """The table whose rows are the frame's."""
        return self.candidate.table

    def reach(self, place: Place) -> str:
        """What a column is called in this mapping, with the joins that lead to it."""
        owner = self.table.name
        for link in place.path:
            on = {f"{owner}.{link.column}": link.key}
            self.joins.setdefault(link.target, Join(table=link.target, on=on))
            owner = link.target
        return f"{owner}.{place.column}" if place.path else place.column

    def ask_about_links(self) -> None:
        """Ask about links that only a name speaks for."""
        paths = [place.path for place in self.candidate.places.values()]
        for link in dict.fromkeys(link for path in paths for link in path if not link.sure):
            self.questions.append(
                f"{link.column} and {link.target}.{link.key} both count 1, 2, 3 …: is "
                f"{link.column} the {link.key} of {link.target}? Its name alone says so"
            )

    def written(self, place: Place) -> str:
        """The same, as it is written inside an expression."""
        return quoted(self.reach(place))

    def expression(self, ours: str) -> str:
        """One of our columns as it stands, inside a larger expression."""
        place = self.candidate.places[ours]
        there = self.columns[ours]
        return quoted(there) if there == self.reach(place) else there

    def drop(self, ours: str) -> None:
        """Leave out a column that was found. A join that it alone needed does no harm."""
        self.columns.pop(ours, None)
        self.candidate.places.pop(ours, None)

    @property
    def missing(self) -> list[str]:
        """Required columns that nothing was found for."""
        return missing(self.frame, set(self.columns))

    def place(self, ours: str) -> Place | None:
        """Where one of our columns was found."""
        return self.candidate.places.get(ours)

    def own(self) -> Iterator[Place]:
        """The columns of the frame's own table."""
        return (Place(self.table, column, ()) for column in self.table.types)

    def order(self) -> Iterator[Place]:
        """Columns of the order itself: of its lines, and of its header where that is elsewhere."""
        dated = self.place("sold_at") or self.place("ordered_at")
        order = self.place("order_id")
        owners = {place.table.name for place in (dated, order) if place} | {self.table.name}
        if order:
            owners |= {x.target for x in order.table.links if x.column == order.column}
        return (p for p in reachable(self.table, self.tables) if p.table.name in owners)

    def mapping(self) -> FrameMapping:
        """What it says so far."""
        return FrameMapping(
            table=self.table.name,
            columns=self.columns,
            joins=list(self.joins.values()),
            where=self.where,
            where_not=self.where_not,
            keep=" and ".join(self.keep),
            rows="sum" if self.rows == "sum" else "one",
        )


def is_called(place: Place, names: tuple[str, ...]) -> bool:
    """Whether a column's name surely is one of these."""
    return name_score(place.column, place.table, names) >= SURE


def read_clock(draft: Draft) -> None:
    """Dates that are in UTC by their name, or count seconds since 1970."""
    for ours in ("sold_at", "ordered_at", "expected_at", "updated_at"):
        place = draft.place(ours)
        if place is None:
            continue
        steps = {seconds_per_step(value) for value in place.table.values(place.column)}
        if steps in ({1.0}, {0.001}):
            what, count = ("seconds", "epoch") if steps == {1.0} else ("milliseconds", "epoch_ms")
            draft.columns[ours] = f"{count}({draft.written(place)})"
            draft.notes.append(f"{place.where} counts {what} since 1970")
        elif {"gmt", "utc"} & set(words_of(place.column)):
            draft.columns[ours] = f"utc({draft.written(place)})"
            draft.notes.append(f"{place.where} is in UTC, as its name says")


def quoted(reference: str) -> str:
    """A column's name as an expression writes it."""
    return ".".join(
        part if _PLAIN.fullmatch(part) and part.lower() not in _RESERVED else f"`{part}`"
        for part in reference.split(".")
    )


def in_list(values: Iterable[str]) -> str:
    """Texts as an expression lists them."""
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)
