"""What a person's answer does to the effect that it is about."""

from __future__ import annotations

from blocks.ledger.work.approvals import ApprovalRecord, ApprovalStatus
from blocks.ledger.work.effects import EffectOutcome, EffectRecord
from blocks.vocabulary.effects import EffectStatus
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.dispatch.context import RunContext
from flows.orchestrator.effects.acting import act_on, take_back
from flows.orchestrator.effects.actions import known_kinds
from flows.orchestrator.effects.kinds import Kind
from flows.orchestrator.effects.perform import decide, perform, undo


async def do_what_was_let(team: RunContext, record: ApprovalRecord) -> str:
    """Do, or do again, what a person said yes to.

    Called again after a crash, it does not do again what the first call began.

    Returns:
        What came of it.
    """
    effects = team.ledger.effects
    effect, kind = await _asked_about(team, record)
    if effect.approval_id == record.id and effect.status is EffectStatus.UNKNOWN:
        effect = await effects.reopen(effect) or await effects.get(effect.id)
    if effect.approval_id != record.id:
        return _stands(effect)
    if effect.status is EffectStatus.DONE and effect.outcome.undoing:
        taking_back = undo(team, kind, effect) if kind.undo else take_back(team, effect)
        return _stands(await taking_back or await effects.get(effect.id))
    if effect.status is not EffectStatus.INTENDED:
        return _stands(effect)
    if kind.act is not None:
        await perform(team, kind, effect, kind.act, utc_now() + kind.lease)
        return _stands(await effects.get(effect.id))
    acted = await act_on(team, effect)
    effect = await effects.get(effect.id)
    if effect.status is EffectStatus.INTENDED:  # a rule forbids it, or nobody was free for it
        reason = acted.refusal.reason if acted.refusal else "nobody-free"
        return await _close(team, kind, effect, reason, acted.detail)
    return _stands(effect)


async def refuse(team: RunContext, record: ApprovalRecord, said: str) -> str:
    """Leave undone, or as it is, what nobody said yes to.

    Args:
        team: The run that applies the answer.
        record: The question with its answer.
        said: The answer in words.
    """
    effect, kind = await _asked_about(team, record)
    if effect.status is EffectStatus.UNKNOWN:
        return "It is left as it is."
    if effect.status is not EffectStatus.INTENDED or effect.approval_id != record.id:
        return _stands(effect)
    expired = record.status is ApprovalStatus.EXPIRED
    return await _close(team, kind, effect, "expired" if expired else "rejected", said)


async def _asked_about(team: RunContext, record: ApprovalRecord) -> tuple[EffectRecord, Kind]:
    effect = await team.ledger.effects.get(str(record.proposal["effect_id"]))
    kinds = known_kinds(team.toolbox.registry, team.ledger)
    return effect, kinds.get(effect.kind) or Kind.forgotten(effect.kind)


async def _close(
    team: RunContext, kind: Kind, effect: EffectRecord, reason: str, detail: str
) -> str:
    receipt = decide(team, kind, effect, reason, detail)
    outcome = EffectOutcome(reason=reason, detail=detail)
    await team.ledger.effects.close(
        effect, EffectStatus.REFUSED, outcome, utc_now(), receipt=receipt
    )
    return f"It is not done: {reason}."


def _stands(effect: EffectRecord) -> str:
    return f"{effect.kind} on {effect.target}: {effect.status}. {effect.outcome.detail}".strip()
