"""Handing events in from Python.

from flows.events import accept_events

accepted = await accept_events(SystemEvent(source="shop", type="payment.refused"))
"""

from __future__ import annotations

from blocks.ledger.event_records import Accepted
from blocks.messages import SystemEvent, utc_now
from blocks.settings import get_settings
from flows.orchestrator import shared_ledger


async def accept_events(*events: SystemEvent) -> Accepted:
    """Keep events in the inbox of this installation; durable on return.

    The workflow ``event-driven-workflow`` deals with them at its next run. An event of equal
    source and id that is handed in again changes nothing.

    Raises:
        LedgerError: They could not be kept; hand them in again.
    """
    ledger = shared_ledger(get_settings().effective_ledger_url)
    return await ledger.inbox.accept(events, utc_now())
