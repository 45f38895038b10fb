"""Purchase orders in tests."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from blocks.ledger import EffectOutcome, EffectRecord, Ledger
from blocks.ledger.purchasing.records import EntryKind, OrderEntry, OrderRecord
from blocks.vocabulary.effects import Approval, EffectStatus
from blocks.vocabulary.messages import new_id
from blocks.vocabulary.purchasing import SupplierSays

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def order(*skus: str, units: int = 10, **given: Any) -> OrderRecord:
    """An order of so many pieces of each item, at 2.50 each."""
    id_ = new_id()
    value = Decimal("2.50") * units * len(skus)
    usual = {
        "id": id_,
        "reference": f"PO-{id_[:10]}",
        "effect_id": new_id(),
        "supplier": "acme",
        "currency": "USD",
        "lines": [
            {"sku": sku, "name": f"Item {sku}", "units": units, "unit_cost": Decimal("2.50")}
            for sku in skus
        ],
        "goods": value,
        "freight": Decimal("4.90"),
        "total": value + Decimal("4.90"),
        "total_in_store_currency": None,
        "level": Approval.AUTOMATIC,
        "proposed_at": NOON,
        "expected_on": date(2026, 3, 8),
    }
    return OrderRecord.model_validate(usual | given)


def effect_of(order: OrderRecord, **given: Any) -> EffectRecord:
    """The effect by which an order is sent."""
    usual = {
        "id": order.effect_id,
        "kind": "purchase-order",
        "target": f"supplier:{order.supplier}",
        "need_key": f"order {order.id}",
        "intended_at": order.proposed_at,
    }
    return EffectRecord.model_validate(usual | given)


def said(says: SupplierSays, /, **lines: int | tuple[int, str]) -> OrderEntry:
    """The supplier's word, with pieces by SKU, or pieces and the day on which they come."""
    return _entry(EntryKind.ANSWERED, lines, by="supplier", says=says)


def received(**lines: int) -> OrderEntry:
    """Goods that came, with pieces by SKU; without any: all of them."""
    return _entry(EntryKind.RECEIVED, lines, by="store")


def _entry(kind: EntryKind, lines: dict[str, Any], **given: Any) -> OrderEntry:
    told = {sku: line if isinstance(line, tuple) else (line, None) for sku, line in lines.items()}
    confirmed = [
        {"sku": sku, "units": units, "expected_on": day} for sku, (units, day) in told.items()
    ]
    fields = {"key": new_id(), "kind": kind, "at": NOON, "lines": confirmed}
    return OrderEntry.model_validate(fields | given)


async def sent(ledger: Ledger, wanted: OrderRecord) -> OrderRecord:
    """An order that is on record and was sent, as its supplier's desk said."""
    effect = effect_of(wanted)
    assert isinstance(await ledger.orders.propose(wanted, effect), OrderRecord)
    begun = await ledger.effects.begin(effect, NOON, NOON + timedelta(minutes=1))
    assert begun is not None
    assert await ledger.effects.close(begun, EffectStatus.DONE, EffectOutcome(), NOON)
    return await ledger.orders.get(wanted.reference)
