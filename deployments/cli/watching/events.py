"""``./orchestrator event`` and ``./orchestrator inbox``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from blocks.errors import InvalidMessage, RequestError
from deployments.cli.app import AsJson, command, existing_ledger, line, open_ledger, show
from deployments.console.markup import escape

if TYPE_CHECKING:
    from datetime import datetime

    from blocks.ledger import Ledger
    from blocks.ledger.events.records import IncidentRecord
    from blocks.policy.alert_rules import AlertRules
    from blocks.vocabulary.messages import SystemEvent


_MOST_NOTES = 20


@dataclass
class Handed:
    """What became of events that were handed in.

    Attributes:
        new, duplicates, updates, repeated: As ``blocks.ledger.events.records.Accepted`` counts.
        run: The run that was started for them; None when no stack runs, and they wait.
        notes: What was not as it is usual, and how it was read.
    """

    new: int
    duplicates: int
    updates: int
    repeated: int
    run: str | None
    notes: list[str] = field(default_factory=list)


@command
async def event(
    kind: Annotated[str | None, typer.Argument(metavar="TYPE", help="What happened.")] = None,
    subject: Annotated[str, typer.Option(help="What it is about, type:name.")] = "",
    severity: Annotated[str, typer.Option(help="info, warning, error or critical.")] = "warning",
    source: Annotated[str, typer.Option(help="Who says so.")] = "command-line",
    event_id: Annotated[str | None, typer.Option("--id", help="Sent twice, it is one.")] = None,
    data: Annotated[str | None, typer.Option(help="Anything more, a JSON object.")] = None,
    file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Events as JSON, JSON lines or an array; - for stdin."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hand in an event, or a file of them; the event-driven workflow deals with it.

    It is safe on disk when the command returns.
    """
    if (kind is None) == (file is None):
        raise RequestError("Name the TYPE of one event, or a --file of events.")

    found = kind and [one_event(kind, subject, severity, source, event_id, data)]
    with open_ledger() as ledger:
        events = found or read_file(str(file), await _alert_rules(ledger))
        show(await hand_in(ledger, events), as_json, _print_handed)


async def hand_in(ledger: Ledger, events: Sequence[SystemEvent]) -> Handed:
    """Accept events, and have the running stack, if there is one, deal with them soon.

    Raises:
        LedgerError: They could not be kept.
    """
    from flows.orchestrator.events.accept import accept_into  # finds the running stack

    accepted, run = await accept_into(ledger, events)
    notes = [note for event in events for note in event.notes]
    if unnamed := {event.source for event in events if not event.subject}:
        notes.append(f"Without a subject it is about its source: {', '.join(sorted(unnamed))}.")
    counts = accepted.new, accepted.duplicates, accepted.updates, accepted.repeated
    return Handed(*counts, run=run, notes=list(dict.fromkeys(notes))[:_MOST_NOTES])


def _print_handed(handed: Handed, console: Console) -> None:
    """What became of the events, and when they are dealt with."""
    from flows.orchestrator.events.wake import WORKFLOW

    told = f"{handed.new} accepted, {handed.duplicates} known already"
    if handed.updates or handed.repeated:
        told += f"; of the new ones {handed.updates} say something else, {handed.repeated} the same"
    line(f"{told}.", console)
    for note in handed.notes:
        line(f"[yellow]![/] {escape(note)}", console)
    if handed.run:
        line(f"[dim]Run {escape(handed.run)} deals with them.[/]", console)
    elif handed.new:
        line(f"[dim]They wait: ./orchestrator run {WORKFLOW}, or start the stack.[/]", console)


async def _alert_rules(ledger: Ledger) -> AlertRules:
    from agents.registry import registry
    from flows.orchestrator.dispatch.policy import last_used_policy

    return (await last_used_policy(ledger, registry())).alerts


def one_event(
    kind: str, subject: str, severity: str, source: str, event_id: str | None, data: str | None
) -> SystemEvent:
    """The event that the options describe.

    Raises:
        RequestError: ``data`` is no JSON object, or an option does not fit.
    """
    from blocks.vocabulary.responses import read_event

    given: dict[str, Any] = {
        "type": kind,
        "subject": subject,
        "severity": severity,
        "source": source,
    }
    if event_id:
        given["id"] = event_id
    try:
        given["data"] = json.loads(data) if data else {}
    except ValueError as error:
        raise RequestError(f"--data is no JSON: {error}.") from None
    if not isinstance(given["data"], dict):
        raise RequestError(
            f"--data {data} is no JSON object.", hint="For instance '{\"ms\": 900}'."
        )
    return read_event(given)


def read_file(name: str, rules: AlertRules | None = None) -> list[SystemEvent]:
    """The events of a file, ``-`` for standard input: a document, an array, or JSON lines.

    Each document may be in any dialect that ``blocks.dialects`` reads.

    Args:
        name: Of the file.
        rules: What severities and labels mean; what is usual when None.

    Raises:
        RequestError: The file cannot be read.
        InvalidMessage: A document holds no event; names its place.
    """
    from blocks.dialects import read
    from blocks.policy.alert_rules import USUAL

    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{name} cannot be read: {error}.") from None
    events: list[SystemEvent] = []
    for place, document in _documents(text):
        try:
            found = read(document, rules=rules or USUAL).events
        except InvalidMessage as error:
            raise InvalidMessage(f"{name}, {place}: {error.what}", hint=error.hint) from None
        if not found:
            raise InvalidMessage(f"{name}, {place}: that is a message to an agent, no event.")
        events += found
    return events


