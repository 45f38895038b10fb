"""Settling effects that no run is at: what is due is done, and what died is cleared up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agents.registry import registry
from blocks.errors import RequestError
from blocks.ledger import EffectRecord, Ledger
from blocks.ledger.calls.records import ReceiptKind
from blocks.ledger.work.approvals import ApprovalRecord
from blocks.policy.policy import Policy
from blocks.vocabulary.effects import EffectStatus
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.approvals.escalation import escalate
from flows.orchestrator.dispatch.context import leave_receipt
from flows.orchestrator.dispatch.policy import last_used_policy, policy_in_force
from flows.orchestrator.effects.actions import known_kinds
from flows.orchestrator.effects.lanes import Lanes
from flows.orchestrator.effects.sweep import TakeBack, sweep


@dataclass(frozen=True)
class Caretaker:
    """Who settles effects that no run is at: the stack, or a run that looks after all."""

    ledger: Ledger
    policy: Policy

    async def escalate(self, record: ApprovalRecord) -> ApprovalRecord:
        """Put a question to a person; the one that stands for the need."""
        return await escalate(self, record)

    def receipt(
        self,
        kind: ReceiptKind,
        subject: str,
        *,
        inputs: dict[str, Any],
        decision: dict[str, Any],
        why: str,
    ) -> str:
        """Leave a receipt; its id."""
        body = {"inputs": inputs, "decision": decision, "why": why}
        return leave_receipt(self.ledger, self.policy, kind, subject, body)


async def caretaker(ledger: Ledger) -> Caretaker:
    """Who settles what no run is at, under the policy in force."""
    return Caretaker(ledger, (await policy_in_force(ledger, registry())).policy)


async def caretaker_at_hand(ledger: Ledger) -> Caretaker:
    """The same under the policy that was last used, for which Prefect is not asked."""
    return Caretaker(ledger, await last_used_policy(ledger, registry()))


async def settle_effects(
    ledger: Ledger,
    now: datetime,
    take_back: TakeBack | None = None,
    lanes: Lanes | None = None,
) -> list[str]:
    """Settle the effects that are due. With nothing due it is one small query.

    Args:
        ledger: Where they are.
        now: The instant to judge at.
        take_back: How what has lasted long enough is taken back; None: it is left to who can.
        lanes: Where targets that are slow go on beside the next look; None: all is waited for.

    Returns:
        What a person should know of, in words.

    Raises:
        LedgerError: The ledger cannot be read or written.
    """
    if not await ledger.effects.due(now):
        return await lanes.wait() if lanes else []
    kinds = known_kinds(registry(), ledger)
    return await sweep(await caretaker(ledger), kinds, now, take_back, lanes)


async def resend(ledger: Ledger, effect_id: str) -> EffectRecord:
    """Try once more what failed for good, with the same idempotency key.

    Args:
        ledger: Where it is.
        effect_id: The effect, or the beginning of its id.

    Returns:
        How it stands then.

    Raises:
        RequestError: There is no such effect, it has not failed, or a run has to do it.
        LedgerError: The ledger cannot be read or written.
    """
    effect, now = await ledger.effects.get(effect_id), utc_now()
    kind = known_kinds(registry(), ledger).get(effect.kind)
    if kind is None or kind.act is None:
        raise RequestError(
            f"{effect.kind} is not sent: a workflow does it when it finds that it is needed.",
            hint="Whether it is done again, its question decides: ./orchestrator approvals.",
        )
    if effect.status is not EffectStatus.FAILED or not await ledger.effects.reopen(effect, now):
        raise RequestError(
            f"Effect {effect.id[:8]} did not fail: it is {effect.status}.",
            hint="What nobody knows of has a question: ./orchestrator approvals.",
        )
    await settle_effects(ledger, now)
    return await ledger.effects.get(effect.id)
