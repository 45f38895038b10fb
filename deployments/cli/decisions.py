"""``./orchestrator explain``, ``verify`` and ``replay``: what was decided, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from deployments.cli.app import AsJson, command, err, line, open_ledger, out, print_json, show
from deployments.cli.policy import read_policy_file
from deployments.console.markup import escape
from deployments.console.times import parse_since

if TYPE_CHECKING:
    from blocks.ledger import Ledger
    from blocks.ledger.receipts.verification import Verification
    from flows.orchestrator.decisions.explain import CandidateLine, Decision, Explanation
    from flows.orchestrator.decisions.replay import Replay

_SHOWN = 50  # rows of the table; --json has all


@command
async def explain(
    of: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="Of a receipt, task, message, run, incident or approval; six characters do.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Tell what was decided about something: from what, by which policy, why, and what came of it.

    Exit code 2 when the id names nothing, or more than one thing.
    """
    from flows.orchestrator.decisions.explain import explain as explained

    with open_ledger(migrate=False) as ledger:
        told = explained(await ledger.traces.find(of.strip()))
    show(told, as_json, _print_explanation)


def _print_explanation(told: Explanation, console: Console) -> None:
    """Decisions as a person reads them, in order of time."""
    console.print(f"[bold]{escape(told.headline)}[/]", highlight=False)
    for number, decision in enumerate(told.decisions, 1):
        _print_decision(number, decision, console)


def _print_decision(number: int, decision: Decision, console: Console) -> None:
    when = decision.at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    policy = f", policy {decision.policy_version}" if decision.policy_version else ""
    console.print(
        f"\n[bold]{number}. {decision.title}[/] [dim]{when}{escape(policy)}, "
        f"receipt {escape(decision.receipt[:12])}, about {escape(decision.subject[:40])}[/]",
        highlight=False,
    )
    if decision.why:
        console.print(f"   {escape(decision.why)}", highlight=False)
    for title, lines in (("Decided", decision.decided), ("From", decision.inputs)):
        for place, text in enumerate(lines):
            head = "" if place else title
            console.print(f"   [dim]{head:9}[/]{escape(text)}", highlight=False)
    if decision.candidates:
        console.print(_scores(decision.candidates))
    for text in decision.afterwards:
        console.print(f"   [cyan]Then[/]     {escape(text)}", highlight=False)


def _scores(candidates: list[CandidateLine]) -> Table:
    parts = list(dict.fromkeys(name for candidate in candidates for name in candidate.parts))
    table = Table("Candidate", *(escape(name) for name in parts), "Score", "What came of it")
    for column in table.columns[1:-1]:
        column.justify = "right"
    for candidate in candidates:
        shares = (candidate.parts.get(name) for name in parts)
        figures = ("" if n is None else f"{n:.3f}" for n in (*shares, candidate.score))
        table.add_row(escape(candidate.name), *figures, escape(candidate.came_of_it))
    return table


@command
async def verify(as_json: AsJson = False) -> None:
    """Check that no record of a decision was changed, removed, added or cut off.

    Exit code 1 when one was.
    """
    found = await run_verification(None if as_json else err)
    if as_json:
        print_json({"sound": found.sound, **found.model_dump(mode="json")})
    else:
        _print_verification(found, out)
    raise typer.Exit(0 if found.sound else 1)


async def run_verification(console: Console | None) -> Verification:
    """Verifies the receipts in the ledger, after a look whether that is sound.

    Args:
        console: Shows the progress; None shows none.

    Raises:
        LedgerError: The ledger is damaged, or cannot be read.
    """
    from rich.progress import Progress

    from blocks.ledger.engine.health import DEADLINE

    with (
        open_ledger(migrate=False, patience=DEADLINE) as ledger,
        Progress(console=console, transient=True, disable=console is None) as progress,
    ):
        bar = progress.add_task("Verifying receipts", total=None)
        notes = await _notes(ledger)
        found = await ledger.receipts.verify(
            lambda done, total: progress.update(bar, completed=done, total=total)
        )
        return found.model_copy(update={"notes": [*found.notes, *notes]})


async def _notes(ledger: Ledger) -> list[str]:
    """What else there is to say about where the receipts stand."""
    from deployments.services.examining import AT_MOST

    looked_at = await ledger.health.require_sound(AT_MOST)
    notes = [] if looked_at.whole else [f"Not all of it could be looked at in {AT_MOST:.0f} s."]
    if fault := await ledger.health.fault():
        notes.append(f"The ledger {fault}: what is decided now leaves no receipt.")
    return notes


def _print_verification(found: Verification, console: Console) -> None:
    """The result as a person reads it: the head first, then what is wrong."""
    count = f"{found.count:,} receipt{'' if found.count == 1 else 's'}"
    if found.head:
        head = found.head
        line(f"{count}; the last is number {head.seq}, hash {escape(str(head.hash))}.", console)
    else:
        console.print("There are no receipts.")
    for fault in found.faults:
        line(f"[red]✗[/] {escape(fault.words)}", console)
    if found.more_faults:
        line(f"[red]✗[/] and {found.more_faults:,} more.", console)
    for note in found.notes:
        line(f"[yellow]![/] {escape(note)}", console)
    if found.sound and found.count:
        whole = "None was changed, removed or added."
        told = "None of those that are there was changed." if found.notes else whole
        line(f"[green]✓[/] {told}", console)


@command
async def replay(
    policy: Annotated[
        Path, typer.Option("--policy", metavar="FILE", help="Changes of the policy, TOML or JSON.")
    ],
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="7d, 12h, 30m, or an ISO 8601 date.")
    ] = "7d",
    as_json: AsJson = False,
) -> None:
    """Decide again what was decided, under another policy, and show what would have been different.

    Reads the ledger and touches nothing.
    """
    from agents.registry import registry
    from blocks.vocabulary.messages import utc_now
    from flows.orchestrator.decisions.replay_ledger import replay_ledger

    start, team = parse_since(since, utc_now()), registry()
    other = read_policy_file(policy, team)
    with open_ledger(migrate=False) as ledger:
        show(await replay_ledger(ledger, other, team, start), as_json, print_replay)


def print_replay(told: Replay, console: Console) -> None:
    """What would have been different, as a person reads it."""
    counts = Table("Decision", "Same", "Different", title=f"Under policy {told.policy_version}")
    for tally in told.tallies:
        counts.add_row(tally.question.value, str(tally.same), str(tally.different))
    console.print(counts)
    if told.differences:
        table = Table("When", "Decision", "About", "Was", "Would have been", "Because")
        for one in told.differences[:_SHOWN]:
            when = one.at.astimezone().strftime("%m-%d %H:%M:%S")
            cells = (one.about, one.recorded, one.replayed, one.why)
            table.add_row(when, one.question.value, *map(escape, cells))
        console.print(table)
    if (more := len(told.differences) - _SHOWN) > 0:
        line(f"and {more:,} more; --json has them all.", console)
    for why, count in told.skipped.items():
        line(f"[yellow]![/] {count:,} not decided again: {escape(why)}.", console)
    if not any(tally.same + tally.different for tally in told.tallies):
        console.print("No decision was recorded in that time.")