def _documents(text: str) -> list[tuple[str, Any]]:
    """What a file holds, each with its place."""
    try:
        whole = json.loads(text)
    except ValueError:
        lines = enumerate(text.splitlines(), 1)
        return [(f"line {number}", line) for number, line in lines if line.strip()]
    if isinstance(whole, list):
        return [(f"item {number}", json.dumps(item)) for number, item in enumerate(whole, 1)]
    return [("document", text)]


@command
async def inbox(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="An event or an incident, to be shown in full."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show how many events wait, for how long, and the last incidents; or one's events."""
    if name is not None:
        show(await find_events(name), as_json, _print_events)
    else:
        show(await read_inbox(), as_json, _print_inbox)


async def find_events(name: str) -> list[SystemEvent]:
    """The events of an id, of an alert or of an incident, the first to arrive first.

    Raises:
        RequestError: There is none.
        LedgerError: The ledger cannot be read.
    """
    with existing_ledger() as ledger:
        found = await ledger.inbox.named(name) if ledger is not None else []
    if not found:
        raise RequestError(
            f"The inbox has neither an event nor an incident {name!r}.",
            hint="./orchestrator inbox --json has the ids of incidents; whoever hands an event in "
            "is told its id.",
        )
    return found


def _print_events(events: Sequence[SystemEvent], console: Console) -> None:
    """Each event with what it says, what came beside that, and what its reader remarked."""
    from blocks.vocabulary.messages import BESIDE, NOTES

    for event in events:
        said = {k: v for k, v in event.data.items() if k not in (NOTES, BESIDE)}
        facts = {
            "Id": event.id,
            "From": event.source,
            "Type": event.type,
            "Time": f"{event.time:%Y-%m-%d %H:%M:%S} UTC",
            "Severity": event.severity.value,
            "About": event.subject or "—",
            "Says": json.dumps(said, ensure_ascii=False),
            "Beside": json.dumps(event.data.get(BESIDE, {}), ensure_ascii=False),
            "Remarks": " ".join(event.notes) or "—",
        }
        for name, value in facts.items():
            line(f"[bold]{name:10}[/]{escape(value)}", console)
        console.print()


@dataclass
class InboxState:
    """What ``inbox`` shows.

    Attributes:
        waiting: Events that wait, by severity.
        open: Incidents that are not over, the worst first; ``standing`` says how each stands.
        incidents: The last ones.
    """

    waiting: dict[str, int] = field(default_factory=dict)
    oldest_seconds: float = 0.0
    open: list[dict[str, Any]] = field(default_factory=list)
    incidents: list[IncidentRecord] = field(default_factory=list)


async def read_inbox(limit: int = 10) -> InboxState:
    """What waits, what is open, and the last incidents.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    from blocks.vocabulary.messages import utc_now

    with existing_ledger() as ledger:
        if ledger is None:
            return InboxState()
        depth = await ledger.inbox.depth(utc_now())
        return InboxState(
            waiting={severity.value: w.events for severity, w in depth.waiting.items()},
            oldest_seconds=round(depth.oldest_wait.total_seconds(), 1),
            open=await _open_incidents(ledger),
            incidents=await ledger.inbox.incidents(limit=limit),
        )


async def _open_incidents(ledger: Ledger) -> list[dict[str, Any]]:
    if not any((await ledger.incidents.counts()).values()):
        return []
    from agents.registry import registry
    from blocks.vocabulary.messages import utc_now
    from flows.orchestrator.dispatch.policy import last_used_policy
    from flows.orchestrator.events.open_incidents import open_incidents

    policy = await last_used_policy(ledger, registry())
    return [
        {**each.incident.model_dump(mode="json"), "standing": each.told}
        for each in await open_incidents(ledger, policy.events, utc_now())
    ]


def _print_inbox(state: InboxState, console: Console) -> None:
    if state.waiting:
        told = ", ".join(f"{events:,} {name}" for name, events in state.waiting.items())
        line(f"Waiting: {told}; the oldest for {state.oldest_seconds:,.0f} s.", console)
    else:
        line("Nothing waits.", console)
    if state.open:
        table = Table("since", "severity", "open incident", "how it stands", "question")
        for one in state.open:
            table.add_row(
                one["opened_at"][:19].replace("T", " "),
                one["severity"],
                escape(one["title"]),
                escape(one["standing"]),
                (one["approval_id"] or "")[:8],
            )
        console.print(table)
    if not state.incidents:
        return
    table = Table("opened", "severity", "incident", "events", "status", "done")
    for incident in state.incidents:
        table.add_row(
            _when(incident.opened_at),
            incident.severity,
            escape(incident.title),
            str(incident.events),
            incident.ending or incident.status,
            escape(incident.done or ("summarised" if incident.response else "")),
        )
    console.print(table)


def _when(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S}"
