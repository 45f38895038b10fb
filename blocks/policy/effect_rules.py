"""Who lets effects happen, and when the same thing is not tried again: a part of the policy."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field, PositiveInt

from blocks.models import Strict
from blocks.vocabulary.effects import Approval, Effect


class EffectRules(Strict):
    """Who lets effects happen, and the limits of remedies."""

    approval: dict[str, Approval] = Field(
        default={},
        description="Kind of effect, for instance sre-reliability.restart_service, to ask, "
        "automatic or shadow; as the kind itself says where none is named.",
    )
    lasts_minutes: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default={},
        description="Kind of effect that is taken back, for instance "
        "sre-reliability.raise_pool_limit, to the minutes after which it is, at the latest; "
        "as the kind itself says where none is named.",
    )
    failures: PositiveInt = Field(
        default=3, description="So many in a row of one finding that did not help bring a pause."
    )
    failures_pause_minutes: float = Field(default=60.0, ge=0, description="How long that lasts.")
    chain: PositiveInt = Field(
        default=2, description="So many on one resource that did not help: a person must look."
    )
    chain_hours: float = Field(default=24.0, gt=0, description="For how long they count.")
    backoff_seconds: float = Field(
        default=60.0, ge=0, description="The pause after one that did not help; then twice, …"
    )
    backoff_max_seconds: float = Field(default=600.0, ge=0, description="The longest such pause.")
    budget: PositiveInt = Field(default=10, description="So many may be begun …")
    budget_minutes: float = Field(default=60.0, gt=0, description="… within so long.")

    def approval_of(self, kind: str, says: Effect) -> Approval:
        """Who lets a kind of effect happen."""
        return self.approval.get(kind, says.approval)

    def lasting(self, kind: str, says: Effect) -> timedelta | None:
        """How long a kind of effect is wanted; None when it is meant to stay."""
        if says.lasts is None or kind not in self.lasts_minutes:
            return says.lasts
        return timedelta(minutes=self.lasts_minutes[kind])

    @property
    def history(self) -> timedelta:
        """How far back what was done must be known, to judge what may be done now."""
        hours = max(self.chain_hours, self.failures_pause_minutes / 60, self.budget_minutes / 60)
        return timedelta(hours=hours)
