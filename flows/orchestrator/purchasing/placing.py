"""Draft orders become orders: on record, and asked about, sent, or only looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from pydantic import ValidationError

from agents.data_intelligence.predictive_analytics.baskets.drafts import (
    DraftLine,
    DraftOrder,
    PurchasePlan,
)
from blocks.business.business import Business
from blocks.business.terms import SupplierTerms
from blocks.crash_points import reach
from blocks.ledger import EffectOutcome, EffectRecord
from blocks.ledger.purchasing.proposing import Taken
from blocks.ledger.purchasing.records import OrderedLine, OrderRecord
from blocks.ledger.purchasing.stages import SHADOW
from blocks.ledger.work.effects import ORDER
from blocks.vocabulary.effects import Approval, EffectStatus
from blocks.vocabulary.messages import new_id, utc_now
from flows.orchestrator.dispatch.context import RunContext
from flows.orchestrator.effects.acting import SOON
from flows.orchestrator.effects.kinds import Kind
from flows.orchestrator.effects.perform import ask_a_person, decide, perform
from flows.orchestrator.effects.purchase_orders import LoadBusiness, purchase_orders
from flows.orchestrator.purchasing.wording import detail_of, title_of
from flows.reports.model import PlacedOrder, count

LevelOf = Callable[[OrderRecord], tuple[Approval, str]]
"""Who has to let an order happen, and why, in a sentence."""


async def place_orders(
    team: RunContext, plan: PurchasePlan, seen: Sequence[OrderRecord], level_of: LevelOf
) -> list[PlacedOrder]:
    """Put each draft order on record with its effect, and go on with it as its level says.

    What is being ordered by somebody else already is left out of it, and what is left is ordered
    if its supplier takes so little. A supplier that takes no orders from us gets none.

    Args:
        team: The run that orders.
        plan: The drafts.
        seen: The orders under way that they took into account.
        level_of: Who has to let an order happen.

    Returns:
        What became of each draft.

    Raises:
        LedgerError: It could not be put on record, and was not sent.
    """
    placer = _Placer(team, plan.currency, {order.id for order in seen}, level_of)
    waiting = [await placer.propose(draft) for draft in plan.orders]
    return list(await asyncio.gather(*(placer.go_on(each) for each in waiting)))


@dataclass(frozen=True)
class _Proposed:
    """What is to be done about a draft.

    Attributes:
        draft: As far as it is ordered.
        order: On record; None when nothing is ordered.
        effect: By which the order is sent.
        why: Why it goes so far and no further, in words.
    """

    draft: DraftOrder
    order: OrderRecord | None
    effect: EffectRecord | None
    why: str


class _Placer:
    """Orders for one run."""

    def __init__(self, team: RunContext, currency: str, seen: set[str], level_of: LevelOf) -> None:
        self._team, self._currency = team, currency
        self._seen, self._level_of = seen, level_of
        self._suppliers = {supplier.name: supplier for supplier in team.business.suppliers}
        self._kind = purchase_orders(team.ledger, self._business())

    def _business(self) -> LoadBusiness:
        business = self._team.business

        async def load() -> Business:
            return business

        return load

    async def propose(self, draft: DraftOrder) -> _Proposed:
        """Put a draft on record, or say why it is not."""
        supplier = self._suppliers.get(draft.supplier)
        if supplier is None or supplier.ordering is None:
            return _left(draft, f"{draft.supplier} takes no orders from us: order by hand.")
        told: list[str] = []
        id_ = new_id()
        while True:
            order = self._order_of(draft, id_)
            if fault := _slip(order):
                return _left(draft, f"Not ordered: {fault}.")
            level, why = self._level_of(order)
            order = order.model_copy(update={"level": level})
            effect = self._effect_of(order, draft, why)
            kept = await self._team.ledger.orders.propose(order, effect, self._seen)
            if isinstance(kept, OrderRecord):
                reach("effect.intended")
                why = " ".join([*told, why])
                return _Proposed(draft, kept, self._decided(effect, why), why)
            told.append(_told(kept))
            rest = without(draft, kept.by, supplier.terms)
            if isinstance(rest, str):
                return _left(draft, " ".join([*told, rest]))
            draft = rest

    async def go_on(self, proposed: _Proposed) -> PlacedOrder:
        """Ask, or send, what was proposed."""
        draft, order, effect, why = proposed.draft, proposed.order, proposed.effect, proposed.why
        if order is None or effect is None:
            return _placed(draft, None, why)
        if order.level is Approval.ASK:
            await ask_a_person(self._team, self._kind, effect)
        elif order.level is Approval.AUTOMATIC:
            assert self._kind.act is not None, "orders can be sent"
            until = utc_now() + self._kind.lease
            done = await perform(self._team, self._kind, effect, self._kind.act, until)
            why = " ".join(filter(None, [done.outcome.detail if done else "", why]))
        return _placed(draft, await self._team.ledger.orders.get(order.id), why)

    def _order_of(self, draft: DraftOrder, id_: str) -> OrderRecord:
        return OrderRecord(
            id=id_,
            reference=f"PO-{utc_now():%y%m%d}-{id_[:8].upper()}",
            effect_id=new_id(),
            supplier=draft.supplier,
            currency=draft.currency,
            lines=[_line_of(line) for line in draft.lines],
            goods=draft.goods,
            freight=draft.freight,
            total=draft.total,
            total_in_store_currency=draft.total_in_store_currency,
            level=Approval.ASK,
            proposed_at=utc_now(),
            expected_on=draft.arrives_on,
            run_id=self._team.run.id,
        )

    def _effect_of(self, order: OrderRecord, draft: DraftOrder, why: str) -> EffectRecord:
        wanted = EffectRecord(
            id=order.effect_id,
            kind=ORDER,
            target=f"supplier:{order.supplier}",
            need_key=f"order {order.id}",
            cause=order.reference,
            payload={
                "reference": order.reference,
                "supplier": order.supplier,
                "title": title_of(order),
                "detail": detail_of(order, draft, self._currency, why),
            },
            run_id=self._team.run.id,
            intended_at=order.proposed_at,
        )
        return wanted.model_copy(update=_begins(order, self._kind, why))

    def _decided(self, effect: EffectRecord, why: str) -> EffectRecord:
        reason = effect.outcome.reason
        receipt = decide(self._team, self._kind, effect, reason, why)
        return effect.model_copy(update={"receipt": receipt})


def _begins(order: OrderRecord, kind: Kind, why: str) -> dict[str, object]:
    """How an order's effect stands at first; whoever sweeps goes on when its run dies."""
    match order.level:
        case Approval.SHADOW:
            outcome = EffectOutcome(reason=SHADOW, detail=why)
            return {
                "status": EffectStatus.REFUSED,
                "outcome": outcome,
                "finished_at": order.proposed_at,
            }
        case Approval.ASK:
            return {"approval_id": new_id(), "next_at": order.proposed_at + SOON}
        case Approval.AUTOMATIC:
            return {"next_at": order.proposed_at + kind.lease}


