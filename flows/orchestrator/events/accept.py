"""Handing events in from Python.

from flows.orchestrator.events.accept import accept_events

accepted = await accept_events(SystemEvent(source="shop", type="payment.refused"))
"""

from __future__ import annotations

from collections.abc import Sequence

from blocks.ledger import Ledger
from blocks.ledger.events.records import Accepted
from blocks.settings import get_settings
from blocks.vocabulary.messages import BESIDE, Severity, SystemEvent, utc_now
from flows.orchestrator.dispatch.context import shared_ledger
from flows.orchestrator.events.wake import start_event_run
from flows.orchestrator.rules.judging import RUN
from flows.orchestrator.runs.identity import current_run


async def accept_events(*events: SystemEvent) -> Accepted:
    """Keep events in the inbox of this installation; durable on return.

    A run of ``event-driven-workflow`` deals with them soon, if a stack runs. An event of equal
    source and id that is handed in again changes nothing.

    Raises:
        LedgerError: They could not be kept; hand them in again.
    """
    accepted, _ = await accept_into(shared_ledger(get_settings().effective_ledger_url), events)
    return accepted


async def accept_into(ledger: Ledger, events: Sequence[SystemEvent]) -> tuple[Accepted, str | None]:
    """Keep events, and have a run deal with what is new: the way in for whoever has a ledger.

    Returns:
        What became of them, and the name of the run; None when nothing is new, or no run could be
        started and they wait for the next one.

    Raises:
        LedgerError: They could not be kept.
    """
    accepted = await ledger.inbox.accept([_with_its_run(each) for each in events], utc_now())
    urgent = any(event.severity is Severity.CRITICAL for event in events)
    return accepted, await start_event_run(urgent=urgent) if accepted.new else None


def _with_its_run(event: SystemEvent) -> SystemEvent:
    """With the run that hands it in beside its data: no rule fires on what it led to itself."""
    if not (run := current_run()):
        return event
    beside = event.data.get(BESIDE)
    told = {**(beside if isinstance(beside, dict) else {}), RUN: run}
    return event.model_copy(update={"data": {**event.data, BESIDE: told}})
