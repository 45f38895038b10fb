"""``./orchestrator connect``: what the workflows would see of a database."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from blocks.errors import RequestError
from deployments.cli.app import AsJson, command, show
from deployments.console.markup import escape

if TYPE_CHECKING:
    from agents.integration_specialist.format_transformation import ConnectProposal, FrameProposal


@command
async def connect(
    url: Annotated[str, typer.Argument(help="For instance postgresql://reader@host/shop.")],
    write: Annotated[
        Path | None, typer.Option("--write", metavar="FILE", help="Save it as a business file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look at your SQL database and propose how the workflows read it; writes nothing to it.

    Exit code 3 when something that the workflows need was not found.
    """
    proposal = await propose(url, write)
    show(proposal, as_json, partial(_print_proposal, write))
    raise typer.Exit(0 if proposal.complete else 3)


async def propose(url: str, write: Path | None) -> ConnectProposal:
    """Look at a database, writing nothing to it; save the proposal as a business file.

    Args:
        url: SQLAlchemy URL.
        write: Where the business file goes, if anywhere; it must not exist yet.

    Raises:
        RequestError: The file exists or cannot be written.
        OrchestratorError: The database cannot be read; says why.
    """
    from agents.integration_specialist.format_transformation import look_at
    from blocks.egress import PERSON

    if write is not None:
        _refuse_existing(write)
    proposal = await look_at(url, PERSON)
    if write is not None:
        _save(proposal.toml, write)
    return proposal


def _refuse_existing(file: Path) -> None:
    if file.exists():
        raise RequestError(
            f"{file} exists and is not overwritten.", hint="Name another file, or remove it."
        )


def _save(text: str, file: Path) -> None:
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except OSError as error:
        raise RequestError(f"{file} cannot be written: {error.strerror}.") from None


def _print_proposal(write: Path | None, proposal: ConnectProposal, console: Console) -> None:
    """The proposal as a person reads it, and what to do next."""
    console.print(
        f"[bold]{escape(proposal.database)}[/]: {proposal.tables} tables and views.",
        highlight=False,
    )
    for frame in proposal.frames:
        _print_frame(frame, console)
    if write is None:
        console.print("\n[bold]Business file[/] (--write FILE saves it)\n")
        console.print(proposal.toml, markup=False, highlight=False, soft_wrap=True)
        return
    console.print(f"\nSaved as {write}. Read it over, then:", highlight=False, soft_wrap=True)
    if "${STORE_URL}" in proposal.toml:  # the URL has a password, which is not written down
        console.print("  export STORE_URL=…   (the URL that you gave)", highlight=False)
    console.print(
        f"  export ORCHESTRATOR_BUSINESS_FILE={write.absolute()}\n"
        "  ./orchestrator run daily-health-check",
        highlight=False,
        soft_wrap=True,
    )


def _print_frame(frame: FrameProposal, console: Console) -> None:
    mark = "[green]✓[/]" if frame.ready else "[red]✗[/]"
    source = f"from {frame.mapping.table}" if frame.mapping else "not found"
    rows = f", {frame.rows_valid} of {frame.rows_seen} rows fit" if frame.mapping else ""
    console.print(f"\n{mark} [bold]{frame.name}[/] {escape(source)}{rows}", highlight=False)
    if frame.mapping:
        pairs = (f"{ours} ← {theirs}" for ours, theirs in frame.mapping.columns.items())
        console.print(f"  [dim]{escape(' · '.join(pairs))}[/]", highlight=False)
    if frame.sample:
        table = Table(*(escape(str(name)) for name in frame.sample[0]), padding=(0, 1))
        for row in frame.sample[:3]:
            table.add_row(*(escape(str(value)[:40]) for value in row.values()))
        console.print(table)
    for problem in frame.problems:
        console.print(f"  [yellow]• {escape(problem)}[/]", highlight=False)
