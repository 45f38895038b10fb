"""Settles what is due while the stack runs: answers, questions that expire, abandoned tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import NoReturn

from blocks.errors import OrchestratorError
from blocks.messages import utc_now
from blocks.settings import Settings

PERIOD = 10.0
"""Seconds between two looks; each is two small queries while there is nothing to do."""


async def keep_settling(
    settings: Settings, started: datetime, say: Callable[[str], None]
) -> NoReturn:
    """Look again and again, until cancelled.

    Args:
        settings: Where the ledger is.
        started: When the stack did: forms from before it are dead, so their questions get new ones.
        say: Told what goes wrong, when it is something new.
    """
    from blocks.ledger import Ledger
    from flows.approvals import settle_due, show_forms
    from flows.starting import resume_abandoned

    known: list[str] = []
    with Ledger.open(settings.effective_ledger_url, migrate=False) as ledger:
        shown = False
        while True:
            faults = []
            try:
                faults += await settle_due(ledger, utc_now())
                faults += await resume_abandoned(ledger, utc_now())
                if not shown:
                    faults += await show_forms(ledger, started)
                    shown = True
            except OrchestratorError as error:
                faults.append(str(error))
            for fault in faults:
                if fault not in known:
                    say(fault)
            known = faults
            await asyncio.sleep(PERIOD)
