"""What rules did, in the ledger: each event makes each rule fire once, whoever drains the inbox."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, Field
from sqlalchemy import Connection, Row, func, literal, select, tuple_, update

from blocks.ledger.engine.access import Access
from blocks.ledger.engine.dialect_sql import each_text
from blocks.ledger.engine.locks import lock
from blocks.ledger.engine.upsert import insert
from blocks.ledger.engine.values import to_json
from blocks.ledger.events.records import EventKey, taken_event
from blocks.ledger.events.tables import EVENTS, INCIDENTS
from blocks.ledger.firings.tables import RULE_FIRINGS
from blocks.models import Frozen
from blocks.vocabulary.messages import Severity, SystemEvent

_PORTION = 1000


class FiringOutcome(StrEnum):
    """What came of an event that fitted a rule."""

    INTENDED = "intended"  # a run is to be started
    STARTED = "started"  # the run was made; it begins when it is due
    COOLING = "cooling-down"
    LIMITED = "limit-reached"
    LOOP = "loop"  # the rule itself had led to the event
    REFUSED = "refused"  # the workflow does not take what the event gives
    FAILED = "failed"  # Prefect could not be had for too long, or has no such workflow

    @property
    def is_trouble(self) -> bool:
        """Whether somebody has to be told."""
        return self in (self.LIMITED, self.LOOP, self.REFUSED, self.FAILED)


class Firing(Frozen):
    """One rule and one event that fitted it.

    Attributes:
        detail: Why nothing was started, in words; empty where something was.
        asks_for: Equal for equal workflow and parameters.
        run_key: Firings with one key share one run; None: none is started.
        due: When that run begins.
        run_id: Of the Prefect run, 32 hex digits.
        chain: The rules whose runs led to the event, the first one first.
    """

    rule: str
    source: str
    event_id: str
    at: AwareDatetime
    outcome: FiringOutcome
    detail: str = ""
    workflow: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    asks_for: str = ""
    run_key: str | None = None
    due: AwareDatetime | None = None
    run_id: str | None = None
    run_name: str | None = None
    chain: list[str] = Field(default_factory=list)
    policy_version: str = ""
    settled_at: AwareDatetime | None = None


@dataclass(frozen=True)
class RunOfRule:
    """A run that a rule has started, or is to start.

    Attributes:
        at: When the first event asked for it.
        due: When it begins, or began.
    """

    rule: str
    run_key: str
    asks_for: str
    at: datetime
    due: datetime


@dataclass(frozen=True)
class RuleTally:
    """What a rule did in a time: how often each thing came of it, and when it fired last."""

    counts: Mapping[FiringOutcome, int]
    runs: int
    last: datetime


@dataclass(frozen=True)
class UnknownType:
    """Trouble of a type that no agent and no rule knew.

    Attributes:
        last: When the last of them came.
    """

    type: str
    source: str
    severity: Severity
    events: int
    last: datetime


Decide = Callable[[Collection[tuple[str, EventKey]], Sequence[RunOfRule]], Sequence[Firing]]
"""Given what fired already, and the runs of late: what is to be written."""


class Firings:
    """What rules did."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def enter(
        self, rules: Collection[str], keys: Collection[EventKey], since: datetime, decide: Decide
    ) -> list[Firing]:
        """Decide what events make rules do, and keep it, in one transaction.

        Two who drain at once follow each other: each sees what the other one decided.

        Args:
            rules: Those whose events may be among them.
            keys: Of the events.
            since: From when on the runs of these rules are of interest.
            decide: Judges; is handed what is known already.

        Returns:
            What was new.
        """

        def write(connection: Connection) -> list[Firing]:
            lock(connection, "rules")
            known = _known(connection, rules, keys)
            decided = decide(known, _runs(connection, rules, since))
            if decided:
                connection.execute(insert(self._access.dialect, RULE_FIRINGS), _rows(decided))
            return list(decided)

        return await self._access.write(write)

    async def causes(self, run_ids: Collection[str]) -> dict[str, list[str]]:
        """The rules that led to each of these runs, its own one last; other runs are absent."""

        def read(connection: Connection) -> Sequence[Row[Any]]:
            these = select(each_text(connection, sorted(run_ids)).c.value)
            query = select(RULE_FIRINGS.c.run_id, RULE_FIRINGS.c.rule, RULE_FIRINGS.c.chain)
            # Of several events that share a run, the longest way here counts.
            return connection.execute(query.where(RULE_FIRINGS.c.run_id.in_(these))).all()

        found: dict[str, list[str]] = {}
        for row in await self._access.read(read):
            chain = [*row.chain, row.rule]
            if len(chain) > len(found.get(row.run_id, ())):
                found[row.run_id] = chain
        return found

    async def waiting(
        self, fits: Callable[[str], bool], below: Severity, after: EventKey = ("", "")
    ) -> list[SystemEvent]:
        """Events of certain types that are not settled, some thousand after one, by their keys.

        Args:
            fits: Whether a type is meant.
            below: Only milder ones.
            after: The key of the last one that was looked at.
        """
        of_them = EVENTS.c.settled_at.is_(None), EVENTS.c.rank < below.rank
        kinds = await self._access.rows(select(EVENTS.c.type).distinct().where(*of_them))
        if not (meant := [row["type"] for row in kinds if fits(row["type"])]):
            return []
        query = (
            select(EVENTS)
            .where(*of_them, EVENTS.c.type.in_(meant))
            .where(
                tuple_(EVENTS.c.source, EVENTS.c.id) > tuple_(literal(after[0]), literal(after[1]))
            )
            .order_by(EVENTS.c.source, EVENTS.c.id)
            .limit(_PORTION)
        )
        return [taken_event(row).event for row in await self._access.rows(query)]

    async def to_start(self, limit: int = 1000) -> list[Firing]:
        """Those whose run is still to be made, the first one first."""
        query = (
            select(RULE_FIRINGS)
            .where(RULE_FIRINGS.c.settled_at.is_(None))
            .order_by(RULE_FIRINGS.c.at, RULE_FIRINGS.c.source, RULE_FIRINGS.c.event_id)
            .limit(limit)
        )
        return [Firing(**row) for row in await self._access.rows(query)]

    async def settle(
        self,
        run_key: str,
        outcome: FiringOutcome,
        now: datetime,
        *,
        run_id: str | None = None,
        run_name: str | None = None,
        detail: str = "",
    ) -> None:
        """Keep what came of all firings that share a run."""
        values = {"outcome": outcome, "settled_at": now, "detail": detail}
        statement = (
            update(RULE_FIRINGS)
            .where(RULE_FIRINGS.c.run_key == run_key, RULE_FIRINGS.c.settled_at.is_(None))
            .values(run_id=run_id, run_name=run_name, **values)
        )
        await self._access.change(statement)

    async def recent(self, *, since: datetime, limit: int = 100) -> list[Firing]:
        """What fired at ``since`` or later, the newest first."""
        query = select(RULE_FIRINGS).where(RULE_FIRINGS.c.at >= since).limit(limit)
        query = query.order_by(RULE_FIRINGS.c.at.desc(), RULE_FIRINGS.c.rule)
        return [Firing(**row) for row in await self._access.rows(query)]

    async def of_event(self, event_id: str) -> list[Firing]:
        """What an event made rules do."""
        query = select(RULE_FIRINGS).where(RULE_FIRINGS.c.event_id == event_id)
        return [
            Firing(**row) for row in await self._access.rows(query.order_by(RULE_FIRINGS.c.rule))
        ]

    async def tallies(self, since: datetime) -> dict[str, RuleTally]:
        """What each rule did at ``since`` or later, by its name."""
        grouped = select(
            RULE_FIRINGS.c.rule,
            RULE_FIRINGS.c.outcome,
            func.count().label("times"),
            func.count(RULE_FIRINGS.c.run_key.distinct()).label("runs"),
            func.max(RULE_FIRINGS.c.at).label("last"),
        )
        grouped = grouped.where(RULE_FIRINGS.c.at >= since)
        rows = await self._access.rows(
            grouped.group_by(RULE_FIRINGS.c.rule, RULE_FIRINGS.c.outcome)
        )
        found: dict[str, RuleTally] = {}
        for row in rows:
            before = found.get(row["rule"])
            found[row["rule"]] = RuleTally(
                counts={
                    **(before.counts if before else {}),
                    FiringOutcome(row["outcome"]): row["times"],
                },
                runs=row["runs"] + (before.runs if before else 0),
                last=max(row["last"], before.last) if before else row["last"],
            )
        return found

    async def unknown(self, since: datetime, limit: int = 20_000) -> list[UnknownType]:
        """What came at ``since`` or later, from warning on, and no agent and no rule knew.

        By type and source, the worst first, of these the most frequent.
        """
        answered = (
            select(INCIDENTS.c.id, INCIDENTS.c.response)
            .where(INCIDENTS.c.responded_at >= since, INCIDENTS.c.severity != Severity.INFO)
            .order_by(INCIDENTS.c.responded_at.desc())
            .limit(limit)
        )
        nobodys = [
            row["id"] for row in await self._access.rows(answered) if _unknown(row["response"])
        ]
        fired = select(RULE_FIRINGS.c.rule).where(
            RULE_FIRINGS.c.source == EVENTS.c.source, RULE_FIRINGS.c.event_id == EVENTS.c.id
        )

        def read(connection: Connection) -> Sequence[Row[Any]]:
            these = select(each_text(connection, nobodys).c.value)
            query = (
                select(
                    EVENTS.c.type,
                    EVENTS.c.source,
                    func.max(EVENTS.c.rank).label("rank"),
                    func.count().label("events"),
                    func.max(EVENTS.c.received_at).label("last"),
                )
                .where(EVENTS.c.incident_id.in_(these), EVENTS.c.rank >= Severity.WARNING.rank)
                .where(~fired.exists())
                .group_by(EVENTS.c.type, EVENTS.c.source)
            )
            return connection.execute(query).all()

        found = [
            UnknownType(row.type, row.source, list(Severity)[row.rank], row.events, row.last)
            for row in (await self._access.read(read) if nobodys else [])
        ]
        return sorted(found, key=lambda u: (-u.severity.rank, -u.events, u.type, u.source))


