"""Who is told of what, through which channels, and when not: a part of the policy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time, timedelta
from fnmatch import fnmatchcase
from typing import Self

from pydantic import Field, model_validator

from blocks.models import Strict
from blocks.vocabulary.messages import Name
from blocks.vocabulary.severity import Severity


class QuietHours(Strict):
    """A part of each day, by the store's clocks; it may go over midnight."""

    begins: time = Field(description='For instance "22:00".')
    ends: time = Field(description='For instance "07:00".')

    @model_validator(mode="after")
    def _is_a_part(self) -> Self:
        if self.begins == self.ends:
            raise ValueError("quiet hours begin and end at different times")
        if self.begins.tzinfo or self.ends.tzinfo:
            raise ValueError("quiet hours are by the store's clocks, and have no zone")
        return self

    def cover(self, clock: time) -> bool:
        """Whether it is quiet at this time of the store's day."""
        if self.begins < self.ends:
            return self.begins <= clock < self.ends
        return clock >= self.begins or clock < self.ends


class Audience(Strict):
    """People who are told the same things."""

    channels: list[str] = Field(
        default=[],
        description="Prefect notification blocks, for instance mail/owner; those of "
        "ORCHESTRATOR_NOTIFY if empty.",
    )
    about: list[str] = Field(
        default=["*"],
        min_length=1,
        description="What concerns them: patterns of kind/resource, for instance */sku:* or "
        "service-*. What concerns no audience is told to all.",
    )
    worth_telling: Severity = Field(
        default=Severity.ERROR, description="From this severity on they are told at once."
    )
    orders: bool = Field(
        default=False, description="Whether they are told which orders are proposed."
    )
    daily_report: bool = Field(
        default=False, description="Whether they get the daily check's report each day."
    )
    quiet: QuietHours | None = Field(
        default=None, description="When they are told nothing; they are told afterwards."
    )
    may_wake: bool = Field(
        default=False, description="Whether what is critical is told in quiet hours, too."
    )
    repeat_hours: float = Field(
        default=24.0, gt=0, le=8760, description="What stays open is told again after so long."
    )

    @property
    def repeat(self) -> timedelta:
        """After how long they are told again of what stays open."""
        return timedelta(hours=self.repeat_hours)

    def is_concerned(self, fingerprint: str) -> bool:
        """Whether ``kind/resource`` concerns them."""
        return any(fnmatchcase(fingerprint, pattern) for pattern in self.about)


class NotifyRules(Strict):
    """The audiences."""

    audiences: dict[Name, Audience] = Field(
        default={"owner": Audience(orders=True)},
        description="By name, for instance owner, buyer, on-call. Given, they replace the default.",
    )

    @property
    def channels(self) -> list[str]:
        """The channels of all audiences, each once."""
        named = (name for each in self.audiences.values() for name in each.channels)
        return list(dict.fromkeys(named))

    def concerned(self, fingerprint: str) -> Iterator[str]:
        """The audiences that ``kind/resource`` concerns: all of them where it concerns none."""
        names = [n for n, each in self.audiences.items() if each.is_concerned(fingerprint)]
        yield from names or self.audiences
