"""Draft orders as a person reads them, and what was not ordered, with the reason."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum

from pydantic import Field

from agents.data_intelligence.result import Result
from blocks.models import Strict


class DraftLine(Strict):
    """One item of a draft order.

    Attributes:
        sku: The SKU.
        name: What it is called.
        units: Ordered, in pieces; whole packs.
        pack_units: Pieces per pack.
        unit_cost: Per piece, in the order's currency.
        value: ``units`` times ``unit_cost``, rounded to the cent (half even).
        free: On hand less what is reserved; negative when owed.
        on_order: Under way, overdue lines included.
        reorder_point: Units of inventory position at or below which it is ordered.
        order_up_to: Units of inventory position that an order aims at.
        protection_days: Lead time and review period: until what is ordered next can arrive.
        demand: Expected units over ``protection_days``.
        days_of_cover: For how many days ``free`` lasts at the expected demand; None without demand.
        probability: Chance that it runs out before this order arrives.
        waiting_cost_per_day: Expected margin lost per day that the order waits, in the store's
            money; None where no price or cost is known.
        why_item: Why this item, in a sentence.
        why_units: Why this quantity.
        why_supplier: Why this supplier.
        group: The group of items that it is trusted with, or not (``purchasing.groups``).
        rules: What the rule of each ERP system would have ordered, in pieces, by its name.
        guards: What limited or questions the quantity.
    """

    sku: str
    name: str
    units: int = Field(gt=0)
    pack_units: int = Field(default=1, gt=0)
    unit_cost: Decimal
    value: Decimal
    free: float
    on_order: float
    reorder_point: float
    order_up_to: float
    protection_days: int
    demand: float
    days_of_cover: float | None
    probability: float
    waiting_cost_per_day: Decimal | None
    why_item: str
    why_units: str
    why_supplier: str
    group: str = ""
    rules: dict[str, float] = Field(default_factory=dict)
    guards: list[str] = Field(default_factory=list)


class DraftOrder(Strict):
    """What would be ordered from one supplier. Nothing is sent.

    Attributes:
        supplier: Its name.
        currency: ISO code of its money.
        lines: Its items, most urgent first.
        goods: Sum of the lines' values.
        freight: What the delivery costs.
        total: Goods and freight.
        total_in_store_currency: The same in the store's money; None where no rate is declared.
        lead_time_days: The longest of its lines.
        arrives_on: Expected day, if it is ordered today.
        notes: What was decided for the order as a whole: a minimum met or not worth it, freight.
    """

    supplier: str
    currency: str
    lines: list[DraftLine]
    goods: Decimal
    freight: Decimal
    total: Decimal
    total_in_store_currency: Decimal | None
    lead_time_days: int
    arrives_on: date
    notes: list[str] = Field(default_factory=list)


class Hold(StrEnum):
    """Why an item is not in a draft."""

    INVALID = "invalid record"
    NO_OFFER = "no offer"
    GUARD = "held by a guard"
    MINIMUM = "below a minimum"
    WAITS = "better ordered later"
    BUDGET = "beyond the budget"
    UNAVAILABLE = "not available"


class HeldItem(Strict):
    """An item that needs an order and is in none, or whose record cannot be trusted.

    Attributes:
        sku: The SKU.
        name: What it is called.
        hold: The kind of reason.
        reason: Why, with the value at fault, and what to do.
        units: What would have been ordered, in pieces; None where it cannot be told.
        loss_per_day: Expected margin lost per day, in the store's money; None where not known.
    """

    sku: str
    name: str
    hold: Hold
    reason: str
    units: int | None = None
    loss_per_day: Decimal | None = None


class PurchasePlan(Result):
    """Draft orders for what has to be ordered now.

    Attributes:
        as_of: The store's date.
        currency: The store's.
        orders: One draft per supplier, the most urgent first.
        held: Items that need an order and are in none, greatest loss first.
        covered: Critical items that need no order, as what is under way suffices: SKU to reason.
        demand_basis: What the demand rests on, in a sentence.
        total: Of all orders, in the store's money; None where a rate is missing.
        missing: What could not be told, and why.
    """

    as_of: date
    currency: str
    orders: list[DraftOrder]
    held: list[HeldItem]
    covered: dict[str, str] = Field(default_factory=dict)
    demand_basis: str
    total: Decimal | None
    missing: list[str] = Field(default_factory=list)
