"""The one way to act on the outside world: intent on record, act, outcome on record.

    effect = await intend(by, kind, wanted, why)      # its need is nobody else's
    effect = await perform(by, kind, effect, ...)     # begun, done, closed

Nobody else moves an effect from state to state. Each step leaves a receipt.
"""

from __future__ import annotations

import asyncio
import random
from datetime import datetime, timedelta
from typing import Any, Protocol

from blocks.crash_points import reach
from blocks.ledger import Ledger
from blocks.ledger.calls.records import ReceiptKind
from blocks.ledger.work.approvals import ApprovalRecord, question_key
from blocks.ledger.work.effects import EffectOutcome, EffectRecord
from blocks.policy.policy import Policy
from blocks.vocabulary.effects import EffectStatus, EffectVerdict
from blocks.vocabulary.messages import Priority, new_id, utc_now
from flows.orchestrator.effects.kinds import Act, Came, Kind
from flows.orchestrator.effects.questions import NOBODY_KNOWS, question_about

QUESTION = "effect"
"""The kind of proposal that has an effect done."""

UNDO_TIME = timedelta(minutes=10)
"""How long it may take to take an effect back."""

UNDO_AGAIN = timedelta(minutes=1)
"""When it is tried again to take back what was wanted for a while, and could not be."""


class Doer(Protocol):
    """Who acts: a run, or the stack that settles what is due."""

    @property
    def ledger(self) -> Ledger:
        """Where effects are on record."""

    @property
    def policy(self) -> Policy:
        """What is decided under."""

    async def escalate(self, record: ApprovalRecord) -> ApprovalRecord:
        """Put a question to a person; the one that stands for the need."""

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


async def intend(by: Doer, kind: Kind, effect: EffectRecord, why: str) -> EffectRecord | None:
    """Put on record what is about to be done, or waits for a yes.

    Args:
        by: Who decides it.
        kind: The effect's.
        effect: What is wanted.
        why: What speaks for it, in words.

    Returns:
        The effect; None when its need is taken, or its claim lost: then nothing is to be done.
    """
    if not await by.ledger.effects.intend(effect):
        return None
    reach("effect.intended")
    # Queued, it is durable with whatever comes next of it.
    receipt = decide(by, kind, effect, "", why)
    return effect.model_copy(update={"receipt": receipt})


def decide(by: Doer, kind: Kind, effect: EffectRecord, reason: str, why: str) -> str:
    """Leave the receipt of whether to act; ``reason`` names the rule that forbids it, if any."""
    return by.receipt(
        ReceiptKind.DECIDE,
        effect.target,
        inputs={
            "effect": effect.id,
            "kind": kind.name,
            "cause": effect.cause,
            "payload": effect.payload,
            "precondition": kind.says.precondition,
            "prediction": kind.says.prediction,
            "blast_radius": kind.says.blast_radius,
        },
        decision={"act": not reason, "reason": reason},
        why=why,
    )


async def perform(
    by: Doer, kind: Kind, effect: EffectRecord, act: Act, until: datetime
) -> EffectRecord | None:
    """Do what is intended, once.

    Args:
        by: Who does it.
        kind: The effect's.
        effect: As it was intended, with the fence that it is done under now.
        act: How it is done.
        until: From then on whoever acts is taken to be dead.

    Returns:
        The effect as it stands afterwards; None when it was not ours to do any more, and was not
        done.
    """
    begun = await by.ledger.effects.begin(effect, utc_now(), until)
    if begun is None:
        return None
    reach("effect.acting")
    came = await _attempt(by, kind, begun, act)
    reach("effect.acted")
    return await conclude(by, kind, begun, came)


async def undo(by: Doer, kind: Kind, effect: EffectRecord) -> EffectRecord | None:
    """Take back what is done, or may be.

    Returns:
        The effect as it stands afterwards; None when it is not done, or another one undoes it.
    """
    assert kind.undo is not None, "it can be taken back"
    undoing = await by.ledger.effects.undo(effect, utc_now() + UNDO_TIME)
    if undoing is None:
        return None
    reach("effect.undoing")
    came = await _attempt(by, kind, undoing, kind.undo)
    reach("effect.taken-back")
    return await conclude(by, kind, undoing, came)


async def _attempt(by: Doer, kind: Kind, begun: EffectRecord, act: Act) -> Came:
    try:
        return await act(begun)
    except TimeoutError:
        return _broken_off(kind, "It was not over in time.")
    except BaseException as error:  # called off, or a bug: how far it came, nobody knows
        called_off = isinstance(error, asyncio.CancelledError)
        what = "It was called off." if called_off else f"{type(error).__name__}: {error}"
        await conclude(by, kind, begun, _broken_off(kind, what))
        raise


def _broken_off(kind: Kind, what: str) -> Came:
    if kind.is_repeatable:
        return Came(EffectStatus.FAILED, what, EffectVerdict.FAILED)
    return Came(EffectStatus.UNKNOWN, what, EffectVerdict.UNKNOWN)


