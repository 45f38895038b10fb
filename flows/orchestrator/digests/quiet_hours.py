"""When it is quiet, by the store's clocks, and until when."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from blocks.policy.notify_rules import QuietHours


def quiet_until(quiet: QuietHours | None, now: datetime, zone: str) -> datetime | None:
    """The end of the quiet hours that an instant lies in; None when it lies in none.

    Where clocks are put forward over that end, it is as much later; where they are put back over
    it, it is the first time that they show it and it is yet to come.

    Args:
        quiet: The quiet hours; None: there are none.
        now: The instant.
        zone: IANA zone of the store.
    """
    here = now.astimezone(ZoneInfo(zone))
    if quiet is None or not quiet.cover(here.time()):
        return None
    ends = (
        datetime.combine(here.date() + timedelta(days=days), quiet.ends, here.tzinfo).replace(
            fold=fold
        )
        for days in (0, 1)
        for fold in (0, 1)
    )
    instants = (end.astimezone(now.tzinfo) for end in ends)
    return next(instant for instant in instants if instant > now)
