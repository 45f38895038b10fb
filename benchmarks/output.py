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
    Console().print(table)
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
