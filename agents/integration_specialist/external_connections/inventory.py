"""What the suppliers have, as it is told: supplier by supplier, and item by item."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import pandas as pd
from pydantic import AwareDatetime, ConfigDict, Field

from agents.integration_specialist.external_connections.delivery_times import DeliveryTimes
from blocks.business.terms import SupplierTerms
from blocks.models import Strict
from blocks.vocabulary.findings import Finding

Urgency = Literal["low", "normal", "high"]


class PricedStep(Strict):
    """What a piece costs, net of tax, from so many pieces on.

    Attributes:
        from_units: Pieces.
        unit_cost: In the offer's currency.
        in_store_currency: The same in the store's money; None where no rate is declared.
    """

    from_units: float
    unit_cost: Decimal
    in_store_currency: Decimal | None


class ItemOffer(Strict):
    """What one supplier offers of an item.

    Attributes:
        supplier: Its name.
        available_units: Pieces that it has; None where it does not tell.
        steps: Prices, from the smallest quantity on.
        currency: ISO code of the prices.
        lead_time_days: As it promises.
        min_order_units: The smallest order.
        pack_units: Pieces per pack.
        refused: Why nothing is ordered by this offer; "" where it can be.
    """

    supplier: str
    available_units: float | None
    steps: list[PricedStep]
    currency: str
    lead_time_days: float
    min_order_units: float
    pack_units: float
    refused: str = ""

    @property
    def has_enough(self) -> bool:
        """Whether it has its smallest order, as far as it tells."""
        least = max(self.min_order_units, self.pack_units, 1.0)
        return self.available_units is None or self.available_units >= least


class ItemInventory(Strict):
    """An item, and who offers it."""

    sku: str
    name: str
    offers: list[ItemOffer]


class SupplierState(Strict):
    """What came of asking one supplier.

    Attributes:
        name: Its name.
        answered: Whether it answered, in time, with a catalogue.
        detail: Why it did not, or what is wrong with what it sent.
        offered_at: When it offered what counts; None where nothing is known of it.
        offers: Rows that count: valid ones, a row per price step.
        part: How it is said not to be all of its catalogue; "" where it is.
        latency_ms: What its answer took; None without one, or where it was asked before.
        tax: How tax is in its prices; "" where nobody has declared it: they count as net.
        terms: What it asks of a whole order.
        promised_days: Lead time that it promises for most of its offers; None without offers.
        delivery: What was learned of its deliveries; None while none has come.
        refused: Offers that nothing is ordered by, and other remarks on its rows, with the reason.
    """

    name: str
    answered: bool
    detail: str = ""
    offered_at: AwareDatetime | None
    offers: int
    part: str = ""
    latency_ms: float | None = None
    tax: str
    terms: SupplierTerms
    promised_days: float | None
    delivery: DeliveryTimes | None
    refused: list[str] = Field(default_factory=list)


class SupplierInventory(Strict):
    """What all suppliers have of some items.

    Attributes:
        checked_at: When they were asked.
        urgency: How urgent it was.
        deadline_seconds: Within which all had to answer.
        currency: The store's.
        suppliers: Each supplier, by name.
        items: The items that were asked for, in that order, the first ones of many.
        asked_items: How many were asked for.
        unoffered: Of these, what nobody offers as far as is known, the first ones of many.
        unoffered_items: How many.
        unavailable: Of these, what nobody has enough of for a smallest order.
        unavailable_items: How many.
        findings: What is wrong.
        missing: What is not known, and why.
        offers: Rows of contract OFFERS of all suppliers, with learned lead times: those of now, or
            of who did not answer the last ones. It does not travel with the message.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    checked_at: AwareDatetime
    urgency: Urgency
    deadline_seconds: float
    currency: str
    suppliers: list[SupplierState]
    items: list[ItemInventory]
    asked_items: int
    unoffered: list[str]
    unoffered_items: int
    unavailable: list[str]
    unavailable_items: int
    findings: list[Finding]
    missing: list[str]
    offers: pd.DataFrame = Field(exclude=True, repr=False)

    @property
    def partial(self) -> bool:
        """Whether the answer of a supplier is missing."""
        return not all(supplier.answered for supplier in self.suppliers)

    @property
    def summary(self) -> str:
        """What came of it, in a sentence."""
        answered = sum(supplier.answered for supplier in self.suppliers)
        return (
            f"{answered} of {len(self.suppliers)} suppliers answered. Of {self.asked_items:,} "
            f"items nobody offers {self.unoffered_items:,}, and nobody has enough of "
            f"{self.unavailable_items:,}."
        )
