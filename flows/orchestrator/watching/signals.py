"""What looks find wrong becomes alerts of our own, and what they no longer find is resolved."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from blocks.errors import LedgerError
from blocks.ledger import Ledger
from blocks.ledger.events.records import Ending, FiringAlert
from blocks.vocabulary.looks import WATCH, Look
from blocks.vocabulary.messages import RESOLVED, Severity, SystemEvent
from flows.orchestrator.events.accept import accept_into

_ENDED_BY_A_LOOK = (Ending.WELL, Ending.MENDED)


async def settle(ledger: Ledger, look: Look, now: datetime) -> None:
    """Tell the inbox what a look found: what is wrong fires, what is covered and well is over.

    What fired before is read from the ledger, so that a process that starts anew forgets nothing,
    and two that look at once tell the same.

    Args:
        ledger: Has the alerts.
        look: What was seen.
        now: When it was.

    Raises:
        LedgerError: It could not be told; tell it again.
    """
    fired = {_identity(one.event): one for one in await _fired(ledger, look.part)}
    found = {signal.fingerprint: signal for signal in look.signals}
    events: list[SystemEvent] = []
    for fingerprint, signal in found.items():
        before = fired.get(fingerprint)
        if before is not None and _ended_too_early(before, now):
            events.append(_over(before.event, now))
        events.append(signal.as_event(look.part, now))
    events += [
        _over(one.event, now)
        for fingerprint, one in fired.items()
        if fingerprint not in found and one.event.subject in look.covered
    ]
    if events:
        await accept_into(ledger, events)


async def covering_what_is_gone(ledger: Ledger, look: Look, subjects: Collection[str]) -> Look:
    """A look that also covers what fires and is no longer looked after, so that it is over.

    While the ledger cannot be read the look stays as it is: what it saw counts all the same, and
    a later one covers what is gone.

    Args:
        ledger: Has the alerts.
        look: What was seen.
        subjects: All that its part looks after now.
    """
    try:
        fired = {one.event.subject for one in await _fired(ledger, look.part)}
    except LedgerError:
        return look
    return look.model_copy(update={"covered": look.covered | (fired - set(subjects))})


async def _fired(ledger: Ledger, part: str) -> list[FiringAlert]:
    return await ledger.inbox.firing(f"{WATCH}.{part}")


def _identity(event: SystemEvent) -> str:
    return str(event.data["fingerprint"])


def _ended_too_early(alert: FiringAlert, now: datetime) -> bool:
    """Whether its incident ended because it was found well, and now it is not: a new outage.

    What a person closed stays closed until it was over.
    """
    return alert.ending in _ENDED_BY_A_LOOK and alert.ended_at is not None and alert.ended_at < now


def _over(event: SystemEvent, now: datetime) -> SystemEvent:
    """That what an event told of is over."""
    return event.model_copy(
        update={
            "id": event.fingerprint,
            "time": now,
            "severity": Severity.INFO,
            "data": event.data | {"status": RESOLVED},
        }
    )
