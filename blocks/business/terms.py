"""What a supplier asks of a whole order: its currency, its minimum, what it takes to bring it."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from blocks.models import Strict

Money = Annotated[Decimal, Field(ge=0, lt=Decimal(10) ** 12, allow_inf_nan=False)]


class SupplierTerms(Strict):
    """Terms that hold for an order, not for an article; money is in ``currency``.

    Attributes:
        currency: ISO code of the supplier's prices; the store's own when empty.
        min_order_value: Value of goods below which it takes no order.
        freight: What a delivery costs.
        free_freight_from: Value of goods from which a delivery costs nothing; never when None.
    """

    currency: str = Field(default="", pattern=r"^([A-Z]{3})?$")
    min_order_value: Money = Decimal(0)
    freight: Money = Decimal(0)
    free_freight_from: Money | None = None
