"""What the operation wants to reach: the part of the policy that status reports judge by."""

from __future__ import annotations

from pydantic import Field

from blocks.models import Strict


class TargetRules(Strict):
    """The operating targets."""

    task_success: float = Field(
        default=0.985, gt=0, le=1, description="Share of tasks that end done or degraded."
    )
    coordination_ms: float = Field(
        default=25.0,
        gt=0,
        description="Median milliseconds from a message's birth to its first attempt, at most.",
    )
    utilization_spread: float = Field(
        default=0.15,
        gt=0,
        description="Standard deviation of how busy the used instances are, at most.",
    )
    workflow_completion: float = Field(
        default=0.992, gt=0, le=1, description="Share of runs that end other than failed."
    )
