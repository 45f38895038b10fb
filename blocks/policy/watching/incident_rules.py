"""When people are told of incidents, and of which incident a new outage is a part."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from blocks.models import Strict
from blocks.vocabulary.messages import Name
from blocks.vocabulary.severity import Severity


class EscalationStep(Strict):
    """Whom an incident is taken to that nobody has acknowledged for so long."""

    after_minutes: float = Field(
        gt=0,
        le=10_080,
        description="After it began, or became worse; of one step to the next more.",
    )
    audience: Name = Field(description="Of notify.audiences.")
    at_least: Severity = Field(
        default=Severity.CRITICAL, description="Milder incidents are not taken there."
    )


class IncidentRules(Strict):
    """How incidents are told, escalated and reopened.

    The numbers of telling are Alertmanager's defaults (``group_interval``, ``repeat_interval``);
    its ``group_wait`` is ``events.group_wait_seconds``.
    """

    interval_minutes: float = Field(
        default=5.0,
        ge=0,
        le=1440,
        description="Of one group people are told again after so long at the earliest, however "
        "many incidents join it.",
    )
    repeat_hours: float = Field(
        default=4.0,
        gt=0,
        le=720,
        description="What nobody acknowledged is told again after so long.",
    )
    steps: list[EscalationStep] = Field(
        default=[], description="Whom else to tell of what nobody acknowledges, and when."
    )
    ack_hours: float = Field(
        default=24.0,
        gt=0,
        le=720,
        description="For so long an acknowledgement counts; then what is still open is told again.",
    )
    reopen_minutes: float = Field(
        default=30.0,
        ge=0,
        le=1440,
        description="An alert that fires again within so long after its incident ended reopens "
        "it; later it is a new one.",
    )
    flapping_reopenings: int = Field(
        default=3,
        ge=2,
        le=100,
        description="Reopened so often within flapping_minutes, an incident flaps.",
    )
    flapping_minutes: float = Field(default=60.0, gt=0, le=1440)
    steady_minutes: float = Field(
        default=30.0,
        gt=0,
        le=1440,
        description="Without a change for so long, an incident that flapped is steady.",
    )

    @property
    def interval(self) -> timedelta:
        """At least so long between two notices of one group."""
        return timedelta(minutes=self.interval_minutes)

    @property
    def repeat(self) -> timedelta:
        """After how long what nobody acknowledged is told again."""
        return timedelta(hours=self.repeat_hours)

    @property
    def reopening(self) -> timedelta:
        """For how long after its end an incident can be reopened."""
        return timedelta(minutes=self.reopen_minutes)

    @property
    def flapping(self) -> timedelta:
        """Within how long reopenings are counted."""
        return timedelta(minutes=self.flapping_minutes)

    @property
    def steady(self) -> timedelta:
        """After how long without a change what flapped is steady."""
        return timedelta(minutes=self.steady_minutes)
