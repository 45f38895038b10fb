"""``./orchestrator event`` and ``./orchestrator inbox``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from blocks.dialects import read
from blocks.errors import InvalidMessage, RequestError
from blocks.ledger import Ledger
from blocks.policy.alert_rules import USUAL, AlertRules
from blocks.prefect_api.env import RunningStack
from blocks.settings import Settings, get_settings
from blocks.vocabulary.messages import SystemEvent, utc_now
from blocks.vocabulary.responses import read_event
from deployments.console.markup import escape
from deployments.registration.automations import WORKFLOW

if TYPE_CHECKING:
    from blocks.ledger.events.records import Depth, SituationRecord
    from flows.orchestrator.events.open_incidents import OpenIncident


class Handed(BaseModel):
    """What became of events that were handed in.

    Attributes:
        new, duplicates, updates, repeated: As ``blocks.ledger.events.records.Accepted`` counts.
        run: The run that was started for them; None when no stack runs, and they wait.
    """

    new: int
    duplicates: int
    updates: int
    repeated: int
    run: str | None


async def hand_in(events: Sequence[SystemEvent]) -> Handed:
    """Accept events, and have the running stack, if there is one, deal with them soon.

    Raises:
        LedgerError: They could not be kept.
    """
    settings = get_settings()
    with Ledger.open(settings.effective_ledger_url) as ledger:
        return await _hand_in(events, ledger, settings)


async def hand_in_file(name: str) -> Handed:
    """Accept the events of a file, as ``hand_in`` does.

    Raises:
        RequestError: The file cannot be read; see ``read_file``.
        LedgerError: They could not be kept.
    """
    from agents.registry import registry
    from flows.orchestrator.dispatch.policy import last_used_policy

    settings = get_settings()
    with Ledger.open(settings.effective_ledger_url) as ledger:
        policy = await last_used_policy(ledger, registry())
        return await _hand_in(read_file(name, policy.alerts), ledger, settings)


async def _hand_in(events: Sequence[SystemEvent], ledger: Ledger, settings: Settings) -> Handed:
    if RunningStack.find(settings.state_dir) or os.environ.get("PREFECT_API_URL"):
        from flows.orchestrator.events.accept import accept_into  # finds the running stack

        accepted, run = await accept_into(ledger, events)
    else:
        accepted, run = await ledger.inbox.accept(events, utc_now()), None
    return Handed(
        new=accepted.new,
        duplicates=accepted.duplicates,
        updates=accepted.updates,
        repeated=accepted.repeated,
        run=run,
    )


def one_event(
    kind: str, subject: str, severity: str, source: str, event_id: str | None, data: str | None
) -> SystemEvent:
    """The event that the options describe.

    Raises:
        RequestError: ``data`` is no JSON object, or an option does not fit.
    """
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


def read_file(name: str, rules: AlertRules = USUAL) -> list[SystemEvent]:
    """The events of a file, ``-`` for standard input: a document, an array, or JSON lines.

    Each document may be in any dialect that ``blocks.dialects`` reads.

    Args:
        name: Of the file.
        rules: What severities and labels mean.

    Raises:
        RequestError: The file cannot be read.
        InvalidMessage: A document holds no event; names its place.
    """
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{name} cannot be read: {error}.") from None
    events: list[SystemEvent] = []
    for place, document in _documents(text):
        try:
            found = read(document, rules=rules).events
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


class InboxState(BaseModel):
    """What ``inbox`` shows.

    Attributes:
        waiting: Events that wait, by severity.
        incidents: Situations that are not over, the worst first; ``standing`` says how each stands.
        situations: The last ones.
    """

    waiting: dict[str, int]
    oldest_seconds: float
    incidents: list[dict[str, Any]]
    situations: list[dict[str, Any]]


async def read_inbox(limit: int = 10) -> InboxState:
    """What waits, what is open, and the last situations.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    from deployments.cli.status import has_ledger

    settings = get_settings()
    if not has_ledger(settings):
        return InboxState(waiting={}, oldest_seconds=0.0, incidents=[], situations=[])
    with Ledger.open(settings.effective_ledger_url) as ledger:
        depth: Depth = await ledger.inbox.depth(utc_now())
        last: list[SituationRecord] = await ledger.inbox.situations(limit=limit)
        is_open = any((await ledger.incidents.counts()).values())
        found = await _open_incidents(ledger) if is_open else []
    return InboxState(
        waiting={severity.value: w.events for severity, w in depth.waiting.items()},
        oldest_seconds=round(depth.oldest_wait.total_seconds(), 1),
        incidents=[
            each.situation.model_dump(mode="json") | {"standing": each.told} for each in found
        ],
        situations=[situation.model_dump(mode="json") for situation in last],
    )


async def _open_incidents(ledger: Ledger) -> list[OpenIncident]:
    from agents.registry import registry
    from flows.orchestrator.dispatch.policy import last_used_policy
    from flows.orchestrator.events.open_incidents import open_incidents

    policy = await last_used_policy(ledger, registry())
    return await open_incidents(ledger, policy.events, utc_now())


def print_handed(handed: Handed, console: Console) -> None:
    """What became of the events, and when they are dealt with."""
    told = f"{handed.new} accepted, {handed.duplicates} known already"
    if handed.updates or handed.repeated:
        told += f"; of the new ones {handed.updates} say something else, {handed.repeated} the same"
    console.print(f"{told}.", highlight=False)
    if handed.run:
        console.print(f"[dim]Run {escape(handed.run)} deals with them.[/]", highlight=False)
    elif handed.new:
        console.print(
            f"[dim]They wait: ./orchestrator run {WORKFLOW}, or start the stack.[/]",
            highlight=False,
        )


def print_inbox(state: InboxState, console: Console) -> None:
    """What waits, what is open, and the last situations, as a person reads them."""
    if state.waiting:
        told = ", ".join(f"{events:,} {name}" for name, events in state.waiting.items())
        console.print(
            f"Waiting: {told}; the oldest for {state.oldest_seconds:,.0f} s.", highlight=False
        )
    else:
        console.print("Nothing waits.", highlight=False)
    if state.incidents:
        table = Table("since", "severity", "open incident", "how it stands", "question")
        for incident in state.incidents:
            table.add_row(
                incident["opened_at"][:19].replace("T", " "),
                incident["severity"],
                escape(incident["title"]),
                escape(incident["standing"]),
                (incident["approval_id"] or "")[:8],
            )
        console.print(table)
    if not state.situations:
        return
    table = Table("opened", "severity", "situation", "events", "status", "done")
    for situation in state.situations:
        response = situation["response"] or {}
        table.add_row(
            situation["opened_at"][:19].replace("T", " "),
            situation["severity"],
            escape(situation["title"]),
            str(situation["events"]),
            situation["ending"] or situation["status"],
            escape(response.get("done") or ("summarised" if response else "")),
        )
    console.print(table)
