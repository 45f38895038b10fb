"""What is to be read of a database and how, before it is tried: by a proposal or by a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agents.integration_specialist.format_transformation.catalogue import Table
from agents.integration_specialist.format_transformation.proposing.drafting import Draft
from agents.integration_specialist.format_transformation.synonyms import COLUMNS
from agents.integration_specialist.format_transformation.words import listed
from blocks.store.mapping import STORE_FRAMES, FrameMapping
from blocks.vocabulary.amounts import Part
from blocks.vocabulary.frames import CONTRACTS


@dataclass(frozen=True)
class FrameOutline:
    """How one frame would be read.

    Attributes:
        mappings: Where it is found; nothing where no table looks like it.
        notes: What was seen, and what was made of it.
        questions: What a person has to say.
        missing: Required columns that nothing was found for.
        problems: Why it cannot be read.
    """

    mappings: list[FrameMapping] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Outline:
    """How a store would be read.

    Attributes:
        frames: Each frame that a store has.
        currencies: Code to where it was seen, and in how many of the rows looked at.
        amounts: What is known of the money of sales.
        timezone: IANA name of the zone of dates without a zone.
        title: What system it is, where it was recognised.
        notes: What is known of that system: what counts, and what is left out.
    """

    frames: Mapping[str, FrameOutline]
    currencies: Mapping[str, tuple[str, int]]
    amounts: Mapping[str, Part]
    timezone: str = "UTC"
    title: str = ""
    notes: list[str] = field(default_factory=list)


def outlined(drafts: dict[str, Draft], tables: dict[str, Table]) -> Outline:
    """What the drafts come to, with the frames that there is none for."""
    orders = drafts.get("sale_lines")
    # The order's currency counts; a price list in another one is not what was paid.
    told = [orders] if orders and orders.currencies else list(drafts.values())
    return Outline(
        frames={
            name: _of(drafts[name]) if name in drafts else _absent(name, tables)
            for name in STORE_FRAMES
        },
        currencies={code: seen for draft in told for code, seen in draft.currencies.items()},
        amounts=orders.amounts if orders else {},
    )


def _of(draft: Draft) -> FrameOutline:
    return FrameOutline(
        mappings=[draft.mapping()],
        notes=draft.notes,
        questions=draft.questions,
        missing=draft.missing,
        problems=[_lacks(draft, ours) for ours in draft.missing],
    )


def _lacks(draft: Draft, ours: str) -> str:
    usual = ", ".join(COLUMNS[draft.frame][ours][:4])
    return f"nothing looks like {ours} (usual names: {usual})"


def _absent(name: str, tables: dict[str, Table]) -> FrameOutline:
    required = [ours for ours, column in CONTRACTS[name].columns.items() if column.required]
    problem = f"no table looks like {name} (there is {listed(sorted(tables), 20)})"
    if name == "open_orders":
        problem += (
            ": what is on its way to you would have a supplier and an expected date; "
            "orders of customers have none"
        )
    return FrameOutline(missing=required, problems=[problem])