async def conclude(
    by: Doer, kind: Kind, begun: EffectRecord, came: Came, *, swept: bool = False
) -> EffectRecord | None:
    """Close an attempt by what came of it, and ask a person where nobody knows that.

    Args:
        by: Who closes it.
        kind: The effect's.
        begun: As it was when the attempt began.
        came: What came of it.
        swept: Whether another one made the attempt, and is taken to be dead. Who lives after all
            closes what was swept anew, with what it knows.

    Returns:
        The effect as it stands then; None when another one has closed it.
    """
    now = utc_now()
    status, next_at, outcome = came.status, None, came.outcome
    lasts = by.policy.effects.lasting(kind.name, kind.says)
    if begun.status is EffectStatus.UNDOING:
        status, outcome = _UNDONE.get(status, status), _with(begun, came)
        if lasts is not None and status is not EffectStatus.UNDONE:
            status, next_at = EffectStatus.DONE, now + UNDO_AGAIN
    elif came.is_tried_again:
        next_at = _next_try(kind, begun, came, now)
        status = status if next_at is None else EffectStatus.INTENDED
    elif lasts is not None and status in _MAY_BE_DONE:
        next_at = now + lasts if status is EffectStatus.DONE else now
    is_asked = status is EffectStatus.UNKNOWN and lasts is None
    if is_asked:
        next_at = None if begun.task_id else now  # the task asks
        outcome = outcome.model_copy(update={"detail": f"{outcome.detail} {NOBODY_KNOWS}"})
    receipt = _leave_receipts(by, kind, begun, came, status, next_at)
    closed = await by.ledger.effects.close(
        begun, status, outcome, now, receipt=receipt, next_at=next_at, late=not swept
    )
    reach("effect.closed")
    if closed is not None and is_asked and not closed.task_id:
        asked = await ask_a_person(by, kind, closed)
        # Of those who settle what somebody left, the one who asks tells of it.
        return asked if swept else asked or closed
    return closed


def _with(begun: EffectRecord, came: Came) -> EffectOutcome:
    """What came of an effect, and of taking it back."""
    before = begun.outcome
    return before.model_copy(
        update={"detail": f"{before.detail} {came.detail}".lstrip(), "undoing": True}
    )


_MAY_BE_DONE = (EffectStatus.DONE, EffectStatus.UNKNOWN)

_UNDONE = {
    EffectStatus.DONE: EffectStatus.UNDONE,
    EffectStatus.FAILED: EffectStatus.DONE,
    EffectStatus.REFUSED: EffectStatus.DONE,
}
"""Where an effect stands by what came of taking it back."""


def _next_try(kind: Kind, begun: EffectRecord, came: Came, now: datetime) -> datetime | None:
    """When it is tried again after it failed; None when its schedule is over."""
    tries = begun.attempts - begun.tries_before
    if tries > len(kind.schedule):
        return None
    next_at = now + kind.schedule[tries - 1] * random.uniform(1.0, 1.2)  # noqa: S311
    return max(next_at, came.not_before) if came.not_before else next_at


def _leave_receipts(
    by: Doer,
    kind: Kind,
    begun: EffectRecord,
    came: Came,
    status: EffectStatus,
    next_at: datetime | None,
) -> str:
    is_undo = begun.status is EffectStatus.UNDOING
    last = by.receipt(
        ReceiptKind.UNDO if is_undo else ReceiptKind.ACT,
        begun.target,
        inputs={
            "effect": begun.id,
            "kind": kind.name,
            "idempotency_key": begun.idempotency_key,
            "attempt": begun.attempts,
        },
        decision={"status": status, "next_at": next_at.isoformat() if next_at else None},
        why=came.detail,
    )
    if is_undo or came.verdict is None or came.status is not EffectStatus.DONE:
        return last  # nothing was measured afterwards
    return by.receipt(
        ReceiptKind.VERIFY,
        begun.target,
        inputs={
            "effect": begun.id,
            "kind": kind.name,
            "prediction": kind.says.prediction,
            "verified_by": kind.says.verified_by,
            "before": dict(came.before),
            "after": dict(came.after),
        },
        decision={"verdict": came.verdict},
        why=came.detail,
    )


async def ask_a_person(by: Doer, kind: Kind, effect: EffectRecord) -> EffectRecord | None:
    """Have a person say whether an effect is done, or done again; asked twice, it is asked once.

    Returns:
        None when another one has asked, or it stands otherwise by now.
    """
    now = utc_now()
    is_new = effect.status is EffectStatus.INTENDED
    title, detail = question_about(kind, effect, is_new)
    asked = await by.escalate(
        ApprovalRecord(
            id=effect.approval_id if is_new and effect.approval_id else new_id(),
            need_key=question_key(effect.id, effect.attempts),
            run_id=effect.run_id,
            title=title,
            detail=detail,
            resource=effect.target,
            priority=Priority.HIGH,
            proposal={"kind": QUESTION, "effect_id": effect.id, "effect": kind.name},
            asked_at=now,
            expires_at=now + timedelta(hours=by.policy.recovery.approval_hours),
        )
    )
    reach("effect.asked")
    return await by.ledger.effects.asked(effect, asked.id)
