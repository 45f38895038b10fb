"""Takes back an effect that was wanted for a while only, or that a person wants gone."""

from __future__ import annotations

from typing import Any, cast

from prefect import flow
from prefect.states import Completed

from agents.registry import registry
from blocks.errors import RequestError
from blocks.ledger import EffectRecord, Ledger
from blocks.prefect_api.client import in_our_words
from blocks.settings import get_settings
from blocks.vocabulary.effects import EffectStatus
from flows.orchestrator.dispatch.context import shared_ledger
from flows.orchestrator.effects.acting import take_back
from flows.orchestrator.effects.actions import known_kinds
from flows.orchestrator.team.opening import workflow_run


@flow(
    name="take-back-effect",
    description="Takes back one effect: what was changed for a while is as it was before.",
)
async def take_back_effect(effect_id: str = "") -> str:
    """Take back one effect. One that is taken back already stays as it is.

    Args:
        effect_id: The effect, or at least six characters of the beginning of its id.

    Returns:
        How it stands then.

    Raises:
        RequestError: There is no such effect, it cannot be taken back, or it was not done.
        ResourceBusy: Another one has its target.
        LedgerError: What was done could not be recorded.
    """
    ledger = shared_ledger(get_settings().effective_ledger_url)
    effect = await _find(ledger, effect_id)
    async with workflow_run("take-back-effect", with_business=False) as team:
        await take_back(team, effect)
    effect = await ledger.effects.get(effect.id)
    said = f"{effect.kind} on {effect.target}: {effect.status}. {effect.outcome.detail}".strip()
    state: Any = Completed(message=said, data=said)
    return cast(str, state)  # a flow that returns a state returns, to its caller, the state's data


async def have_taken_back(effect: EffectRecord) -> None:
    """Take back what has lasted long enough, in this process: what a sweep is handed.

    Raises:
        OrchestratorError: It was not possible; the next sweep tries again.
    """
    async with in_our_words():
        await take_back_effect(effect.id)


async def _find(ledger: Ledger, effect_id: str) -> EffectRecord:
    effect = await ledger.effects.get(effect_id)
    kind = known_kinds(registry(), ledger).get(effect.kind)
    if kind is None or not kind.says.undo:
        raise RequestError(f"{effect.kind} cannot be taken back.", hint="See docs/effects.md.")
    may_be_done = {EffectStatus.DONE, EffectStatus.UNDONE, EffectStatus.UNDOING}
    if kind.says.lasts is not None:
        may_be_done.add(EffectStatus.UNKNOWN)
    if effect.status not in may_be_done:
        raise RequestError(
            f"There is nothing to take back: effect {effect.id[:8]} is {effect.status}.",
            hint="./orchestrator effects --all shows what was done.",
        )
    return effect
