"""What is watched all the time, and how often: a part of the policy."""

from __future__ import annotations

from pydantic import Field

from blocks.models import Strict
from blocks.vocabulary.messages import Name


class WatchRules(Strict):
    """How often each part of watching looks."""

    enabled: bool = Field(
        default=True, description="Whether the stack watches at all; off: only when it is asked to."
    )
    without: list[Name] = Field(
        default_factory=list,
        description='Parts that do not look: ["probes"]. ./orchestrator watch names them all.',
    )
    services_seconds: float = Field(
        default=30.0, ge=1, le=3600, description="Between two looks at the services."
    )
    services_confirm_seconds: float = Field(
        default=10.0,
        ge=0.1,
        le=60,
        description="After so long a service that looks ill is looked at twice more; most of the "
        "three must agree. A restart that takes less is nobody's incident.",
    )
    probes_seconds: float = Field(
        default=60.0, ge=1, le=3600, description="Between two looks at the probes."
    )
    probes_confirm_seconds: float = Field(
        default=1.0,
        ge=0.1,
        le=60,
        description="After so long a probe that fails is asked twice more; most of the three must "
        "agree.",
    )
    probes_within_seconds: float = Field(
        default=10.0,
        gt=0,
        le=120,
        description="All probes together have so long; what is not known by then is told as not "
        "looked at.",
    )
    host_seconds: float = Field(
        default=60.0, ge=10, le=3600, description="Between two looks at this machine."
    )
    disk_horizon_days: float = Field(
        default=7.0,
        gt=0,
        le=90,
        description="A disk that may be full within so many days, at the earliest that its trend "
        "allows, is told.",
    )
    metrics_seconds: float = Field(
        default=60.0,
        ge=10,
        le=600,
        description="Between two looks at the metrics by which services are watched.",
    )
    prefect_seconds: float = Field(
        default=60.0, ge=10, le=3600, description="Between two looks at Prefect itself."
    )
