"""How events are put together and drained: the part of the policy that concerns the inbox."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, PositiveInt


class EventRules(BaseModel):
    """How events become situations, and what waits in a storm."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch: PositiveInt = Field(default=200, description="Events that are taken at once.")
    window_seconds: float = Field(
        default=300.0, gt=0, description="Events of one resource within it are one situation."
    )
    storm_waiting: PositiveInt = Field(
        default=500, description="From so many waiting events on, low-value ones are summarised."
    )
    topology: dict[str, list[str]] = Field(
        default_factory=dict,
        description="Resource to the resources that it depends on, for instance "
        '{"service:checkout": ["store:shop"]}: trouble below explains trouble above.',
    )
