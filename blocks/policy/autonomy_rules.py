"""How far purchase orders go without a person, and how that is earned: a part of the policy."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field, PositiveInt

from blocks.models import Strict
from blocks.vocabulary.effects import Approval


class AutonomyRules(Strict):
    """What a group of items must have shown before its orders are sent without a person's yes.

    The ceiling is ``ask`` unless a person raises it: what is sent is money, and the right to spend
    it unasked is given by whoever owns it. Money is the store's.
    """

    start: Approval = Field(
        default=Approval.ASK, description="Where a group begins: shadow, ask or automatic."
    )
    floor: Approval = Field(
        default=Approval.ASK,
        description="Below it no group falls: with ask, people go on deciding; with shadow, what "
        "went wrong is not ordered at all.",
    )
    ceiling: Approval = Field(
        default=Approval.ASK,
        description="The most that a group may earn; automatic lets groups rise by themselves.",
    )
    ceilings: dict[str, Approval] = Field(
        default={}, description="Group of items to its own ceiling, lower or higher."
    )
    lines: PositiveInt = Field(
        default=20, description="A group rises after so many settled order lines at least …"
    )
    orders: PositiveInt = Field(default=5, description="… of so many orders at least.")
    confidence: float = Field(
        default=0.95, ge=0.5, lt=1, description="How sure it must be that ours costs no more."
    )
    margin: Decimal = Field(
        default=Decimal(0),
        ge=0,
        lt=10**9,
        description="What an order may cost more than the simple rule's on average, in money.",
    )
    bad_share: float = Field(
        default=0.05,
        gt=0,
        le=10,
        description="An order line that cost more than the rule's by such a share of its value …",
    )
    bad_floor: Decimal = Field(
        default=Decimal(15),
        gt=0,
        lt=10**9,
        description="… and by so much money is a bad one: its group falls at once.",
    )
    price_rise: float = Field(
        default=0.05, ge=0, le=10, description="A price that rose by more, and was paid, is bad."
    )
    order_value: Decimal = Field(
        default=Decimal(500), ge=0, description="Orders worth more are asked about, in money."
    )
    day_value: Decimal = Field(
        default=Decimal(2000), ge=0, description="So much is sent unasked within a day, in money."
    )

    def ceiling_of(self, group: str) -> Approval:
        """The most that a group may have."""
        return self.ceilings.get(group, self.ceiling)

    def bad_beyond(self, value: Decimal) -> Decimal:
        """By how much an order line of this value costs more than the rule's before it is bad."""
        return max(Decimal(str(self.bad_share)) * value, self.bad_floor)