def _unknown(response: Mapping[str, Any] | None) -> bool:
    """Whether the agents were asked, and none of them knew anything."""
    return bool(response) and response.get("assessments") == {}  # type: ignore[union-attr]


def _known(
    connection: Connection, rules: Collection[str], keys: Collection[EventKey]
) -> set[tuple[str, EventKey]]:
    event = tuple_(RULE_FIRINGS.c.source, RULE_FIRINGS.c.event_id)
    query = select(RULE_FIRINGS.c.rule, RULE_FIRINGS.c.source, RULE_FIRINGS.c.event_id).where(
        RULE_FIRINGS.c.rule.in_(sorted(rules)), event.in_(sorted(keys))
    )
    return {(rule, (source, event_id)) for rule, source, event_id in connection.execute(query)}


def _runs(connection: Connection, rules: Collection[str], since: datetime) -> list[RunOfRule]:
    query = (
        select(
            RULE_FIRINGS.c.rule,
            RULE_FIRINGS.c.run_key,
            RULE_FIRINGS.c.asks_for,
            func.min(RULE_FIRINGS.c.at).label("at"),
            func.max(RULE_FIRINGS.c.due).label("due"),
        )
        .where(RULE_FIRINGS.c.rule.in_(sorted(rules)), RULE_FIRINGS.c.at >= since)
        .where(RULE_FIRINGS.c.run_key.is_not(None))
        .group_by(RULE_FIRINGS.c.rule, RULE_FIRINGS.c.run_key, RULE_FIRINGS.c.asks_for)
    )
    return [RunOfRule(*row) for row in connection.execute(query)]


def _rows(firings: Iterable[Firing]) -> list[dict[str, Any]]:
    return [
        dict(each) | {"parameters": to_json(each.parameters), "chain": to_json(each.chain)}
        for each in firings
    ]
