"""Where a purchase order stands, and what of it is still to come: told from what is on record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date

from blocks.ledger.purchasing.records import EntryKind, OrderEntry, OrderRecord, OrderStage
from blocks.vocabulary.effects import EffectStatus
from blocks.vocabulary.purchasing import ConfirmedLine, SupplierSays

SHADOW = "shadow"
"""The reason by which an effect was refused that was never to be done."""

_BEFORE_IT_IS_SENT = {
    EffectStatus.INTENDED: OrderStage.APPROVED,
    EffectStatus.ACTING: OrderStage.SENDING,
    EffectStatus.REFUSED: OrderStage.DECLINED,
    EffectStatus.FAILED: OrderStage.FAILED,
    EffectStatus.DONE: OrderStage.SENT,
    EffectStatus.UNKNOWN: OrderStage.UNKNOWN,
}

_SAID = {
    SupplierSays.TAKEN: OrderStage.SENT,
    SupplierSays.CONFIRMED: OrderStage.CONFIRMED,
    SupplierSays.PARTLY: OrderStage.PARTLY,
    SupplierSays.REJECTED: OrderStage.REJECTED,
}
"""That it is shipped, or delivered as the supplier says, changes nothing of what is to come."""


def stage_of(
    effect_status: EffectStatus,
    effect_reason: str,
    awaits_a_yes: bool,
    entries: Sequence[OrderEntry],
    units: Mapping[str, int],
) -> OrderStage:
    """Where an order stands.

    Args:
        effect_status: How far it came to be sent; an order is never taken back.
        effect_reason: The rule by which it was not sent, in a word.
        awaits_a_yes: Whether a person has to say yes first.
        entries: What became known afterwards, oldest first. They count where it was sent, or may
            have been: that a supplier answers then tells that it has it.
        units: Pieces ordered, by SKU.
    """
    if awaits_a_yes:
        return OrderStage.PROPOSED
    if effect_status is EffectStatus.REFUSED and effect_reason == SHADOW:
        return OrderStage.SHADOW
    stage = _BEFORE_IT_IS_SENT[effect_status]
    if effect_status not in (EffectStatus.DONE, EffectStatus.UNKNOWN):
        return stage
    for number, entry in enumerate(entries, start=1):
        match entry.kind:
            case EntryKind.ANSWERED | EntryKind.CORRECTED:
                said = SupplierSays(entry.says)
                known = OrderStage.SENT if stage is OrderStage.UNKNOWN else stage
                stage = _SAID.get(said, known)
            case EntryKind.LATE:
                stage = OrderStage.LATE
            case EntryKind.RECEIVED if not to_come(units, entries[:number]):
                return OrderStage.RECEIVED
            case EntryKind.RECEIVED if stage is OrderStage.UNKNOWN:
                stage = OrderStage.SENT
            case _:
                pass
    came = any(entry.kind is EntryKind.RECEIVED for entry in entries)
    if came and not stage.is_over and not to_come(units, entries):
        return OrderStage.RECEIVED  # as its supplier says that no more will come
    return stage


def to_come(units: Mapping[str, int], entries: Sequence[OrderEntry]) -> dict[str, int]:
    """Pieces that are still expected, by SKU; items of which nothing is are absent.

    What the supplier said last counts, item by item, else what was ordered. A receipt without
    lines is of all that was expected.
    """
    expected, came = dict(units), Counter[str]()
    for entry in entries:
        match entry.kind:
            case EntryKind.ANSWERED | EntryKind.CORRECTED:
                expected = _expected(SupplierSays(entry.says), entry.lines, units, expected)
            case EntryKind.RECEIVED if not entry.lines:
                return {}
            case EntryKind.RECEIVED:
                came.update({line.sku: line.units for line in entry.lines})
            case _:
                pass
    return {sku: number - came[sku] for sku, number in expected.items() if number > came[sku]}


def _expected(
    says: SupplierSays,
    lines: Sequence[ConfirmedLine],
    units: Mapping[str, int],
    before: Mapping[str, int],
) -> dict[str, int]:
    """Pieces that a supplier delivers by its word, by SKU; what it does not mention stays."""
    match says:
        case SupplierSays.REJECTED:
            return {}
        case SupplierSays.TAKEN | SupplierSays.CONFIRMED:
            before = units
        case _:
            pass
    return dict(before) | {line.sku: line.units for line in lines if line.sku in units}


def still_to_come(order: OrderRecord) -> dict[str, int]:
    """Pieces of an order that are still expected, by SKU; nothing of one that is over."""
    if order.stage.is_over:
        return {}
    return to_come(units_of(order), order.entries)


def units_of(order: OrderRecord) -> dict[str, int]:
    """Pieces ordered, by SKU."""
    return {line.sku: line.units for line in order.lines}


def promised_on(order: OrderRecord) -> date | None:
    """The day by which the supplier says that all of it is there; None where it does not say."""
    for entry in reversed(order.entries):
        if entry.says and (days := [line.expected_on for line in entry.lines if line.expected_on]):
            return max(days)
    return None


def due_on(order: OrderRecord) -> date:
    """The day on which all of it should be there: as promised, else as expected when proposed.

    An order that was sent later than it was proposed is due so many days later.
    """
    if promised := promised_on(order):
        return promised
    if order.sent_at is None:
        return order.expected_on
    return order.expected_on + (order.sent_at.date() - order.proposed_at.date())