def _line_of(line: DraftLine) -> OrderedLine:
    return OrderedLine(
        sku=line.sku,
        name=line.name,
        units=line.units,
        unit_cost=line.unit_cost,
        group=line.group,
        rule_units=line.rules,
        facts=line.model_dump(mode="json"),
    )


def without(
    draft: DraftOrder, taken: Mapping[str, OrderRecord], terms: SupplierTerms
) -> DraftOrder | str:
    """A draft without some of its items, or why its supplier does not take what is left.

    Args:
        draft: As it was made.
        taken: The items that are left out.
        terms: The supplier's, which then decide about minimum and freight anew.
    """
    lines = [line for line in draft.lines if line.sku not in taken]
    goods = sum((line.value for line in lines), Decimal(0))
    if not lines:
        return "Nothing is left to order."
    if goods < terms.min_order_value:
        return (
            f"The rest is worth {goods:,.2f} {draft.currency}, and {draft.supplier} takes orders "
            f"from {terms.min_order_value:,.2f}."
        )
    is_free = terms.free_freight_from is not None and goods >= terms.free_freight_from
    freight = Decimal(0) if is_free else terms.freight
    total = goods + freight
    own = draft.total_in_store_currency
    return draft.model_copy(
        update={
            "lines": lines,
            "goods": goods,
            "freight": freight,
            "total": total,
            "total_in_store_currency": _in_proportion(own, total, draft.total),
        }
    )


def _in_proportion(own: Decimal | None, total: Decimal, before: Decimal) -> Decimal | None:
    if own is None or not before:
        return own
    return (own * total / before).quantize(Decimal("0.01"))


def _told(taken: Taken) -> str:
    by = sorted({order.reference for order in taken.by.values()})
    return f"{count(len(taken.by), 'item')} under way already, with {', '.join(by)}."


def _left(draft: DraftOrder, why: str) -> _Proposed:
    return _Proposed(draft, None, None, why)


def _placed(draft: DraftOrder, order: OrderRecord | None, why: str) -> PlacedOrder:
    return PlacedOrder(
        supplier=draft.supplier,
        reference=order.reference if order else "",
        lines=len(draft.lines),
        total=draft.total,
        currency=draft.currency,
        stage=order.stage if order else None,
        detail=why,
    )


def _slip(order: OrderRecord) -> str:
    """What of an order is a slip that no supplier should see; "" where nothing is."""
    try:
        _ = order.as_sent
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return f"{where} {str(first['input'])[:80]!r}: {first['msg']}"
    return ""
