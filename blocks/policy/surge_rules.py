"""What is expected of a surge, and how far limits may be raised for it: a part of the policy."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from blocks.models import Strict


class SurgeRules(Strict):
    """How a surge is judged, and the bounds of what is done about it."""

    window_minutes: float = Field(
        default=60.0, gt=0, description="Within so long the work of a surge is expected to come."
    )
    utilization: float = Field(
        default=0.8,
        gt=0,
        lt=1,
        description="Share of a limit up to which is borne what does not work in slots: CPU, "
        "memory, connections. What works in slots is judged by how long work waits for one.",
    )
    pools: dict[str, PositiveInt] = Field(
        default={"operations": 8, "critical": 4, "agents": 8},
        description="Work pool to the limit that it may be raised to, at most; one that is not "
        "named is never raised.",
    )
    cpu_load: float = Field(
        default=1.0,
        gt=0,
        description="No limit is raised while more processes per CPU than this want to run.",
    )
    run_memory_gb: float = Field(
        default=0.3, gt=0, description="Memory that one more run at once is taken to need, in GB."
    )
    spare_memory: float = Field(
        default=0.2,
        ge=0,
        lt=1,
        description="Share of the memory that must stay available, however high limits are.",
    )
