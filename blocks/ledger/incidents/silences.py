"""Silences and maintenance windows: of which incidents nobody is told, for how long, and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Self
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, Field, field_validator, model_validator
from sqlalchemy import Connection, select, update

from blocks.ledger.calls.queries import newest
from blocks.ledger.engine.access import Access
from blocks.ledger.engine.prefixes import require_enough, the_one
from blocks.ledger.engine.values import to_json
from blocks.ledger.events.records import IncidentRecord
from blocks.ledger.incidents.tables import SILENCES
from blocks.models import Strict
from blocks.vocabulary.messages import new_id
from blocks.vocabulary.severity import Severity

MOST = 500
"""Silences that are listed."""


class Weekday(StrEnum):
    """A day of the week, in its order."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


_DAYS = list(Weekday)


class Weekly(Strict):
    """Hours of some days of the week, by the clocks of a zone; they may go over midnight."""

    days: list[Weekday] = Field(min_length=1, description="The days on which it begins.")
    begins: time = Field(description='For instance "02:00".')
    ends: time = Field(description='For instance "04:30"; not after begins: of the next day.')
    timezone: str = Field(description="IANA zone of the clocks, for instance Europe/Berlin.")

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):  # KeyError: no such file is one
            raise ValueError(f"there is no time zone {name!r}") from None
        return name

    @model_validator(mode="after")
    def _have_no_zone(self) -> Self:
        if self.begins.tzinfo or self.ends.tzinfo:
            raise ValueError("the hours are by the clocks of timezone, and have no zone")
        return self

    def covers(self, now: datetime) -> bool:
        """Whether an instant lies in them."""
        here = now.astimezone(ZoneInfo(self.timezone))
        clock, today = here.time(), _DAYS[here.weekday()]
        if self.begins < self.ends:
            return today in self.days and self.begins <= clock < self.ends
        yesterday = _DAYS[(here - timedelta(days=1)).weekday()]
        return (today in self.days and clock >= self.begins) or (
            yesterday in self.days and clock < self.ends
        )


class SilenceRecord(Strict):
    """Which incidents nobody is told of, and when.

    Attributes:
        resource, type, severity: What an incident's must be like, with ``*`` and ``?``.
        labels: Label to what its value must be like; an incident without the label is not covered.
        reason: Why, for whoever wonders.
        by: Who made it.
        ends_at: From then on it does nothing.
        ended_by: Who ended it before its time.
        maintenance: Whether nothing is mended meanwhile, either: somebody works on it.
        weekly: The hours of the week in which it counts; None: all of them.
    """

    id: str = Field(default_factory=new_id)
    resource: str = Field(default="*", min_length=1, max_length=500)
    type: str = Field(default="*", min_length=1, max_length=200)
    severity: str = Field(default="*", min_length=1, max_length=20)
    labels: dict[str, str] = Field(default_factory=dict, max_length=20)
    reason: str = Field(min_length=1, max_length=500)
    by: str
    made_at: AwareDatetime
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    ended_by: str | None = None
    maintenance: bool = False
    weekly: Weekly | None = None

    @field_validator("severity")
    @classmethod
    def _means_some(cls, pattern: str) -> str:
        if not any(fnmatchcase(each, pattern) for each in Severity):
            raise ValueError(f"no severity is like {pattern!r}: there are {', '.join(Severity)}")
        return pattern

    @property
    def covers_everything(self) -> bool:
        """Whether there is nothing that it would not silence."""
        return not self.labels and all(
            set(pattern) == {"*"} for pattern in (self.resource, self.type, self.severity)
        )

    @property
    def about(self) -> str:
        """What it covers, in a line."""
        named = {"resource": self.resource, "type": self.type, "severity": self.severity}
        said = [f"{name} {pattern}" for name, pattern in named.items() if set(pattern) != {"*"}]
        said += [f"{name}={pattern}" for name, pattern in self.labels.items()]
        return ", ".join(said) or "everything"

    def counts(self, now: datetime) -> bool:
        """Whether it silences what it fits, at an instant."""
        if not self.starts_at <= now < self.ends_at:
            return False
        return self.weekly is None or self.weekly.covers(now)

    def fits(self, incident: IncidentRecord) -> bool:
        """Whether an incident is one of those that it is about."""
        told = {"resource": incident.resource, "type": incident.type}
        return (
            all(fnmatchcase(value, getattr(self, name)) for name, value in told.items())
            and fnmatchcase(incident.severity, self.severity)
            and all(
                name in incident.labels and fnmatchcase(incident.labels[name], pattern)
                for name, pattern in self.labels.items()
            )
        )


def covering(
    silences: Sequence[SilenceRecord], incident: IncidentRecord, now: datetime
) -> SilenceRecord | None:
    """The silence that covers an incident; of several one of maintenance, then the longest."""
    found = [each for each in silences if each.counts(now) and each.fits(incident)]
    return max(found, key=lambda s: (s.maintenance, s.ends_at, s.id), default=None)


class Silences:
    """The silences in the ledger; those that are over stay on record."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def add(self, silence: SilenceRecord) -> None:
        """Keep a silence."""
        row = dict(silence) | {
            "labels": to_json(silence.labels),
            "weekly": None if silence.weekly is None else to_json(silence.weekly),
        }
        await self._access.change(SILENCES.insert().values(row))

    async def current(self, now: datetime) -> list[SilenceRecord]:
        """Those that are not over, also when their time is yet to come; the newest first."""
        return await self._list(SILENCES.c.ends_at > now)

    async def all(self) -> list[SilenceRecord]:
        """Also those that are over, the newest first."""
        return await self._list()

    async def get(self, id_or_prefix: str) -> SilenceRecord:
        """One silence, by its id or by enough of its beginning.

        Raises:
            NotFound: There is none.
            RequestError: There are several, or the beginning is too short.
        """
        require_enough(id_or_prefix, "a silence")
        found = await self._list(SILENCES.c.id.startswith(id_or_prefix, autoescape=True))
        return the_one(found, id_or_prefix, "a silence", "./orchestrator silences --all")

    async def end(self, silence_id: str, by: str, now: datetime) -> bool:
        """End one before its time; False when it is over."""
        this = SILENCES.c.id == silence_id, SILENCES.c.ends_at > now
        statement = update(SILENCES).where(*this).values(ends_at=now, ended_by=by)
        return bool(await self._access.change(statement))

    async def _list(self, *which: Any) -> list[SilenceRecord]:
        query = newest(SILENCES.c.made_at, MOST).where(*which)
        return [SilenceRecord(**row) for row in await self._access.rows(query)]


def silences_at(connection: Connection, now: datetime) -> list[SilenceRecord]:
    """Those that count at an instant, within a transaction that goes by them."""
    rows = connection.execute(select(SILENCES).where(SILENCES.c.ends_at > now)).mappings()
    return [silence for row in rows if (silence := SilenceRecord(**row)).counts(now)]
