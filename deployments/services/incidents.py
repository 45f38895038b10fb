"""Telling people of incidents while the stack runs, whether Prefect answers or not."""

from __future__ import annotations

from datetime import datetime, timedelta

from blocks.errors import OrchestratorError
from blocks.ledger import Ledger
from flows.orchestrator.incidents.texts import Setting

FRESH = timedelta(minutes=1)
"""For so long the clocks and the money of the business are taken to be the same."""


class Telling:
    """Tells of incidents again and again, in the words of the business that is looked after.

    Args:
        ledger: Where the incidents are.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._setting = Setting()
        self._read_at: datetime | None = None

    async def look(self, now: datetime) -> list[str]:
        """Tell what is due; what could not be told, in words.

        Raises:
            LedgerError: The ledger cannot be read or written.
        """
        from agents.registry import registry
        from flows.orchestrator.dispatch.policy import policy_in_force
        from flows.orchestrator.incidents.escalation import escalate_due

        if self._read_at is None or now - self._read_at >= FRESH:
            self._setting, self._read_at = await self._business(), now
        in_force = await policy_in_force(self._ledger, registry())
        return await escalate_due(self._ledger, in_force.policy, now, self._setting)

    async def _business(self) -> Setting:
        """The clocks and the money of the business; as they were last known while it is away."""
        from blocks.business.business import current_business
        from blocks.settings import get_settings

        try:
            business = await current_business()
        except OrchestratorError:
            return self._setting
        return Setting(get_settings().timezone or business.timezone, business.currency)
