"""``./orchestrator drill``: break a part of the sample business, and see what the agents do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from deployments.cli.app import AsJson, command, err, quiet_prefect, show
from deployments.console.markup import escape

if TYPE_CHECKING:
    from deployments.sample.drills import Scorecard


@command
async def drill(
    name: Annotated[str, typer.Argument(help="TARGET-FAULT, for instance checkout-down.")],
    as_json: AsJson = False,
) -> None:
    """Break a part of the sample business, and time its detection and its verified fix.

    Faults: down, slow, errors, garbage. Exit code 1 when the drill was not passed.
    """
    from blocks.settings import get_settings

    quiet_prefect()
    folder = get_settings().state_dir
    from deployments.sample.drills import run_drill  # finds the running stack

    card = await run_drill(name, folder, say=lambda text: err.print(f"[dim]{escape(text)}[/]"))
    show(card, as_json, print_scorecard)
    raise typer.Exit(0 if card.passed else 1)


def print_scorecard(card: Scorecard, console: Console) -> None:
    """Print a scorecard as a table."""
    table = Table(title=f"Drill {card.drill}", title_justify="left", show_header=False)
    verdict = "[green]passed[/]" if card.passed else "[red]failed[/]"
    for what, value in (
        ("Verdict", verdict),
        ("Detected after", _shown(card.detected_s)),
        ("Well again after", _shown(card.fixed_s)),
        ("Found", escape(card.finding) or "nothing"),
        ("Done", escape(card.remedy) or "nothing"),
        ("Also reported", escape("; ".join(card.bystanders)) or "nothing serious"),
    ):
        table.add_row(what, value)
    console.print(table)


def _shown(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f} s"
