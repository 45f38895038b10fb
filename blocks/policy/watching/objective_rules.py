"""What service the business promises itself, and when falling short wakes somebody.

A part of the policy. The rules of burning are those of Google's SRE workbook, chapter 5: multiple
windows, multiple burn rates.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from blocks.models import Strict
from blocks.vocabulary.messages import Name, TaskType


class Loudness(StrEnum):
    """Whom a rule calls."""

    PAGE = "page"  # somebody now, at night too
    TICKET = "ticket"  # somebody within a day


class BurnRule(Strict):
    """Burning so fast, over a long window and still over a short one, calls somebody.

    The short window ends the alarm soon after the trouble; the long one keeps blips from starting
    it. A burn rate of 1 spends the whole error budget in exactly the objective's days.
    """

    loudness: Loudness
    factor: float = Field(gt=0, le=10_000, description="Burn rate that must be exceeded, in both.")
    long_seconds: PositiveInt = Field(le=30 * 86400, description="Length of the long window.")
    short_seconds: PositiveInt = Field(description="Length of the short window.")

    @model_validator(mode="after")
    def _short_is_shorter(self) -> Self:
        if self.short_seconds >= self.long_seconds:
            raise ValueError("short_seconds must be less than long_seconds")
        return self

    @property
    def exact_factor(self) -> Fraction:
        """The factor as it is written: 14.4 is 72/5, not the nearest binary number."""
        return Fraction(repr(self.factor))


def _rule(loudness: Loudness, factor: float, long: timedelta, short: timedelta) -> BurnRule:
    return BurnRule(
        loudness=loudness,
        factor=factor,
        long_seconds=int(long.total_seconds()),
        short_seconds=int(short.total_seconds()),
    )


DEFAULT_BURN_RULES = (
    _rule(Loudness.PAGE, 14.4, timedelta(hours=1), timedelta(minutes=5)),
    _rule(Loudness.PAGE, 6.0, timedelta(hours=6), timedelta(minutes=30)),
    _rule(Loudness.TICKET, 3.0, timedelta(days=1), timedelta(hours=2)),
    _rule(Loudness.TICKET, 1.0, timedelta(days=3), timedelta(hours=6)),
)
"""For 30 days: 2% of the budget in an hour, 5% in six, 10% in a day, 10% in three days."""


class _Looked(Strict):
    """What is counted is looked at, again and again."""

    holds_seconds: int = Field(
        default=300,
        ge=1,
        le=86400,
        description="A look speaks for the time to the next one, at most so long; what is beyond "
        "counts as time without errors. More than the usual distance of two looks.",
    )


class Availability(_Looked):
    """Good are the looks at the target that found it up."""

    kind: Literal["availability"] = "availability"
    series: str = Field(
        default="", max_length=300, description="Series of 1 and 0; <target>/up when empty."
    )


class Latency(_Looked):
    """Good are the looks at the target that were answered in time."""

    kind: Literal["latency"] = "latency"
    under_ms: float = Field(gt=0, description="Milliseconds up to which an answer is in time.")
    series: str = Field(
        default="",
        max_length=300,
        description="Series of milliseconds; <target>/latency_ms when empty.",
    )


class Requests(_Looked):
    """What a service counts itself: Prometheus counters, read from its ``history_url``."""

    kind: Literal["requests"] = "requests"
    total: str = Field(
        min_length=1, max_length=2000, description="PromQL of the counter of all requests."
    )
    bad: str = Field(min_length=1, max_length=2000, description="PromQL of that of bad ones.")
    service: str = Field(
        default="", description="Configured service with the history_url; the target when empty."
    )
    step_seconds: int = Field(default=15, ge=1, le=300, description="Distance of what is read.")


class Tasks(Strict):
    """Good are the routed tasks of our own that did not fail."""

    kind: Literal["tasks"] = "tasks"
    task_type: TaskType | None = Field(default=None, description="All types when null.")


Source = Annotated[Availability | Latency | Requests | Tasks, Field(discriminator="kind")]


class Objective(Strict):
    """A promise: so large a share of what happens is good, over so many days."""

    name: Name
    target: str = Field(
        min_length=3,
        max_length=200,
        pattern=r"^[a-z][a-z0-9_-]*:.+$",
        description="The thing promised about, for instance service:checkout.",
    )
    description: str = Field(default="", max_length=500)
    objective: float = Field(gt=0, lt=1, description="Share that must be good: 0.999 is 99.9%.")
    days: int = Field(default=30, ge=1, le=90, description="Days that the error budget is for.")
    source: Source = Field(default_factory=Availability)
    least_bad: int = Field(
        default=5,
        ge=0,
        description="With fewer bad ones in the long window nobody is called: one of two requests "
        "at night is half of them, and no outage. 0 or 1: the plain rule.",
    )
    rules: tuple[BurnRule, ...] = Field(default=DEFAULT_BURN_RULES, min_length=1, max_length=16)
    runbook: str = Field(default="", max_length=500, description="What to do, a text or a link.")

    @property
    def allowed(self) -> Fraction:
        """Share that may be bad, exactly as it is written."""
        return 1 - Fraction(repr(self.objective))


class ObjectiveRules(Strict):
    """Which objectives are kept, and how often they are judged."""

    seconds: float = Field(
        default=60.0, ge=5, le=3600, description="Between two judgements of all objectives."
    )

    services: float | None = Field(
        default=0.995,
        gt=0,
        lt=1,
        description="Availability promised of each configured service that no availability "
        "objective names; none when null.",
    )
    own: tuple[Objective, ...] = Field(
        default=(), max_length=200, description="Objectives of your own, each with its source."
    )

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        counted = Counter(objective.name for objective in self.own)
        if twice := sorted(name for name, count in counted.items() if count > 1):
            raise ValueError(f"two objectives are named {twice[0]!r}")
        return self
