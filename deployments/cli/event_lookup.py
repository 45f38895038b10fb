"""``./orchestrator inbox ID``: events with all that they say."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.console import Console

from blocks.errors import RequestError
from blocks.ledger import Ledger
from blocks.settings import get_settings
from blocks.vocabulary.messages import BESIDE, NOTES, SystemEvent
from deployments.cli.status import has_ledger
from deployments.console.markup import escape


async def find_events(name: str) -> list[SystemEvent]:
    """The events of an id, of an alert or of a situation, the first to arrive first.

    Raises:
        RequestError: There is none.
        LedgerError: The ledger cannot be read.
    """
    settings = get_settings()
    found: list[SystemEvent] = []
    if has_ledger(settings):
        with Ledger.open(settings.effective_ledger_url) as ledger:
            found = await ledger.inbox.named(name)
    if not found:
        raise RequestError(
            f"The inbox has neither an event nor a situation {name!r}.",
            hint="./orchestrator inbox --json has the ids of situations; whoever hands an event in "
            "is told its id.",
        )
    return found


def print_events(events: Sequence[SystemEvent], console: Console) -> None:
    """Each event with what it says, what came beside that, and what its reader remarked."""
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
            console.print(f"[bold]{name:10}[/]{escape(value)}", highlight=False, soft_wrap=True)
        console.print()
