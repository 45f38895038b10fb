"""How partners' endpoints are sent webhooks, and when one is given up: a part of the policy."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, PositiveInt

from blocks.models import Strict


class EndpointRules(Strict):
    """Patience with endpoints."""

    timeout_seconds: float = Field(
        default=20.0, ge=1, le=30, description="How long an endpoint may take to answer."
    )
    at_once: PositiveInt = Field(
        default=4, le=50, description="How many webhooks it is sent side by side while it is well."
    )
    disable_after_days: float = Field(
        default=5.0,
        gt=0,
        le=365,
        description="One that has taken nothing for so long is disabled, and people are told.",
    )

    @property
    def disable_after(self) -> timedelta:
        """For how long an endpoint may take nothing."""
        return timedelta(days=self.disable_after_days)
