"""What goes on while the stack runs: what is due is settled, and the business is watched."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NoReturn

from blocks.errors import OrchestratorError
from blocks.ledger import Ledger
from blocks.settings import get_settings
from blocks.vocabulary.messages import utc_now
from deployments.processes.gather import together
from deployments.services.examining import keep_examining
from deployments.services.retention import keep_forgetting
from deployments.services.run_monitoring import Reconciler
from deployments.services.watching import keep_watching

PERIOD = 10.0
"""Seconds between two looks; each is a few small queries while there is nothing to do."""

SELDOM = 60.0
"""Seconds between two looks at what changes when a person changes it."""

PROMPT = 2.0
"""Seconds between two looks at what partners are to be told."""

PATIENCE = 5.0
"""Seconds that a look waits for what is slow, which goes on beside the next."""


async def keep_settling(
    ledger: Ledger, reconciler: Reconciler, say: Callable[[str], None]
) -> NoReturn:
    """Look again and again, until cancelled.

    Args:
        ledger: What is settled.
        reconciler: Looks after the runs, beside the rest: one may have to wait for a server.
        say: Told what goes wrong, when it is something new.
    """
    from deployments.registration.store_zone import follow_store_zone
    from deployments.services.incidents import Telling
    from flows.internal.apply_approval import apply_approval
    from flows.internal.take_back import have_taken_back
    from flows.orchestrator.approvals.caretaker import caretaker, settle_effects
    from flows.orchestrator.approvals.escalation import settle_due, show_forms
    from flows.orchestrator.effects.lanes import Lanes
    from flows.orchestrator.runs.starting import resume_abandoned
    from flows.orchestrator.webhooks.sending import tell_endpoints

    async def runs(now: datetime) -> list[str]:
        await reconciler.look(now)
        return []

    async def zone(now: datetime) -> list[str]:
        return await follow_store_zone()

    async with Lanes(PATIENCE) as targets, Lanes(0.0) as endpoints:

        async def effects(now: datetime) -> list[str]:
            return await settle_effects(ledger, now, have_taken_back, targets)

        async def webhooks(now: datetime) -> list[str]:
            return await tell_endpoints(ledger, lambda: caretaker(ledger), endpoints)

        await together(
            _repeat(lambda now: settle_due(ledger, now, apply=apply_approval), say),
            _repeat(lambda now: resume_abandoned(ledger, now), say),
            _repeat(lambda now: show_forms(ledger, now), say),
            _repeat(Telling(ledger).look, say),
            _repeat(effects, say),
            _repeat(webhooks, say, PROMPT),
            _repeat(runs, say),
            _repeat(zone, say, SELDOM),
            keep_watching(ledger, say),
            keep_examining(ledger, say),
            keep_forgetting(ledger, get_settings().retention, say),
        )
    raise AssertionError("None of these returns.")


async def _repeat(
    look: Callable[[datetime], Awaitable[list[str]]],
    say: Callable[[str], None],
    period: float = PERIOD,
) -> NoReturn:
    known: list[str] = []
    while True:
        try:
            faults = await look(utc_now())
        except OrchestratorError as error:
            faults = [str(error)]
        except Exception as error:  # a look that fails, whyever, must not end the stack
            faults = [f"What is due cannot be settled: {type(error).__name__}: {error}"]
        for fault in faults:
            if fault not in known:
                say(fault)
        known = faults
        await asyncio.sleep(period)
