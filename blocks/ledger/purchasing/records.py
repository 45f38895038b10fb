"""Purchase orders in the ledger, and what is known of each."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, Field

from blocks.models import Strict
from blocks.vocabulary.effects import Approval, EffectStatus
from blocks.vocabulary.messages import new_id
from blocks.vocabulary.purchasing import ConfirmedLine, PurchaseOrder


class OrderStage(StrEnum):
    """Where a purchase order stands.

    Attributes:
        PROPOSED: It waits for a person's yes.
        APPROVED: It may be sent, and is not yet.
        SENDING: It is being sent.
        SENT: The supplier has it, and has not said what it delivers.
        CONFIRMED: The supplier delivers all of it as expected.
        PARTLY: The supplier delivers less, or at other prices, or later.
        LATE: The day that it was expected is over, and it is not all there.
        RECEIVED: It is there.
        REJECTED: The supplier delivers nothing of it.
        DECLINED: It was not let: by a person, a rule, or as nobody answered in time.
        FAILED: It could not be sent, and for sure was not.
        UNKNOWN: It was begun to be sent, and nobody knows whether the supplier has it.
        SHADOW: It was never to be sent: what would have been ordered, on record to learn from.
    """

    PROPOSED = "proposed"
    APPROVED = "approved"
    SENDING = "sending"
    SENT = "sent"
    CONFIRMED = "confirmed"
    PARTLY = "partly"
    LATE = "late"
    RECEIVED = "received"
    REJECTED = "rejected"
    DECLINED = "declined"
    FAILED = "failed"
    UNKNOWN = "unknown"
    SHADOW = "shadow"

    @property
    def is_under_way(self) -> bool:
        """Whether goods may come of it, so that they count as ordered."""
        return self in _UNDER_WAY

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it."""
        return self in _OVER


_OVER = {
    OrderStage.RECEIVED,
    OrderStage.REJECTED,
    OrderStage.DECLINED,
    OrderStage.FAILED,
    OrderStage.SHADOW,
}
_UNDER_WAY = set(OrderStage) - _OVER


class OrderedLine(Strict):
    """One item of a purchase order, with what it was decided by.

    Attributes:
        sku: The SKU.
        name: What it is called.
        units: Pieces ordered.
        unit_cost: Expected price per piece, in the order's currency.
        group: The group of items whose autonomy it counts for.
        need_key: Unique: the item, the site, and the order before it of the same item there. Of
            runs that decide at once, one orders.
        rule_units: Pieces that the simple rules would have ordered, by the rule's name.
        facts: What it was decided by: a draft line, as JSON.
    """

    sku: str
    name: str = ""
    units: int = Field(gt=0)
    unit_cost: Decimal
    group: str = ""
    need_key: str = ""
    rule_units: dict[str, float] = Field(default_factory=dict)
    facts: dict[str, Any] = Field(default_factory=dict)


class EntryKind(StrEnum):
    """What became known of an order after it was sent.

    Attributes:
        ANSWERED: The supplier said something, for the first time.
        CORRECTED: The supplier says something else than before.
        RECEIVED: Goods came, as the store says; what came is in the lines.
        LATE: It did not come on its day.
        CHASED: The supplier, or a person, was reminded.
        NOTE: A person said something.
    """

    ANSWERED = "answered"
    CORRECTED = "corrected"
    RECEIVED = "received"
    LATE = "late"
    CHASED = "chased"
    NOTE = "note"


STORE = "store"
"""Who said what the store's tables tell."""


class OrderEntry(Strict):
    """One thing that became known of an order. Entries are added, never changed.

    Attributes:
        key: Unique within the order, so that the same thing is entered once.
        at: When we learnt it.
        by: Who said so: ``supplier``, ``store``, ``orchestrator``, or a person's name.
        says: The supplier's word, where it is one (a value of ``SupplierSays``).
        number: The supplier's own number of the order.
        lines: Item by item, where it goes into them.
    """

    key: str
    kind: EntryKind
    at: AwareDatetime
    by: str
    says: str = ""
    number: str = ""
    lines: list[ConfirmedLine] = Field(default_factory=list)
    detail: str = ""


class OrderRecord(Strict):
    """A purchase order: what was wanted, and what became of it.

    How far it came to be sent is its effect's business; ``stage`` puts both together.

    Attributes:
        reference: Our number of it, which the supplier is told.
        effect_id: The effect by which it is sent.
        supplier: Its name.
        site: Where it is delivered to; "" where there is one place.
        currency: ISO code of the order's money.
        goods, freight, total: Money, in ``currency``.
        total_in_store_currency: None where no rate is declared.
        level: Who had to let it happen when it was proposed.
        proposed_at: When.
        expected_on: Day on which it should be there, if it is sent on the day it was proposed.
        run_id: The run that proposed it.
        effect_status: How far it came to be sent.
        effect_reason: The rule by which it was not sent, in a word.
        awaits_a_yes: Whether a person has to say yes first.
        approval_id: The question about it, while one is open.
        sent_at: When it was sent; None while it was not.
        entries: What became known afterwards, oldest first.
        stage: Where it stands.
    """

    id: str = Field(default_factory=new_id)
    reference: str
    effect_id: str
    supplier: str
    site: str = ""
    currency: str
    lines: list[OrderedLine]
    goods: Decimal
    freight: Decimal
    total: Decimal
    total_in_store_currency: Decimal | None
    level: Approval
    proposed_at: AwareDatetime
    expected_on: date
    run_id: str = ""
    effect_status: EffectStatus = EffectStatus.INTENDED
    effect_reason: str = ""
    awaits_a_yes: bool = False
    approval_id: str | None = None
    sent_at: AwareDatetime | None = None
    entries: list[OrderEntry] = Field(default_factory=list)
    stage: OrderStage = OrderStage.PROPOSED

    @property
    def as_sent(self) -> PurchaseOrder:
        """As the supplier is told."""
        return PurchaseOrder.model_validate(
            {
                "reference": self.reference,
                "supplier": self.supplier,
                "currency": self.currency,
                "site": self.site,
                # A question may be answered as late as the next day: that is no difference to tell.
                "wanted_by": self.expected_on + timedelta(days=1),
                "lines": [
                    {
                        "sku": line.sku,
                        "name": line.name,
                        "units": line.units,
                        "unit_cost": line.unit_cost,
                    }
                    for line in self.lines
                ],
            }
        )
