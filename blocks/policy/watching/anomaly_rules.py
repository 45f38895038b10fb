"""Which series are judged by what is usual of them, and how many false alarms are bearable."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import Field

from blocks.models import Strict

Pattern = Annotated[str, Field(min_length=1, max_length=300)]


class AnomalyRules(Strict):
    """What of our own samples is judged by its own past."""

    every_seconds: float = Field(
        default=300.0, ge=60, le=3600, description="Between two looks at the series."
    )
    false_alarms_per_week: float = Field(
        default=1.0,
        gt=0,
        le=20,
        description="How many false alarms of one series are bearable in a week. The fewer, the "
        "farther it must deviate.",
    )
    judged: list[Pattern] = Field(
        default_factory=lambda: [
            "*/latency_ms",
            "metric:*",
            "host:*/load_per_cpu",
            "host:*/memory_percent",
        ],
        description='Series that are judged, * stands for anything: ["service:*/latency_ms"].',
    )
    matters: list[Pattern] = Field(
        default_factory=list,
        description="Series whose unusual values are an error and no warning: "
        '["service:checkout/*"].',
    )

    def judges(self, series: str) -> bool:
        """Whether a series of this name is judged."""
        return any(fnmatchcase(series, pattern) for pattern in self.judged)

    def is_serious(self, series: str) -> bool:
        """Whether what is unusual about a series of this name is an error."""
        return any(fnmatchcase(series, pattern) for pattern in self.matters)
