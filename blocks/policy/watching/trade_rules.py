"""When too few orders are trouble: the part of the policy that concerns the shop's sales."""

from __future__ import annotations

from datetime import date

from pydantic import Field, PositiveInt

from blocks.models import Strict
from blocks.vocabulary.messages import Name

WEEKS_OF_A_QUARTER = 13


class TradeRules(Strict):
    """How orders per hour are judged."""

    look_minutes: float = Field(
        default=5.0, ge=1, le=60, description="Minutes between two looks at the newest orders."
    )
    false_alarms_per_quarter: float = Field(
        default=1.0,
        gt=0,
        le=100,
        description="So often in 13 weeks chance alone may look like trouble. Fewer false alarms "
        "cost time: the limits follow from the shop's own past.",
    )
    low_share: float = Field(
        default=0.5,
        gt=0,
        lt=1,
        description="A shortfall is told from this share of the usual orders downwards.",
    )
    past_weeks: PositiveInt = Field(
        default=26,
        ge=8,
        le=104,
        description="Weeks of the shop's past that are learned from, once a day.",
    )
    closed_days: list[date] = Field(
        default_factory=list,
        description="Days on which the shop does not sell, and nobody is to be told that it "
        "does not. Those that it was closed a year before are known.",
    )
    checkout: Name | None = Field(
        default=None,
        description="Service that takes the orders; when they stop, the trouble is told of it. "
        "Without one it is told of the store.",
    )

    @property
    def false_alarms_per_week(self) -> float:
        """The budget, per week."""
        return self.false_alarms_per_quarter / WEEKS_OF_A_QUARTER
