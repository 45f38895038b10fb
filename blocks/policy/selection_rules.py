"""What counts, and how much, when several agent instances could take a task."""

from __future__ import annotations

from pydantic import Field

from blocks.models import Strict


class SelectionRules(Strict):
    """The weights and constants of the score in ``flows.orchestrator.dispatch.selection``.

    Only the proportions of the four weights matter; a weight of 0 leaves its part out.
    """

    expertise: float = Field(
        default=4.0,
        ge=0,
        le=10,
        description="Weight of how well suited the agent is to this kind of task.",
    )
    success: float = Field(
        default=4.0,
        ge=0,
        le=10,
        description="Weight of the chance that the instance succeeds, judged by recent attempts.",
    )
    latency: float = Field(
        default=2.0,
        ge=0,
        le=10,
        description="Weight of how fast the instance is beside the others.",
    )
    workload: float = Field(
        default=3.0,
        ge=0,
        le=10,
        description="Weight of how much of the instance's capacity is free.",
    )
    prior_successes: float = Field(
        default=1.0,
        ge=0.5,
        le=100,
        description="Successes that every instance is credited with before its first attempt.",
    )
    prior_failures: float = Field(
        default=1.0,
        ge=0.5,
        le=100,
        description="Failures that every instance is charged with before its first attempt.",
    )
