"""What partners are told of a purchase order: where it stands, whenever that is another place."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from blocks.ledger.purchasing.entries import words_of
from blocks.ledger.purchasing.records import OrderRecord
from blocks.ledger.purchasing.rows import load, query_of_orders
from blocks.ledger.purchasing.stages import due_on, still_to_come
from blocks.ledger.purchasing.tables import ORDERS
from blocks.ledger.webhooks.events import tell_in
from blocks.ledger.webhooks.records import PartnerEvent
from blocks.ledger.work.effects import EffectRecord
from blocks.vocabulary.partner_events import EventType, OrderedNews, OrderNews

_TYPES = {type_.value: type_ for type_ in EventType}


def tell_of_order(connection: Connection, order: OrderRecord, at: datetime) -> None:
    """Tell partners where an order stands, in the transaction by which it came to stand there.

    Before it is sent there is nothing to tell, nor of one that was never to be sent.
    """
    kind = _TYPES.get(f"order.{order.stage}")
    if kind is None:
        return
    left, words = still_to_come(order), words_of(order)
    news = OrderNews(
        reference=order.reference,
        supplier=order.supplier,
        supplier_number=(words[-1].number if words else "") or None,
        stage=order.stage,
        site=order.site or None,
        currency=order.currency,
        total=order.total,
        due_on=due_on(order).isoformat(),
        lines=[
            OrderedNews(sku=line.sku, units=line.units, to_come=left.get(line.sku, 0))
            for line in order.lines
        ],
    )
    event = PartnerEvent(
        need_key=f"{kind} {order.id} {len(order.entries)} {at.isoformat()}",
        type=kind,
        subject=f"order:{order.reference}",
        resource=f"supplier:{order.supplier}",
        at=at,
        data=news.model_dump(mode="json"),
    )
    tell_in(connection, [event])


def tell_how_sending_ended(connection: Connection, effect: EffectRecord) -> None:
    """The same, when an attempt to send an order is over."""
    if effect.finished_at is None:  # it is tried again
        return
    for order in load(connection, query_of_orders(ORDERS.c.effect_id == effect.id)):
        tell_of_order(connection, order, effect.finished_at)
