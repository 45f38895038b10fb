"""What went on over time, in few rows however much it was: the database counts and adds up."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Text,
    cast,
    exists,
    func,
    literal,
    select,
)

from blocks.ledger.calls.queries import ungathered
from blocks.ledger.calls.tables import (
    ATTEMPT_FAILED,
    ATTEMPTS,
    REPLIES,
    REPLY_FAILED,
    REPORTS,
    RUNS,
)
from blocks.ledger.engine.access import Access
from blocks.ledger.engine.dialect_sql import Span, array, gathered, seconds, spans_of, whole_hours
from blocks.ledger.engine.tables import Instant
from blocks.ledger.events.tables import EVENTS
from blocks.models import Strict
from blocks.vocabulary.messages import CALLED_OFF, Outcome

_HOUR = timedelta(hours=1)
_LAST = 50  # attempts of an agent that tell what it was last asked for


class HourOfCalls(Strict):
    """The agents' calls that ended within an hour of the clock.

    Attributes:
        response_ms: Mean duration of those that ended with a result; None when none did.
    """

    start: AwareDatetime
    completed: int
    failed: int
    response_ms: float | None


@dataclass(frozen=True)
class Work:
    """What an instance of an agent did at the attempts that ended within an hour of a window.

    Attributes:
        hour: Whole hours from the start of the window.
        busy_ms: The time that all attempts took.
        response_ms: Of each call that ended with a result, the time from message to result.
        failures: The calls that ended without one, by the code of their error.
        waited_ms: Of each call, the time from message to first attempt.
    """

    agent: str
    instance: str
    hour: int = 0
    busy_ms: float = 0.0
    response_ms: Sequence[float] = ()
    failures: Mapping[str, int] = field(default_factory=dict)
    waited_ms: Sequence[float] = ()


@dataclass(frozen=True)
class Runs:
    """Runs of a workflow that were started by the same, and ended alike.

    Attributes:
        outcome: None of those that go on.
        number: How many.
        seconds: How long each took, of those that ended.
    """

    workflow: str
    trigger: str
    outcome: Outcome | None
    number: int
    seconds: Sequence[float] = ()


class History:
    """The ledger, asked about hours instead of entries."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def calls(self, since: datetime) -> list[HourOfCalls]:
        """Calls that ended at ``since`` or later, hour by hour; what was called off counts not."""
        failed = func.count().filter(REPLY_FAILED)
        mean = func.avg(REPLIES.c.duration_ms).filter(REPLIES.c.outcome != Outcome.FAILED)
        off = REPLIES.c.error["code"].as_string() == CALLED_OFF

        def read(connection: Connection) -> list[HourOfCalls]:
            replied_at = REPLIES.c.replied_at
            ended = _by_hour(connection, replied_at, since, [func.count(), failed, mean])
            # Apart, since an error stands in the reply itself: of few it must be read.
            called_off = _by_hour(connection, replied_at, since, [func.count()], REPLY_FAILED, off)
            return [
                HourOfCalls(
                    start=start,
                    completed=number - failures,
                    failed=failures - called_off[start][0],
                    response_ms=response_ms,
                )
                for start, (number, failures, response_ms) in ended.items()
                if number > called_off[start][0]
            ]

        return await self._access.read(read)

    async def events(self, since: datetime) -> dict[datetime, int]:
        """How many events came at ``since`` or later, by the start of the hour."""
        found = await self._access.read(
            lambda c: _by_hour(c, EVENTS.c.received_at, since, [func.count()])
        )
        return {start: number for start, (number,) in found.items() if number}

    async def work(self, since: datetime) -> list[Work]:
        """What each instance did at attempts that began at ``since`` or later, hour by hour."""
        return await self._access.read(lambda c: _work(c, since))

    async def runs(self, since: datetime) -> list[Runs]:
        """The runs that began at ``since`` or later, by workflow, trigger and outcome."""
        return await self._access.read(lambda c: _runs(c, since))

    async def actions(self, agent: str, since: datetime) -> list[str]:
        """What an agent was last asked for, the newest first, as far as it was since then."""
        query = (
            select(ATTEMPTS.c.action)
            .where(ATTEMPTS.c.agent == agent, ATTEMPTS.c.started_at >= since)
            .where(ATTEMPTS.c.finished_at.is_not(None), ATTEMPTS.c.action.is_not(None))
            .order_by(ATTEMPTS.c.started_at.desc())
            .limit(_LAST)
        )
        return list(dict.fromkeys(row["action"] for row in await self._access.rows(query)))

    async def headlines(self, run_ids: Collection[str]) -> dict[str, str]:
        """What each of these runs reports in short; those without a report are absent."""
        headline = REPORTS.c.body["headline"].as_string().label("headline")
        query = select(REPORTS.c.run_id, headline).where(REPORTS.c.run_id.in_(sorted(run_ids)))
        return {row["run_id"]: row["headline"] or "" for row in await self._access.rows(query)}


