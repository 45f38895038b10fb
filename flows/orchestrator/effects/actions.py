"""Kinds of effects that are agents' actions, and the table of all kinds."""

from __future__ import annotations

from functools import partial
from typing import Any

from agents.calls import attempt_id
from agents.registry import ActionSpec, Registry
from agents.sre_reliability.automation import RemediationResult
from blocks.errors import NotAllowed
from blocks.ledger import Ledger
from blocks.ledger.work.effects import EffectRecord
from blocks.vocabulary.blame import Blame, blame
from blocks.vocabulary.effects import EffectStatus, EffectVerdict
from blocks.vocabulary.messages import ErrorInfo
from flows.orchestrator.dispatch.resume import result_of_call
from flows.orchestrator.effects.heartbeats import HEARTBEAT
from flows.orchestrator.effects.kinds import Came, Kind
from flows.orchestrator.effects.notifications import NOTIFICATION
from flows.orchestrator.effects.purchase_orders import purchase_orders
from flows.orchestrator.effects.webhooks import webhooks


def known_kinds(registry: Registry, ledger: Ledger) -> dict[str, Kind]:
    """Every kind of effect, by its name.

    Args:
        registry: Whose actions may be effects.
        ledger: Where the orders and the events are that are sent.
    """
    acts = [kind_of(spec) for spec in registry.actions() if spec.policy.effect]
    theirs = (NOTIFICATION, HEARTBEAT, purchase_orders(ledger), webhooks(ledger))
    return {kind.name: kind for kind in (*theirs, *acts)}


def kind_of(spec: ActionSpec) -> Kind:
    """The kind that an action is.

    Raises:
        NotAllowed: It declares no effect.
    """
    if spec.policy.effect is None:
        raise NotAllowed(
            f"{spec.full_name} is no effect.", hint="Declare one: @action(effect=Effect(...))."
        )
    return Kind(spec.full_name, spec.policy.effect, look_up=partial(_recorded, spec))


async def _recorded(spec: ActionSpec, ledger: Ledger, effect: EffectRecord) -> Came | None:
    """What the agent answered, though whoever had asked it did not live to hear it."""
    call = await ledger.call(attempt_id(effect.idempotency_key, effect.attempts))
    if call is None or call.outcome is None:
        return None
    return came_of(result_of_call(spec, call), call.error)


def came_of(result: Any, error: ErrorInfo | None) -> Came:
    """What an agent's answer says of the effect that it was asked for."""
    if isinstance(result, RemediationResult):
        return Came(result.status.status, result.detail, result.status, result.before, result.after)
    if error is None:
        detail = "It was done; it does not say what it changed."
        return Came(EffectStatus.DONE, detail, EffectVerdict.INCONCLUSIVE)
    if blame(error.code) is Blame.ASKER:  # who refuses what it is asked has not begun
        return Came(EffectStatus.REFUSED, error.what, EffectVerdict.FAILED)
    return Came(EffectStatus.UNKNOWN, error.what, EffectVerdict.UNKNOWN)
