"""``./orchestrator incidents`` and ``incident``: what is wrong, and what a person says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from blocks.errors import RequestError
from blocks.text import did_you_mean, printable
from deployments.cli.app import (
    AsJson,
    command,
    current_user,
    existing_ledger,
    line,
    open_ledger,
    show,
)
from deployments.console.markup import escape

if TYPE_CHECKING:
    from datetime import datetime

    from blocks.ledger import Ledger
    from blocks.ledger.events.records import IncidentRecord
    from blocks.policy.watching.incident_rules import IncidentRules
    from blocks.vocabulary.severity import Severity
    from flows.orchestrator.incidents.reading import IncidentStory, ListedIncident


incidents = typer.Typer(help="What is wrong: list it, say that you see to it, or that it is over.")

Which = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="Six characters of its id, or the resource of one that is open."
    ),
]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="What else there is to say.")]


@incidents.callback(invoke_without_command=True)
@command
async def list_all(
    context: typer.Context,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that are over, a hundred in all.")
    ] = False,
    resource: Annotated[str, typer.Option(help="What they are about, with * and ?.")] = "*",
    severity: Annotated[
        str | None, typer.Option(help="From this one on: warning, error or critical.")
    ] = None,
    assigned: Annotated[str | None, typer.Option(metavar="NAME", help="Only whose.")] = None,
    as_json: AsJson = False,
) -> None:
    """What is open, the worst first."""
    if context.invoked_subcommand is not None:
        return
    from blocks.vocabulary.messages import utc_now
    from flows.orchestrator.incidents.reading import list_incidents

    found: list[ListedIncident] = []
    least = severity_of(severity) if severity else None
    with existing_ledger() as ledger:
        if ledger is not None:
            found = await list_incidents(
                ledger,
                utc_now(),
                over=everything,
                resource=resource,
                severity=least,
                assigned_to=assigned,
            )
    show(found, as_json, _print_list)


@command
async def incident(
    which: Which,
    report: Annotated[
        bool,
        typer.Option("--report", help="What happened, what it cost, what worked, what is left."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show an incident: how it stands, and all that became of it."""
    from blocks.vocabulary.messages import utc_now
    from deployments.console.report import print_report
    from flows.orchestrator.incidents.post_incident import business_or_none, post_incident_report
    from flows.orchestrator.incidents.reading import story_of

    with existing_ledger() as ledger:
        if ledger is None:
            raise RequestError(f"There is no incident {which!r}: nothing has run yet.")
        if report:
            business = await business_or_none()
            told = await post_incident_report(ledger, business, which, utc_now())
            show(told, as_json, print_report)
            return
        show(await story_of(ledger, which, utc_now()), as_json, _print_story)


@incidents.command("ack")
@command
async def ack(which: Which, note: Note = "", as_json: AsJson = False) -> None:
    """Say that you see to it: nobody else is called, unless it becomes worse."""
    from blocks.vocabulary.messages import utc_now
    from flows.orchestrator.incidents.by_hand import acknowledge

    with open_ledger() as ledger:
        rules, now = await _rules(ledger), utc_now()
        one = await acknowledge(ledger, which, rules, by=current_user(), now=now, note=note)
        await _show_after(ledger, one, as_json, now)


@incidents.command("assign")
@command
async def assign_to(
    which: Which,
    to: Annotated[str, typer.Argument(metavar="NAME", help="A person or an audience; '' nobody.")],
    note: Note = "",
    as_json: AsJson = False,
) -> None:
    """Say whose it is. An audience of the policy is told of what is its own."""
    from blocks.vocabulary.messages import utc_now
    from flows.orchestrator.incidents.by_hand import assign

    with open_ledger() as ledger:
        now = utc_now()
        one = await assign(ledger, which, to, by=current_user(), now=now, note=note)
        await _show_after(ledger, one, as_json, now)


@incidents.command("note")
@command
async def note_it(
    which: Which,
    text: Annotated[str, typer.Argument(help="What there is to remember.")],
    as_json: AsJson = False,
) -> None:
    """Put a note to an incident, also to one that is over."""
    from blocks.vocabulary.messages import utc_now
    from flows.orchestrator.incidents.by_hand import add_note

    with open_ledger() as ledger:
        now = utc_now()
        one = await add_note(ledger, which, text, by=current_user(), now=now)
        await _show_after(ledger, one, as_json, now)


