"""How every benchmark prints: a readable table, and one JSON object when asked."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table


def show(title: str, figures: Mapping[str, float | str | None], *, as_json: bool) -> None:
    """Print the figures; the JSON object is the last line."""
    table = Table(title=title, title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in figures.items():
        table.add_row(name, f"{value:,.3f}" if isinstance(value, float) else str(value))
    _print(table, figures if as_json else None)


def show_rows(
    title: str,
    rows: Mapping[str, Mapping[str, float]],
    figures: Mapping[str, float | str | None],
    *,
    as_json: bool,
) -> None:
    """Print what is compared, a row each with the same figures; the JSON object is the last line.

    Args:
        title: What was measured.
        rows: The figures of each.
        figures: The JSON object.
        as_json: Whether to print it.
    """
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for column in next(iter(rows.values()), {}):
        table.add_column(column, justify="right")
    for name, row in rows.items():
        table.add_row(
            name, *(f"{value:,.4f}" if value < 10 else f"{value:,.0f}" for value in row.values())
        )
    _print(table, figures if as_json else None)


def _print(table: Table, as_json: Mapping[str, float | str | None] | None) -> None:
    Console().print(table)
    if as_json is not None:
        sys.stdout.write(json.dumps(as_json) + "\n")
