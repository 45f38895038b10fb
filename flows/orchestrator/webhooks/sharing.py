"""Who is told of which event: each endpoint that wants it gets a delivery of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fnmatch import fnmatchcase

from blocks.business.business import Business
from blocks.crash_points import reach
from blocks.errors import NoBusinessConfigured
from blocks.ledger import Ledger
from blocks.ledger.webhooks.records import EndpointState, PartnerEvent
from flows.orchestrator.effects.webhooks import LoadBusiness

PAGE = 200
"""Events that are shared out in one transaction."""


async def share_out(ledger: Ledger, business: Business, now: datetime) -> dict[str, EndpointState]:
    """Give each endpoint a delivery of each event that it wants.

    An endpoint that was known, and cannot be read just now, gets those that it wanted before.

    Args:
        ledger: Where the events are.
        business: Whose endpoints they are.
        now: When.

    Returns:
        How each endpoint stands that is configured, by its name.

    Raises:
        LedgerError: The ledger cannot be read or written.
    """
    configured = {each.name: each for each in business.endpoints}
    known = await seen(ledger, business, now)
    told = [
        state
        for name, state in known.items()
        if (configured[name].active if name in configured else business.left_out)
    ]
    while events := await ledger.partner_events.unshared(PAGE):
        shares = [(event, _who_wants(event, told)) for event in events]
        await ledger.partner_events.share(shares, now)
        reach("webhooks.shared")
        if len(events) < PAGE:
            break
    return {name: known[name] for name in configured}


async def loaded(load: LoadBusiness) -> Business:
    """The business; an empty one where none is configured.

    Raises:
        ConfigurationError, SourceError: It cannot be read.
    """
    try:
        return await load()
    except NoBusinessConfigured:
        return Business(store=None)


async def seen(ledger: Ledger, business: Business, now: datetime) -> dict[str, EndpointState]:
    """How every endpoint stands that is configured, or was, by its name."""
    wanted = {each.name: (each.event_types, each.ordered_by) for each in business.endpoints}
    return await ledger.endpoints.seen(wanted, now)


def _who_wants(event: PartnerEvent, endpoints: Sequence[EndpointState]) -> list[EndpointState]:
    return [
        each
        for each in endpoints
        if any(fnmatchcase(event.type, pattern) for pattern in each.wants)
    ]
