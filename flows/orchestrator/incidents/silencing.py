"""Silences and maintenance windows: made, ended, and what they mean for an incident."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from blocks.errors import RequestError
from blocks.ledger import Ledger
from blocks.ledger.events.records import IncidentRecord
from blocks.ledger.incidents.silences import SilenceRecord, covering


class Silenced(BaseModel):
    """A silence, and the incidents that it covers as things stand.

    Attributes:
        open: Those that are not over, whether or not it counts at this hour.
    """

    silence: SilenceRecord
    open: list[IncidentRecord]


async def make_silence(
    ledger: Ledger, silence: SilenceRecord, now: datetime, *, everything: bool = False
) -> Silenced:
    """Have nobody told of certain incidents for a while.

    They open, are on record and counted all the same; what still goes on is told when it ends.

    Args:
        ledger: Where it is kept.
        silence: What it covers, and when.
        now: When it is made.
        everything: Whether one may be made that covers whatever there is.

    Raises:
        RequestError: It would be over already, or end before it begins, or covers everything.
        LedgerError: The ledger cannot be read or written.
    """
    if silence.ends_at <= max(now, silence.starts_at):
        raise RequestError(
            f"The silence would be over before it counts: it ends "
            f"{silence.ends_at:%Y-%m-%d %H:%M} UTC.",
            hint="Give a later end.",
        )
    if silence.covers_everything and not everything:
        raise RequestError(
            "That silences everything: nobody would be told of any incident at all.",
            hint="Name a resource, a type, a severity or a label; or say --all if it is meant "
            '("everything": true over HTTP).',
        )
    await ledger.silences.add(silence)
    await ledger.incidents.silence(now)
    return await covered_by(ledger, silence)


async def end_silence(ledger: Ledger, which: str, *, by: str, now: datetime) -> SilenceRecord:
    """End a silence before its time; what it covered and still goes on is told.

    Returns:
        The silence as it stands then; unchanged when it was over.

    Raises:
        NotFound: There is no such silence.
        RequestError: More than one begins so.
        LedgerError: The ledger cannot be read or written.
    """
    silence = await ledger.silences.get(which)
    await ledger.silences.end(silence.id, by, now)
    await ledger.incidents.silence(now)
    return await ledger.silences.get(silence.id)


async def covered_by(ledger: Ledger, silence: SilenceRecord) -> Silenced:
    """A silence with the open incidents that it fits."""
    found = [each for each in await ledger.incidents.open() if silence.fits(each)]
    return Silenced(silence=silence, open=found)


async def maintenance_of(
    ledger: Ledger, incident: IncidentRecord, now: datetime
) -> SilenceRecord | None:
    """The maintenance window that an incident lies in: meanwhile nothing of it is mended."""
    windows = [each for each in await ledger.silences.current(now) if each.maintenance]
    return covering(windows, incident, now)
