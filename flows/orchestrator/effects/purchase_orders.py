"""Sending a purchase order: the supplier gets it once, whatever fails in between.

Who knows an order again by its key is sent it again with the same key; who can be asked is asked
first; anybody else gets it at most once, and when nobody knows whether it came, a person is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from blocks.business.business import Business, current_business
from blocks.business.ordering.answers import held_against
from blocks.business.ordering.desks import ApiDesk, MailDesk
from blocks.business.ordering.placing import find, place
from blocks.business.suppliers import SupplierConnection
from blocks.crash_points import reach
from blocks.errors import (
    ConfigurationError,
    DeliveryUnknown,
    OrchestratorError,
    SourceError,
    SourceTimeout,
)
from blocks.ledger import Ledger
from blocks.ledger.purchasing.entries import entry_of, words_of
from blocks.ledger.purchasing.records import EntryKind, OrderRecord
from blocks.ledger.work.effects import ORDER, EffectRecord
from blocks.vocabulary.effects import Approval, Effect, EffectStatus, EffectVerdict
from blocks.vocabulary.messages import utc_now
from blocks.vocabulary.purchasing import OrderAnswer
from flows.orchestrator.effects.kinds import Came, Kind

DEADLINE = 60.0
"""Seconds that it may take to send one, and to ask about one."""

UNASKED_FOR = timedelta(days=1)
"""After it an order that nobody said yes to is not sent: stock and prices are others by then."""

LoadBusiness = Callable[[], Awaitable[Business]]

SAYS = Effect(
    precondition="it was let, lately where nobody was asked, and its items were not ordered again",
    prediction="the supplier takes it",
    verified_by="the supplier's answer",
    blast_radius="what the business owes the supplier",
    approval=Approval.ASK,
    cooldown=timedelta(0),
)


def purchase_orders(ledger: Ledger, business: LoadBusiness = current_business) -> Kind:
    """The kind of effect by which orders are sent.

    Args:
        ledger: Where the orders are.
        business: Loads the business whose suppliers they go to, when there is one to send.
    """
    sender = _Sender(ledger, business)
    return Kind(
        name=ORDER,
        says=SAYS,
        act=sender.send,
        look_up=sender.look_up,
        # A supplier that took an order and was too slow to say so has it on its books by then.
        schedule=(
            timedelta(minutes=1),
            timedelta(minutes=5),
            timedelta(minutes=30),
            timedelta(hours=2),
            timedelta(hours=5),
        ),
        lease=timedelta(seconds=4 * DEADLINE),
        question=_question,
    )


def _question(effect: EffectRecord, is_new: bool) -> tuple[str, str]:
    reference, supplier = str(effect.payload["reference"]), str(effect.payload["supplier"])
    if is_new:
        return str(effect.payload["title"]), str(effect.payload["detail"])
    return (
        f"Does {supplier} have order {reference}?",
        f"It was sent, and nobody knows whether it came: {effect.outcome.detail}\n\n"
        f"Ask {supplier} about {reference} first.\n\n"
        "Yes sends it again: say so only if they do not have it. No leaves it as it is, and "
        f"its items are not ordered again until somebody tells what {supplier} said: "
        f"./orchestrator orders answered {reference} confirmed, or rejected. What was ordered: "
        f"./orchestrator orders show {reference}.",
    )


class _Sender:
    """Sends orders, and asks about them."""

    def __init__(self, ledger: Ledger, business: LoadBusiness) -> None:
        self._ledger, self._business = ledger, business

    async def send(self, effect: EffectRecord) -> Came:
        """Send the order of an effect, once more where that does no harm."""
        order = await self._ledger.orders.of_effect(effect.id)
        if order is None:
            return Came(EffectStatus.FAILED, "The order is not on record.", is_final=True)
        if came := _as_known(order):
            return came
        if later := await self._ledger.orders.later_than(order):
            detail = f"Its items were ordered again meanwhile, with {', '.join(later)}."
            return Came(EffectStatus.REFUSED, detail)
        if _is_overtaken(effect, order):
            detail = f"It was decided on {order.proposed_at:%d %B}, and was not sent at once."
            return Came(EffectStatus.REFUSED, f"{detail} What is needed still is proposed anew.")
        try:
            supplier, desk = await self._desk(order)
            if effect.attempts > 1 and desk.can_be_asked:
                if said := await _ask(supplier, order):
                    return await self._taken(order, said)
            elif not _may_be_sent(effect, desk):
                return Came(EffectStatus.UNKNOWN, effect.outcome.detail, EffectVerdict.UNKNOWN)
            _require_in_time(effect)
            async with asyncio.timeout(DEADLINE):
                said = await place(supplier, order.as_sent, idempotency_key=effect.idempotency_key)
            reach("order.sent")
        except DeliveryUnknown as error:
            return await self._sent_without_answer(supplier, desk, order, error)
        except TimeoutError:
            late = SourceTimeout(f"{supplier.who} did not answer within {DEADLINE:g} s.")
            return await self._sent_without_answer(supplier, desk, order, late)
        except OrchestratorError as error:
            return _not_sent_now(effect, error)
        return await self._taken(order, said)

    async def look_up(self, _: Ledger, effect: EffectRecord) -> Came | None:
        """What came of an attempt whose process died; None where only a person can find out."""
        order = await self._ledger.orders.of_effect(effect.id)
        if order is None:
            return None
        if came := _as_known(order):
            return came
        try:
            supplier, desk = await self._desk(order)
        except OrchestratorError:
            return None
        if not desk.can_be_asked:
            return _unknown("Its run died while it was sent.", desk) if desk.is_idempotent else None
        try:
            said = await _ask(supplier, order)
        except OrchestratorError as error:
            return _unknown(f"Its run died while it was sent. {error.what}", desk)
        if said:
            return await self._taken(order, said)
        return Came(EffectStatus.FAILED, f"{order.supplier} does not have it.")

    async def _sent_without_answer(
        self,
        supplier: SupplierConnection,
        desk: ApiDesk | MailDesk,
        order: OrderRecord,
        error: SourceError,
    ) -> Came:
        if desk.can_be_asked:
            try:
                if said := await _ask(supplier, order):
                    return await self._taken(order, said)
            except OrchestratorError:
                pass  # that it did not answer was said already
        return _unknown(error.what, desk)

    async def _taken(self, order: OrderRecord, said: OrderAnswer) -> Came:
        """Put on record what the supplier said of an order that it has."""
        if entry := entry_of(order, said, utc_now()):
            await self._ledger.orders.enter(order.id, entry)
        number = f" as {said.number}" if said.number else ""
        words = f": {said.detail}" if said.detail else "."
        return Came(EffectStatus.DONE, f"{order.supplier} has it{number} ({said.says}){words}")

    async def _desk(self, order: OrderRecord) -> tuple[SupplierConnection, ApiDesk | MailDesk]:
        business = await self._business()
        for supplier in business.suppliers:
            if supplier.name == order.supplier and supplier.ordering is not None:
                return supplier, supplier.ordering
        raise ConfigurationError(
            f"There is no supplier {order.supplier!r} that takes orders from us.",
            hint="Connect it and its ordering, or order by hand.",
        )


def _as_known(order: OrderRecord) -> Came | None:
    """What is known of an order by what the supplier said, or by what came; None: nothing is."""
    if any(entry.kind is EntryKind.RECEIVED for entry in order.entries):
        return Came(EffectStatus.DONE, "Goods of it came.")
    if words := words_of(order):
        return Came(EffectStatus.DONE, f"{order.supplier} said of it: {words[-1].says}.")
    return None


async def _ask(supplier: SupplierConnection, order: OrderRecord) -> OrderAnswer | None:
    try:
        async with asyncio.timeout(DEADLINE):
            said = await find(supplier, order.reference)
    except TimeoutError:
        raise SourceTimeout(f"{supplier.who} did not tell within {DEADLINE:g} s.") from None
    return held_against(order.as_sent, said) if said else None


def _is_overtaken(effect: EffectRecord, order: OrderRecord) -> bool:
    """Whether nobody said yes to an order, and what it was decided by is long ago."""
    is_old = utc_now() - order.proposed_at > UNASKED_FOR
    return order.level is Approval.AUTOMATIC and is_old and not _may_have_it(effect)


def _may_have_it(effect: EffectRecord) -> bool:
    """Whether the supplier may have got the order by an earlier attempt."""
    return effect.outcome.verdict is EffectVerdict.UNKNOWN


def _may_be_sent(effect: EffectRecord, desk: ApiDesk | MailDesk) -> bool:
    """Whether to send does no harm, or a person who was asked said so."""
    is_let = effect.approval_id is not None
    return desk.is_idempotent or not _may_have_it(effect) or is_let


def _require_in_time(effect: EffectRecord) -> None:
    """See that nobody takes us for dead: who stood still for long would send it beside another.

    Raises:
        SourceTimeout: Its lease does not last for as long as sending it may take.
    """
    if effect.lease is not None and utc_now() + timedelta(seconds=DEADLINE) > effect.lease:
        raise SourceTimeout("It was not sent: too much time went by before.")


def _not_sent_now(effect: EffectRecord, error: OrchestratorError) -> Came:
    """What it means that this attempt for sure did not bring the order to the supplier."""
    what = f"{error.what} {error.hint}".strip()
    if _may_have_it(effect):
        return Came(
            EffectStatus.UNKNOWN, what, EffectVerdict.UNKNOWN, is_repeatable=error.retryable
        )
    return Came(EffectStatus.FAILED, what, EffectVerdict.FAILED, is_final=not error.retryable)


def _unknown(what: str, desk: ApiDesk | MailDesk) -> Came:
    came = Came(EffectStatus.UNKNOWN, what, EffectVerdict.UNKNOWN)
    return replace(came, is_repeatable=desk.is_idempotent or desk.can_be_asked)
