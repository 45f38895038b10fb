"""What severities and labels mean, as the policy says; read now and then, not for every alert."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from blocks.errors import OrchestratorError
from blocks.policy.alert_rules import AlertRules
from deployments.api.context import Context
from flows.orchestrator.dispatch.policy import last_used_policy

log = logging.getLogger("orchestrator.api")

FRESH = 10.0
"""Seconds after which the rules are read anew, while those that are known go on to count."""


class SenderRules:
    """The rules in force; nobody waits for them.

    Args:
        context: Whose policy counts.
        rules: Those of the policy that was used last.
    """

    def __init__(self, context: Context, rules: AlertRules) -> None:
        self._context, self._rules = context, rules
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, context: Context) -> AsyncIterator[SenderRules]:
        """The rules of a running API.

        Raises:
            LedgerError: The policy that was used last cannot be read.
        """
        policy = await last_used_policy(context.ledger, context.team)
        rules = cls(context, policy.alerts)
        try:
            yield rules
        finally:
            if rules._reading is not None:
                rules._reading.cancel()
                with suppress(asyncio.CancelledError):
                    await rules._reading

    def now(self) -> AlertRules:
        """The rules as they were read last; has them read anew when that is some time ago."""
        if time.monotonic() - self._read_at > FRESH:
            self._read_at = time.monotonic()
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read())
        return self._rules

    async def _read(self) -> None:
        try:
            self._rules = (await self._context.policy()).alerts
        except OrchestratorError as error:
            log.warning("The rules for alerts cannot be read, the last ones count: %s", error)
