"""A recipe as ``connect`` offers it, before anything that it would find out by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from agents.integration_specialist.format_transformation.catalogue import Table
from agents.integration_specialist.format_transformation.looking.looker import Looker, Unreadable
from agents.integration_specialist.format_transformation.outline import FrameOutline, Outline
from agents.integration_specialist.format_transformation.recipes import Recipe, recognise
from blocks.store.mapping import STORE_FRAMES, FrameMapping
from blocks.vocabulary.frames import CONTRACTS

_CODE = re.compile("[A-Z]{3}")


def offered(tables: Mapping[str, Table], looker: Looker) -> Outline | None:
    """How the store would be read by a recipe; None when none fits, or there is no time to see.

    Raises:
        SQLAlchemyError: The connection is gone; see Looker.
    """
    columns = {name: list(table.types) for name, table in tables.items()}
    try:
        recipe = looker.attempt(lambda: recognise(looker.connection, columns))
    except Unreadable:
        return None
    return _outline(recipe, tables) if recipe else None


def _outline(recipe: Recipe, tables: Mapping[str, Table]) -> Outline:
    return Outline(
        frames={name: _frame(name, recipe) for name in STORE_FRAMES},
        currencies=_currencies(recipe, tables),
        amounts=recipe.amounts.model_dump(),
        timezone=recipe.timezone or "UTC",
        title=f"{recipe.title} (a recipe, {recipe.tried})",
        notes=[
            *recipe.notes,
            *([f"Not there, and left out: {', '.join(recipe.absent)}."] if recipe.absent else []),
        ],
    )


def _frame(name: str, recipe: Recipe) -> FrameOutline:
    if name in recipe.frames:
        return FrameOutline(mappings=recipe.frames[name])
    required = [ours for ours, column in CONTRACTS[name].columns.items() if column.required]
    return FrameOutline(missing=required, problems=[f"{recipe.title} has no {name} here"])


def _currencies(recipe: Recipe, tables: Mapping[str, Table]) -> dict[str, tuple[str, int]]:
    """The codes of the sampled orders, unless the shop says that its money is another."""
    seen = dict(_codes(recipe.frames.get("sale_lines", []), tables))
    most = max(sorted(seen), key=lambda code: seen[code][1], default="")
    if recipe.currency and recipe.currency != most:
        return {recipe.currency: ("the shop", 1)}
    return seen


def _codes(
    parts: list[FrameMapping], tables: Mapping[str, Table]
) -> Iterator[tuple[str, tuple[str, int]]]:
    for part in parts[:1]:
        for name in (part.table, *(join.table for join in part.joins)):
            for column, values in tables[name].states.items():
                if "currency" in column.lower():
                    for code, rows in values.items():
                        if isinstance(code, str) and _CODE.fullmatch(code):
                            yield code, (f"{name}.{column}", rows)
