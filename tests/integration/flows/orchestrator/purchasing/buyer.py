"""A run that buys, without Prefect: its questions stand in the ledger."""

from __future__ import annotations

from agents.calls import Toolbox
from blocks.business.business import Business
from blocks.ledger import Ledger, RunRecord
from blocks.ledger.purchasing.records import OrderRecord
from blocks.ledger.work.approvals import ApprovalRecord
from blocks.policy.policy import Policy
from blocks.vocabulary.effects import Approval
from blocks.vocabulary.messages import new_id, utc_now
from flows.orchestrator.dispatch.context import RunContext
from flows.orchestrator.purchasing.placing import LevelOf


class Buyer(RunContext):
    """Who orders in tests."""

    def __init__(self, ledger: Ledger, business: Business) -> None:
        run = RunRecord(id=new_id(), workflow="critical-inventory", started_at=utc_now())
        super().__init__(run, Toolbox(ledger, business), Policy())

    async def escalate(self, record: ApprovalRecord) -> ApprovalRecord:
        return await self.ledger.approvals.ask(record)


def at(level: Approval) -> LevelOf:
    """Everything at one level."""

    def level_of(_: OrderRecord) -> tuple[Approval, str]:
        return level, f"All is {level}."

    return level_of
