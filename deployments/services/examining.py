"""The ledger's structure is looked at once a day, and soon after somebody came upon damage."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import NoReturn

from blocks.errors import LedgerError
from blocks.ledger import Ledger

AT_MOST = 60.0
"""Seconds that a look may take; of a larger ledger it sees a part, and says so."""

DAY = 24 * 3600.0
SOON = 300.0
"""Seconds between two looks at a ledger that seems to be damaged, which a backup may replace."""


async def keep_examining(
    ledger: Ledger, say: Callable[[str], None], *, at_once: bool = False
) -> NoReturn:
    """Look again and again, until cancelled.

    Args:
        ledger: What is looked at; its health tells of damage from then on.
        say: Told of damage, when it is something new.
        at_once: Whether to begin with a look, else a day later.
    """
    due = time.monotonic() + (0.0 if at_once else DAY)
    told = ""
    while True:
        if ledger.health.suspected or time.monotonic() >= due:
            fault = await _examine(ledger)
            if fault and fault != told:
                say(fault)
            told = fault
            due = time.monotonic() + DAY
        await asyncio.sleep(SOON)


async def _examine(ledger: Ledger) -> str:
    try:
        await ledger.health.require_sound(AT_MOST)
    except LedgerError as error:
        return str(error)
    return ""
