"""What is due is sent: endpoints side by side, each in its own lane and at its own pace."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from blocks.business.business import Business, current_business
from blocks.ledger import Ledger
from blocks.ledger.calls.records import ReceiptKind
from blocks.ledger.webhooks.records import Delivery, EndpointState
from blocks.vocabulary.effects import EffectStatus
from blocks.vocabulary.messages import ORCHESTRATOR, utc_now
from flows.orchestrator.effects.kinds import Kind
from flows.orchestrator.effects.lanes import Lanes
from flows.orchestrator.effects.notifications import notify
from flows.orchestrator.effects.perform import Doer, perform
from flows.orchestrator.effects.webhooks import LoadBusiness, webhooks
from flows.orchestrator.webhooks.sharing import loaded, share_out

Decider = Callable[[], Awaitable[Doer]]
"""Who acts, under the policy in force; asked for once there is something to do."""

_OVER = (EffectStatus.DONE, EffectStatus.FAILED, EffectStatus.REFUSED)


async def tell_endpoints(
    ledger: Ledger,
    decider: Decider,
    lanes: Lanes | None = None,
    load: LoadBusiness = current_business,
) -> list[str]:
    """Share out what happened, and send what is due. Safe at any time, from several processes.

    With nothing due it is three small queries.

    Args:
        ledger: Where events and deliveries are.
        decider: Who acts.
        lanes: Where endpoints that are slow go on beside the next look; None: all is waited for.
        load: Loads the business, when there is something to send.

    Returns:
        What a person should know of, in words.

    Raises:
        OrchestratorError: The ledger or the business cannot be read; nothing is lost.
    """
    if lanes is None:
        async with Lanes() as own:
            return await tell_endpoints(ledger, decider, own, load)
    known = await ledger.endpoints.all()
    said = await _tell_people(ledger, decider, [s for s in known.values() if _is_untold(s)])
    waiting = await ledger.endpoints.waiting(utc_now())
    if waiting or await ledger.partner_events.unshared(1):
        by, business = await decider(), await loaded(load)
        states = await share_out(ledger, business, utc_now())
        for name, state in states.items():
            if not state.enabled:
                await ledger.deliveries.refuse_waiting(name, utc_now())
            elif not state.is_resting(utc_now()) and _is_active(business, name):
                lanes.start(name, _Endpoint(by, business, name).send_what_is_due)
    return said + await lanes.wait()


def _is_active(business: Business, name: str) -> bool:
    return any(each.name == name and each.active for each in business.endpoints)


class _Endpoint:
    """Sends an endpoint what is due."""

    def __init__(self, by: Doer, business: Business, name: str) -> None:
        self._by, self._name = by, name
        self._kind = _kind(by, business)

    async def send_what_is_due(self) -> list[str]:
        """Send until nothing is due, or the endpoint wants to be left alone; nothing to say."""
        while state := await self._ready():
            lines = await self._by.ledger.deliveries.next(self._name, utc_now())
            if not lines:
                break
            at_once = 1 if state.failures else self._by.policy.endpoints.at_once
            slots = asyncio.Semaphore(at_once)
            sent = await asyncio.gather(*(self._send_line(line, slots) for line in lines))
            if not any(sent):  # others are at it
                break
        return []

    async def _send_line(self, line: Sequence[Delivery], slots: asyncio.Semaphore) -> bool:
        """Send one after another, until one has to be waited for; whether any was sent."""
        sent = False
        for delivery in line:
            async with slots:
                if not await self._ready():
                    return sent
                until = utc_now() + self._kind.lease
                assert self._kind.act is not None, "it is sent by whoever sweeps"
                effect = await perform(self._by, self._kind, delivery.effect, self._kind.act, until)
            sent = sent or effect is not None
            if effect is None or effect.status not in _OVER:
                return sent
        return sent

    async def _ready(self) -> EndpointState | None:
        """How the endpoint stands; None when it is not to be sent anything now."""
        state = await self._by.ledger.endpoints.get(self._name)
        return state if state.enabled and not state.is_resting(utc_now()) else None


def _kind(by: Doer, business: Business) -> Kind:
    async def at_hand() -> Business:
        return business

    return webhooks(by.ledger, at_hand, by.policy.endpoints)


def _is_untold(state: EndpointState) -> bool:
    """Whether it was disabled by itself, and people have to be told."""
    return not state.enabled and state.told_at is None and state.changed_by == ORCHESTRATOR


async def _tell_people(
    ledger: Ledger, decider: Decider, disabled: Sequence[EndpointState]
) -> list[str]:
    said: list[str] = []
    for state in disabled:
        by = await decider()
        missed = await ledger.deliveries.refuse_waiting(state.name, utc_now())
        by.receipt(
            ReceiptKind.DECIDE,
            f"endpoint:{state.name}",
            inputs={"failures": state.failures, "failing_since": state.failing_since},
            decision={"enabled": False},
            why=state.why,
        )
        said += await notify(
            by,
            f"endpoint {state.name} disabled {state.changed_at.isoformat()}",
            f"The webhook endpoint {state.name} was disabled",
            f"{state.why} It is told nothing any more; {missed:,} webhooks waited for it.\n\n"
            "What it misses is kept. When it is well again, have it told, and all that it missed "
            f"sent in order: ./orchestrator webhooks enable {state.name} --resend",
        )
        told = partial(_told, at=state.changed_at)
        await ledger.endpoints.change(state.name, told)
    return said


def _told(state: EndpointState, at: object) -> EndpointState:
    same = state.changed_at == at
    return state.model_copy(update={"told_at": utc_now()}) if same else state
