"""What optimisation wants to know from the others.

Agents don't import one another: these models name the fields that are read, and ignore the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Self

from pydantic import BaseModel, Field

from agents.sre_reliability.system_monitoring.assessment import ServiceHealth
from blocks.models import Frozen, read_as


class ItemAtRisk(Frozen):
    """An SKU that is out of stock or likely to be. Units are pieces; money is in store currency.

    ``on_hand`` is below zero when more was sold than there was; ``reserved`` is what of it is
    spoken for; ``lost_revenue_per_day`` is None where nobody knows a price.
    """

    sku: str
    name: str
    on_hand: float
    reserved: float = 0.0
    arriving: float = 0.0
    due_later: float = 0.0
    next_due: date | None = None
    overdue: float = 0.0
    lead_time_days: float = Field(gt=0)
    demand_per_day: float
    probability: float
    lost_units: float
    lost_revenue_per_day: float | None

    @property
    def free(self) -> float:
        """What may still be sold; below zero, so much is owed."""
        return self.on_hand - self.reserved

    @property
    def owed(self) -> float:
        """Units sold beyond what is there."""
        return max(-self.free, 0.0)


class SurplusItem(Frozen):
    """An SKU with more stock than it sells; ``value`` is what the stock cost, None if unknown."""

    sku: str
    name: str
    on_hand: float
    value: float | None
    cover_days: float | None = None


class StockRisk(Frozen):
    """The state of the stock, as the Data Intelligence agent assesses it."""

    out_of_stock: list[ItemAtRisk] = Field(default_factory=list)
    at_risk: list[ItemAtRisk] = Field(default_factory=list)
    overstock: list[SurplusItem] = Field(default_factory=list)
    dead: list[SurplusItem] = Field(default_factory=list)
    overstock_value: float = 0.0
    dead_value: float = 0.0


class Patterns(Frozen):
    """Revenue of a period, first and last day included."""

    first: date
    last: date
    revenue: float


class DailyMetrics(Frozen):
    """What the store usually earns per calendar day."""

    typical_revenue_per_day: float | None = None


class Connection(Frozen):
    """A connection as it was last measured."""

    name: str
    kind: str
    latency_ms: float | None = None


class Integrations(Frozen):
    """The connections, as the Integration Specialist measured them."""

    checks: list[Connection] = Field(default_factory=list)


class Health(Frozen):
    """The part of a HealthAssessment that is used here."""

    services: list[ServiceHealth] = Field(default_factory=list)


class Insights(Frozen):
    """Everything is optional: what is absent leads to no proposal.

    Attributes:
        stock_risk: Result of ``data-intelligence.assess_stock_risk``: ``stock`` of an analysis.
        patterns: Result of ``data-intelligence.find_patterns``: ``patterns`` of an analysis.
        daily_metrics: Result of ``data-intelligence.analyze_daily_metrics``.
        integrations: Result of ``integration-specialist.check_integrations`` or
            ``validate_all_integrations``.
        health: Result of one of our own health checks.
    """

    stock_risk: StockRisk | None = None
    patterns: Patterns | None = None
    daily_metrics: DailyMetrics | None = None
    integrations: Integrations | None = None
    health: Health | None = None

    @classmethod
    def read(cls, insights: Mapping[str, Any]) -> Self:
        """Read results (models or plain dicts) by their names.

        Raises:
            InvalidMessage: A known key holds something else than its agent's result.
        """
        plain = {
            key: value.model_dump() if isinstance(value, BaseModel) else value
            for key, value in insights.items()
        }
        hint = f"Known keys: {', '.join(cls.model_fields)}, each the result of its action."
        return read_as(cls, plain, "insights", hint)

    @property
    def absent(self) -> list[str]:
        """What proposals could have come from, and was not given."""
        given = {
            "stock_risk": self.stock_risk,
            "revenue": self.revenue_per_day,
            "integrations": self.integrations,
            "health": self.health,
        }
        return [topic for topic, value in given.items() if value is None]

    @property
    def revenue_per_day(self) -> float | None:
        """Usual revenue per calendar day; None when unknown."""
        if self.daily_metrics and self.daily_metrics.typical_revenue_per_day is not None:
            return self.daily_metrics.typical_revenue_per_day
        if self.patterns is None:
            return None
        return self.patterns.revenue / ((self.patterns.last - self.patterns.first).days + 1)
