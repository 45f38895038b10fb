"""What was decided and why, and whether its record is whole, in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from blocks.ledger import Ledger
from blocks.ledger.engine.health import DEADLINE
from blocks.ledger.receipts.verification import Verification
from blocks.settings import get_settings
from deployments.console.markup import escape
from deployments.services.examining import AT_MOST
from flows.orchestrator.decisions.explain import CandidateLine, Decision, Explanation, explain


async def read_explanation(id_or_prefix: str) -> Explanation:
    """The decisions about one id, from the ledger.

    Raises:
        RequestError: The id names nothing, or more than one thing.
        LedgerError: The ledger cannot be read.
    """
    with Ledger.open(get_settings().effective_ledger_url, migrate=False) as ledger:
        return explain(await ledger.traces.find(id_or_prefix.strip()))


def print_explanation(told: Explanation, console: Console) -> None:
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
        for place, line in enumerate(lines):
            head = "" if place else title
            console.print(f"   [dim]{head:9}[/]{escape(line)}", highlight=False)
    if decision.candidates:
        console.print(_scores(decision.candidates))
    for line in decision.afterwards:
        console.print(f"   [cyan]Then[/]     {escape(line)}", highlight=False)


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


async def run_verification(console: Console | None) -> Verification:
    """Verifies the receipts in the ledger, after a look whether that is sound.

    Args:
        console: Shows the progress; None shows none.

    Raises:
        LedgerError: The ledger is damaged, or cannot be read.
    """
    with (
        Ledger.open(
            get_settings().effective_ledger_url, migrate=False, patience=DEADLINE
        ) as ledger,
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
    looked_at = await ledger.health.require_sound(AT_MOST)
    notes = [] if looked_at.whole else [f"Not all of it could be looked at in {AT_MOST:.0f} s."]
    if fault := await ledger.health.fault():
        notes.append(f"The ledger {fault}: what is decided now leaves no receipt.")
    return notes


def print_verification(found: Verification, console: Console) -> None:
    """The result as a person reads it: the head first, then what is wrong."""
    count = f"{found.count:,} receipt{'' if found.count == 1 else 's'}"
    if found.head:
        console.print(
            f"{count}; the last is number {found.head.seq}, hash {escape(str(found.head.hash))}.",
            highlight=False,
            soft_wrap=True,
        )
    else:
        console.print("There are no receipts.")
    for fault in found.faults:
        console.print(f"[red]✗[/] {escape(fault.words)}", highlight=False, soft_wrap=True)
    if found.more_faults:
        console.print(f"[red]✗[/] and {found.more_faults:,} more.", highlight=False)
    for note in found.notes:
        console.print(f"[yellow]![/] {escape(note)}", highlight=False, soft_wrap=True)
    if found.sound and found.count:
        whole = "None was changed, removed or added."
        told = "None of those that are there was changed." if found.notes else whole
        console.print(f"[green]✓[/] {told}", highlight=False)
