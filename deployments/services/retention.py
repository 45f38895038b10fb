"""Once a day the ledger forgets what is over, as the settings say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import NoReturn

from blocks.errors import OrchestratorError
from blocks.ledger import Ledger
from blocks.settings import Retention
from blocks.vocabulary.messages import utc_now

FIRST = 600.0
"""Seconds after the start: those that a start needs are left to it."""

DAY = 24 * 3600.0


async def keep_forgetting(
    ledger: Ledger, days: Retention, say: Callable[[str], None], *, first: float = FIRST
) -> NoReturn:
    """Forget again and again, until cancelled.

    Args:
        ledger: What forgets.
        days: For how long it keeps what.
        say: Told what went, or why it did not.
        first: Seconds until the first time.
    """
    await asyncio.sleep(first)
    while True:
        try:
            gone = await ledger.retention.cut(days, utc_now())
        except OrchestratorError as error:
            say(f"The ledger forgets nothing today. {error}")
        else:
            if gone:
                say(told(gone))
        await asyncio.sleep(DAY)


def told(gone: Mapping[str, int]) -> str:
    """What went, in words."""
    if not gone:
        return "The ledger has nothing to forget."
    parts = ", ".join(f"{table.replace('_', ' ')} {rows:,}" for table, rows in gone.items())
    return f"The ledger has forgotten what was old enough: {parts}."
