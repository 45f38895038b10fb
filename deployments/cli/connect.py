"""``./orchestrator connect``: what the workflows would see of a database."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from blocks.errors import RequestError
from deployments.cli.app import AsJson, command, line, out, show
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
    if proposal.system:
        console.print(f"It is {escape(proposal.system)}.", highlight=False)
    for name in proposal.left_out:
        console.print(f"[yellow]left out: {escape(name)}[/]", highlight=False)
    for frame in proposal.frames:
        _print_frame(frame, console)
    console.print()
    for remark in proposal.remarks:
        console.print(escape(remark), highlight=False)
    if write is None:
        console.print("\n[bold]Business file[/] (--write FILE saves it)\n")
        console.print(proposal.toml, markup=False, highlight=False, soft_wrap=True)
        return
    console.print()
    for text in _next_steps(write, proposal):
        console.print(text, markup=False, highlight=False, soft_wrap=True)


def _next_steps(file: Path, proposal: ConnectProposal) -> list[str]:
    """How the shop is looked after by the running stack, and how it is left to the sample again."""
    # A stack reads files below the folders that it was started with: it must be started anew.
    in_file = proposal.database.startswith("sqlite")
    restart = "  ./orchestrator up                       # after Ctrl-C where it runs"
    adopt = "  ./orchestrator register                 # the running stack takes it over at once"
    secret = "${STORE_URL}" in proposal.toml  # the URL has a password, which is not written down
    return [
        f"Saved as {file}. Read it over, then:",
        *(["  export STORE_URL=…                     # the URL that you gave"] if secret else []),
        f"  export ORCHESTRATOR_BUSINESS_FILE={file.absolute()}",
        "  ./orchestrator run daily-health-check   # a first report, here",
        restart if in_file else adopt,
        "To give the stack back to the sample business:",
        "  unset ORCHESTRATOR_BUSINESS_FILE",
        "  ./orchestrator disconnect",
        *([restart] if in_file else []),
    ]


@command
async def disconnect() -> None:
    """Forget the business of a file: the stack looks after the sample business again.

    What was made in the Prefect UI stays, and comes before the sample. The file itself stays too.
    """
    from blocks.business.business import SAMPLE, Business, save_business
    from blocks.prefect_api.env import RunningStack, use_embedded_prefect
    from blocks.settings import get_settings
    from deployments.sample.business import business_file

    settings = get_settings()
    use_embedded_prefect()
    await save_business(Business(store=None), origin="file")
    stack = RunningStack.find(settings.state_dir)
    if stack and "checkout" in stack.processes:  # it was started with the sample, which still runs
        await save_business(Business.from_toml(business_file(settings.state_dir)), origin=SAMPLE)
        line("The stack looks after the sample business again.", out)
    else:
        line("It is forgotten. The next ./orchestrator up starts the sample business.", out)
    if settings.business_file:
        named = escape(str(settings.business_file))
        line(f"ORCHESTRATOR_BUSINESS_FILE still names {named}: unset it before that.", out)


def _print_frame(frame: FrameProposal, console: Console) -> None:
    mark = "[green]✓[/]" if frame.ticked else "[yellow]?[/]" if frame.ready else "[red]✗[/]"
    tables = " and ".join(mapping.table for mapping in frame.mappings)
    source = f"from {tables}" if tables else "not found"
    seen, fit = frame.rows_seen, frame.rows_valid
    rows = f", {fit} of {seen} rows fit ({fit / seen:.0%})" if seen else ""
    console.print(f"\n{mark} [bold]{frame.name}[/] {escape(source)}{rows}", highlight=False)
    for mapping in frame.mappings:
        pairs = (f"{ours} ← {theirs}" for ours, theirs in mapping.columns.items())
        console.print(f"  [dim]{escape(' · '.join(pairs))}[/]", highlight=False)
    if frame.sample:
        table = Table(*(escape(str(name)) for name in frame.sample[0]), padding=(0, 1))
        for row in frame.sample[:3]:
            table.add_row(*(escape(str(value)[:40]) for value in row.values()))
        console.print(table)
    for note in frame.notes:
        console.print(f"  {escape(note)}", highlight=False)
    for problem in frame.problems:
        console.print(f"  [yellow]• {escape(problem)}[/]", highlight=False)
    for question in frame.questions:
        console.print(f"  [yellow]? {escape(question)}[/]", highlight=False)