def _by_hour(
    connection: Connection,
    instant: Column[Any],
    since: datetime,
    figures: Sequence[ColumnElement[Any]],
    *where: ColumnElement[bool],
) -> dict[datetime, list[Any]]:
    """Figures of the rows of each hour of the clock, from an instant to the last row.

    Each hour is a range of the index: nothing is made of the instant of every single row.
    """
    last = connection.scalar(select(func.max(instant)).where(instant >= since))
    hours = _hours(since, last) if last is not None else []
    span = spans_of(connection, hours)
    within = select(array(connection, *figures)).where(
        instant >= span.start, instant < span.end, *where
    )
    query = select(span.number, cast(within.scalar_subquery(), Text)).select_from(span.table)
    found = {number: json.loads(packed) for number, packed in connection.execute(query)}
    return {_full_hour(start): found[number] for number, (start, _) in enumerate(hours)}


def _hours(since: datetime, last: datetime) -> list[Span]:
    starts = [since]
    while (following := _full_hour(starts[-1]) + _HOUR) <= last:
        starts.append(following)
    return [(start, _full_hour(start) + _HOUR) for start in starts]


def _full_hour(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)


def _work(connection: Connection, since: datetime) -> list[Work]:
    ended = (
        ATTEMPTS.c.started_at >= since,
        ATTEMPTS.c.finished_at.is_not(None),
        ATTEMPTS.c.action.is_not(None),  # of an attempt without a message nothing is known
    )
    instance = func.coalesce(func.nullif(ATTEMPTS.c.instance, ""), ATTEMPTS.c.agent)
    hour = whole_hours(connection, literal(since, Instant), ATTEMPTS.c.finished_at)
    group = [ungathered(ATTEMPTS.c.agent), instance.label("instance"), hour.label("hour")]
    waited, took = ATTEMPTS.c.waited_ms, ATTEMPTS.c.took_ms
    figures = (
        select(
            *group,
            func.sum(took),
            gathered(connection, waited + took, ATTEMPTS.c.outcome != Outcome.FAILED),
            gathered(connection, waited, ATTEMPTS.c.attempt == 1),
        )
        .where(*ended)
        .group_by(*group)
    )
    # Apart: an error stands in the row itself, and whether the call was tried again in another.
    later = ATTEMPTS.alias()
    again = exists().where(
        later.c.message_id == ATTEMPTS.c.message_id,
        later.c.attempt > ATTEMPTS.c.attempt,
        later.c.finished_at.is_not(None),
    )
    errors = select(*group, ATTEMPTS.c.error["code"].as_string()).where(
        *ended, ATTEMPT_FAILED, ~again
    )
    failures: dict[tuple[str, str, int], Counter[str]] = {}
    for agent, name, place, code in connection.execute(errors):
        failures.setdefault((agent, name, place), Counter())[code or ""] += 1
    return [
        Work(
            agent=agent,
            instance=name,
            hour=place,
            busy_ms=busy_ms,
            response_ms=json.loads(response_ms),
            failures=failures.get((agent, name, place), {}),
            waited_ms=json.loads(waited_ms),
        )
        for agent, name, place, busy_ms, response_ms, waited_ms in connection.execute(figures)
    ]


def _runs(connection: Connection, since: datetime) -> list[Runs]:
    group = (ungathered(RUNS.c.workflow), RUNS.c.trigger, RUNS.c.outcome)
    took = seconds(connection, RUNS.c.started_at, RUNS.c.finished_at)
    ended = RUNS.c.finished_at.is_not(None)
    query = select(*group, func.count(), gathered(connection, took, ended))
    query = query.where(RUNS.c.started_at >= since).group_by(*group).order_by(*group)
    return [
        Runs(workflow, trigger, Outcome(outcome) if outcome else None, number, json.loads(took))
        for workflow, trigger, outcome, number, took in connection.execute(query)
    ]
