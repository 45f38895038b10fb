"""A workflow run and what it works with: its ledger, business and policy, and its receipts."""

from __future__ import annotations

import atexit
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache
from typing import Any

from agents.calls import Toolbox
from blocks.business.business import Business
from blocks.ledger import Ledger
from blocks.ledger.calls.records import ReceiptKind, ReceiptRecord, RunRecord
from blocks.ledger.work.approvals import ApprovalRecord
from blocks.policy.policy import Policy
from blocks.vocabulary.messages import utc_now


@cache
def shared_ledger(url: str) -> Ledger:
    """The process's ledger for a URL: opened once, drained and closed when the process ends."""
    ledger = Ledger.open(url)
    atexit.register(ledger.close)
    return ledger


def leave_receipt(
    ledger: Ledger,
    policy: Policy,
    kind: ReceiptKind,
    subject: str,
    body: dict[str, Any],
    *,
    run_id: str | None = None,
) -> str:
    """Leave a receipt of what was decided under a policy; its id. See ``ReceiptRecord``."""
    receipt = ReceiptRecord(
        at=utc_now(),
        kind=kind,
        subject=subject,
        run_id=run_id,
        policy_version=policy.version,
        body=body,
    )
    ledger.record(receipt)
    return receipt.id


class RunContext(ABC):
    """What every part of a run may use."""

    def __init__(self, run: RunRecord, toolbox: Toolbox, policy: Policy) -> None:
        self.run, self.toolbox = run, toolbox
        self._policy = policy

    @property
    def ledger(self) -> Ledger:
        """The ledger of this run."""
        return self.toolbox.ledger

    @property
    def business(self) -> Business:
        """The business this run looks after."""
        assert self.toolbox.business is not None, "opened without a business"
        return self.toolbox.business

    @property
    def policy(self) -> Policy:
        """The policy that this run decides under, from its beginning to its end."""
        return self._policy

    def receipt(
        self,
        kind: ReceiptKind,
        subject: str,
        *,
        inputs: dict[str, Any],
        decision: dict[str, Any],
        why: str,
        candidates: Sequence[dict[str, Any]] = (),
    ) -> str:
        """Leave a receipt of a decision, durable with whatever the ledger commits next; its id."""
        body = {"inputs": inputs, "decision": decision, "why": why, "candidates": list(candidates)}
        return leave_receipt(self.ledger, self.policy, kind, subject, body, run_id=self.run.id)

    @abstractmethod
    async def escalate(self, record: ApprovalRecord) -> ApprovalRecord:
        """Put a question to a person; returns the one that stands for the need."""
