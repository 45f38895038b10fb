"""Has answers applied, and questions expired, while the stack runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NoReturn

from blocks.errors import OrchestratorError
from blocks.messages import utc_now
from blocks.settings import Settings

PERIOD = 10.0
"""Seconds between two looks; each is one small query while there is nothing to do."""


async def settle_answers(settings: Settings, say: Callable[[str], None]) -> NoReturn:
    """Look again and again, until cancelled; says what goes wrong when it is something new."""
    from blocks.ledger import Ledger
    from flows.approvals import settle_due

    known: list[str] = []
    with Ledger.open(settings.effective_ledger_url, migrate=False) as ledger:
        while True:
            try:
                faults = await settle_due(ledger, utc_now())
            except OrchestratorError as error:
                faults = [str(error)]
            for fault in faults:
                if fault not in known:
                    say(fault)
            known = faults
            await asyncio.sleep(PERIOD)
