"""Purchase orders as they pass between us and a supplier, whatever its way of taking them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum

from pydantic import AwareDatetime, Field

from blocks.models import Frozen

MOST_UNITS = 10**9
"""More pieces than this in one line is a slip, and refused."""


class OrderLine(Frozen):
    """One item of an order.

    Attributes:
        sku: The shop's SKU, which the supplier's catalogue knows too.
        name: What it is called.
        units: Pieces.
        unit_cost: Expected price per piece, in the order's currency.
    """

    sku: str = Field(min_length=1, max_length=200)
    name: str = ""
    units: int = Field(gt=0, le=MOST_UNITS)
    unit_cost: Decimal = Field(ge=0, lt=Decimal(10) ** 12, allow_inf_nan=False)


class PurchaseOrder(Frozen):
    """What is sent to a supplier.

    Attributes:
        reference: Our number of it, by which a supplier can be asked about it: ``PO-…``.
        supplier: Its name.
        currency: ISO code of its money.
        lines: Its items; no SKU twice.
        site: Where it is delivered to; "" where there is one place.
        wanted_by: Day by which it is needed; None where it is not said.
    """

    reference: str = Field(min_length=1, max_length=80)
    supplier: str
    currency: str
    lines: tuple[OrderLine, ...] = Field(min_length=1)
    site: str = ""
    wanted_by: date | None = None


class SupplierSays(StrEnum):
    """What a supplier says of an order.

    Attributes:
        TAKEN: It has it, and has not said yet what it will deliver.
        CONFIRMED: It delivers all of it, at the prices that were expected or less.
        PARTLY: It delivers less, or at other prices, or other days: see its lines.
        REJECTED: It delivers nothing of it.
        SHIPPED: It is on its way.
        DELIVERED: It says that it is there.
    """

    TAKEN = "taken"
    CONFIRMED = "confirmed"
    PARTLY = "partly"
    REJECTED = "rejected"
    SHIPPED = "shipped"
    DELIVERED = "delivered"


class ConfirmedLine(Frozen):
    """What a supplier says of one item.

    Attributes:
        sku: The SKU.
        units: Pieces that it delivers; 0 for none.
        unit_cost: Price per piece; None where it does not say.
        expected_on: Day of delivery; None where it does not say.
    """

    sku: str
    units: int = Field(ge=0, le=MOST_UNITS)
    unit_cost: Decimal | None = Field(default=None, ge=0, lt=Decimal(10) ** 12)
    expected_on: date | None = None


class OrderAnswer(Frozen):
    """A supplier's word on one of our orders, read from whatever it sent.

    Attributes:
        reference: Our number of it.
        number: The supplier's own number of it; "" where it gave none.
        says: What it says.
        lines: Item by item, where it goes into them.
        currency: ISO code of its prices; "" where it does not say.
        at: When it said so, by its own clock; None where it does not tell.
        detail: Its words, in a line.
    """

    reference: str
    number: str = ""
    says: SupplierSays
    lines: tuple[ConfirmedLine, ...] = ()
    currency: str = ""
    at: AwareDatetime | None = None
    detail: str = ""