@incidents.command("resolve")
@command
async def resolve_it(which: Which, note: Note = "", as_json: AsJson = False) -> None:
    """Say that it is over."""
    from blocks.vocabulary.messages import utc_now
    from flows.orchestrator.incidents.by_hand import resolve

    with open_ledger() as ledger:
        now = utc_now()
        one = await resolve(ledger, which, by=current_user(), now=now, note=note)
        await _show_after(ledger, one, as_json, now)


def severity_of(text: str) -> Severity:
    """The severity that a word names.

    Raises:
        RequestError: It names none.
    """
    from blocks.vocabulary.severity import Severity

    try:
        return Severity(text.strip().lower())
    except ValueError:
        raise RequestError(
            f"{text!r} is no severity.",
            hint=did_you_mean(text, Severity),
        ) from None


async def _rules(ledger: Ledger) -> IncidentRules:
    from agents.registry import registry
    from flows.orchestrator.dispatch.policy import last_used_policy

    return (await last_used_policy(ledger, registry())).incidents


async def _show_after(ledger: Ledger, one: IncidentRecord, as_json: bool, now: datetime) -> None:
    from flows.orchestrator.incidents.reading import story_of

    show(await story_of(ledger, one.id, now), as_json, _print_story)


def _print_list(found: list[ListedIncident], console: Console) -> None:
    from flows.orchestrator.incidents.reading import LISTED

    if not found:
        console.print("Nothing is open.")
        return
    table = Table()
    for column in ("Id", "Severity", "State", "Incident", "Since", "Whose"):
        table.add_column(column, overflow="fold")
    for each in found:
        one = each.incident
        table.add_row(
            one.id[:8],
            one.severity.value,
            _state(each),
            escape(printable(one.title)),
            f"{one.began_at:%d %b %H:%M} UTC",
            escape(printable(one.assigned_to or one.acknowledged_by or "")),
        )
    console.print(table)
    if len(found) >= LISTED:
        line(
            f"[dim]The first {LISTED}; narrow it by --severity, --resource or --assigned.[/]",
            console,
        )


def _state(each: ListedIncident) -> str:
    marks = [each.state.value]
    marks += ["silenced"] if each.silenced else []
    marks += ["flapping"] if each.incident.flapping_since and not each.incident.is_over else []
    return ", ".join(marks)


def _print_story(story: IncidentStory, console: Console) -> None:
    one = story.incident
    impact = one.impact_per_hour
    again = f", the last at {one.reopened_at:%d %b %H:%M:%S} UTC" if one.reopened_at else ""
    question = "" if one.is_over or not one.approval_id else one.approval_id[:8]
    silence = story.silence if story.silenced else None
    facts = {
        "Incident": f"{printable(one.title)} ({one.id})",
        "Severity": one.severity.value,
        "State": _state(story),
        "Opened": f"{one.opened_at:%Y-%m-%d %H:%M:%S} UTC",
        "Outages": f"{one.outages}{again}",
        "Ended": f"{one.settled_at:%Y-%m-%d %H:%M:%S} UTC" if one.settled_at else "",
        "About": printable(one.resource),
        "Events": f"{one.events:,}",
        "At risk": "unknown" if impact is None else f"{impact:,.2f} per hour",
        "Assigned": printable(one.assigned_to or ""),
        "Done": printable(one.done),
        "Says": printable(one.told.summary),
        "Runbook": one.told.runbook,
        "Question": question and f"./orchestrator approve {question}",
        "Silence": f"{silence.id[:8]}: {printable(silence.reason)}" if silence else "",
        "Before it": one.previous_id or "",
    }
    for name, value in facts.items():
        if value:
            line(f"[bold]{name:10}[/]{escape(value)}", console)
    if story.timeline:
        line("[bold]Timeline[/]", console)
    for entry in story.timeline:
        by = escape(printable(entry.by))
        text = escape(printable(entry.text))
        line(f"  {entry.at:%d %b %H:%M:%S}  {entry.kind.value:13} {text} [dim]({by})[/]", console)
