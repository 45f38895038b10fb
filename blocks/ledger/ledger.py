"""The ledger: what was asked, answered, tried and found, durably."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, select

from blocks.ledger.callers.requests import Requests
from blocks.ledger.callers.tokens import Tokens
from blocks.ledger.calls import leases, queries, rows
from blocks.ledger.calls.dead_letters import DeadLetters
from blocks.ledger.calls.history import History
from blocks.ledger.calls.leases import Leases
from blocks.ledger.calls.mailbox import Mailbox
from blocks.ledger.calls.records import (
    AgentActivity,
    CallRecord,
    PastAttempt,
    ReportRecord,
    RunRecord,
)
from blocks.ledger.calls.tables import MESSAGES, REPORTS, RUNS
from blocks.ledger.engine import schema
from blocks.ledger.engine.access import Access
from blocks.ledger.engine.database import Database, connect
from blocks.ledger.engine.dialect_sql import each_text
from blocks.ledger.engine.health import Health
from blocks.ledger.engine.upsert import replacing
from blocks.ledger.engine.writer import GroupWriter
from blocks.ledger.events.inbox import Inbox
from blocks.ledger.events.incidents import Incidents
from blocks.ledger.firings.firings import Firings
from blocks.ledger.incidents.entries import IncidentEntries
from blocks.ledger.incidents.inhibitions import Inhibitions
from blocks.ledger.incidents.silences import Silences
from blocks.ledger.purchasing.orders import Orders
from blocks.ledger.purchasing.outcomes import OrderOutcomes
from blocks.ledger.purchasing.telling import tell_how_sending_ended
from blocks.ledger.receipts.outcomes import Outcomes
from blocks.ledger.receipts.policies import Policies
from blocks.ledger.receipts.receipts import Receipts
from blocks.ledger.receipts.signing import Seal
from blocks.ledger.receipts.traces import Traces
from blocks.ledger.retention.retention import Retention
from blocks.ledger.samples.samples import Samples
from blocks.ledger.snapshots.snapshots import Snapshots
from blocks.ledger.webhooks.deliveries import Deliveries
from blocks.ledger.webhooks.endpoints import Endpoints
from blocks.ledger.webhooks.events import PartnerEvents, report_ready, tell_in
from blocks.ledger.work.approvals import Approvals
from blocks.ledger.work.claims import Claims
from blocks.ledger.work.effects import ORDER, Effects
from blocks.ledger.work.tasks import Tasks
from blocks.ledger.work.tellings import Tellings
from blocks.settings import get_settings


class Ledger:
    """The record of every run, call, effect, report and snapshot.

    Messages, replies, attempts, runs and receipts are queued by ``record`` and committed together;
    after ``flush`` they are durable. Everything else is durable when its method returns. One object
    serves all threads and event loops of the process that opened it, and several processes may
    share one database. Reads see what is committed.

    Attributes:
        tasks: What was routed, and how it stands.
        leases: Slots of agent instances that are in use.
        claims: Who may act on a resource.
        policies: The policies that decisions were made under.
        mailbox: Messages from outside, each taken in once.
        dead_letters: What could not be delivered as it came.
        approvals: Questions to a person, and their answers.
        receipts: What was decided and why, chained and signed.
        outcomes: What became of decisions.
        order_outcomes: What came of order lines, in money.
        traces: All that is known about one id.
        history: What went on, hour by hour.
        effects: Acts on the outside world.
        orders: Purchase orders, and what became of each.
        tellings: What people were told of, and how that stood.
        partner_events: What partners may be told of.
        endpoints: How the endpoints of partners stand.
        deliveries: What each endpoint was, or is to be, sent.
        inbox: Events, and the incidents that they make up.
        incidents: Incidents that are not over.
        firings: What rules did.
        incident_entries: What was done about incidents, step by step.
        inhibitions: Incidents that another one explains.
        silences: Of which incidents nobody is told, and when.
        samples: What our own looks measured.
        tokens: Who may use the API, and for what.
        requests: What requests to the API with an idempotency key came to.
        snapshots: What stores had when they were looked at.
        retention: Forgets what need not be kept.
        health: Whether it takes writes and is sound.

    Use it as a context manager, or ``close`` it: that writes what is still queued.
    """

    def __init__(self, database: Database, patience: float, seal: Seal) -> None:
        self._database = database
        self._dialect = database.engine.dialect.name
        self._writer = GroupWriter(database, rows.writes(seal), patience)
        access = self._access = Access(database, self._writer, patience)
        # After a power cut nobody holds a lease: they need not wait for the disk as all else does.
        self._notes = GroupWriter(database, leases.writes(), patience, notes=True)
        # What is large does not hold up the commits of all else.
        self._pieces = GroupWriter(database, {}, patience)
        self.tasks = Tasks(access)
        self.leases = Leases(Access(database, self._notes, patience))
        self.claims = Claims(access)
        self.policies = Policies(access)
        self.mailbox = Mailbox(access)
        self.dead_letters = DeadLetters(access)
        self.approvals = Approvals(access)
        self.receipts = Receipts(access, seal)
        self.outcomes = Outcomes(access)
        self.order_outcomes = OrderOutcomes(access)
        self.traces = Traces(access)
        self.history = History(access)
        self.effects = Effects(access, closed={ORDER: tell_how_sending_ended})
        self.orders = Orders(access)
        self.tellings = Tellings(access)
        self.partner_events = PartnerEvents(access)
        self.endpoints = Endpoints(access)
        self.deliveries = Deliveries(access)
        self.inbox = Inbox(access)
        self.incidents = Incidents(access)
        self.firings = Firings(access)
        self.incident_entries = IncidentEntries(access)
        self.inhibitions = Inhibitions(access)
        self.silences = Silences(access)
        self.tokens = Tokens(access)
        self.requests = Requests(access)
        pieces = Access(database, self._pieces, patience)
        self.snapshots = Snapshots(access, pieces)
        self.samples = Samples(access, pieces)
        self.retention = Retention(access, pieces, self.receipts)
        self.health = Health(database, self._writer)

    @classmethod
    def open(
        cls, url: str, *, migrate: bool = True, patience: float = 10.0, seal: Seal | None = None
    ) -> Ledger:
        """Opens the ledger, after bringing its schema up to date.

        Args:
            url: SQLAlchemy URL of a SQLite file or a PostgreSQL database.
            migrate: Whether to create and migrate the schema; else it must be up to date.
            patience: Seconds for which anything is tried while the database is locked or gone.
            seal: What receipts are signed and anchored with; that of the settings when None.

        Raises:
            ConfigurationError: The URL names nothing that a ledger can live in.
            LedgerSchemaError: The schema is half-migrated or newer; says how to get out.
            LedgerUnavailable: The database cannot be reached, locked or written.
        """
        database = connect(url, create=migrate, patience=patience)
        try:
            schema.ensure(database, migrate=migrate, patience=patience)
        except BaseException:
            database.engine.dispose()
            raise
        return cls(database, patience, seal or Seal.of(database.where, get_settings()))

    def close(self) -> None:
        """Writes what is queued and lets go of the database.

        Raises:
            LedgerUnavailable: Some entries could not be written.
        """
        with ExitStack() as last:
            last.callback(self._database.engine.dispose)
            last.callback(self._writer.close)
            last.callback(self._pieces.close)
            self._notes.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def where(self) -> str:
        """The file or server that the ledger lives in, without password."""
        return self._database.where

    @property
    def path(self) -> Path | None:
        """The ledger's file; None on a server."""
        return self._database.path

    # Grouped writes.

    def record(self, *entries: rows.Recordable) -> None:
        """Queues entries for the next commit; never waits.

        An entry recorded twice is one. Runs and attempts are recorded when they start and again
        when they finish, in any order; what is finished stays so.

        Raises:
            LedgerUnavailable: The ledger is closed.
        """
        self._writer.add([rows.entry(e) for e in entries])

    async def flush(self) -> None:
        """Returns when everything recorded so far is durable.

        Raises:
            LedgerUnavailable: The database is locked or gone; the entries stay queued, and are
                tried again by the next flush.
            LedgerError: The database refused the values of an entry, which was dropped.
        """
        await asyncio.wrap_future(self._writer.flush())

    # Writes that stand alone.

    async def save_report(self, report: ReportRecord) -> None:
        """Keeps a run's report, in place of an earlier one of the same run; partners are told."""
        statement = replacing(self._dialect, REPORTS).values(rows.report_row(report))

        def write(connection: Connection) -> None:
            connection.execute(statement)
            tell_in(connection, [report_ready(report.run_id, report.workflow, report.created_at)])

        await self._access.write(write)

    # Reads.

    async def run(self, run_id: str) -> RunRecord | None:
        """One run."""
        found = await self._access.rows(select(RUNS).where(RUNS.c.id == run_id))
        return RunRecord(**found[0]) if found else None

    async def runs(
        self,
        *,
        workflow: str | None = None,
        since: datetime | None = None,
        going_on: bool = False,
        limit: int = 20,
    ) -> list[RunRecord]:
        """Runs that started at ``since`` or later, newest first; on demand only unfinished ones."""
        query = queries.newest(RUNS.c.started_at, limit, workflow=workflow)
        if since is not None:
            query = query.where(RUNS.c.started_at >= since)
        if going_on:
            query = query.where(RUNS.c.finished_at.is_(None))
        return [RunRecord(**row) for row in await self._access.rows(query)]

    async def calls(
        self,
        *,
        run_id: str | None = None,
        agent: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> list[CallRecord]:
        """Messages sent at ``since`` or later with their replies, newest first.

        ``agent`` is the one that was asked.
        """
        query = queries.calls(limit, since, run_id=run_id, recipient=agent, action=action)
        return [rows.call_record(row) for row in await self._access.rows(query)]

    async def call(self, message_id: str) -> CallRecord | None:
        """One message with its reply; None while the message is not known."""
        found = await self._access.rows(queries.calls(1, id=message_id))
        return rows.call_record(found[0]) if found else None

    async def calls_of(self, message_ids: Collection[str]) -> dict[str, CallRecord]:
        """These messages with their replies, by id; those that are not known are absent."""

        def read(connection: Connection) -> list[CallRecord]:
            these = each_text(connection, sorted(message_ids)).c.value
            # Without order and limit: for their sake PostgreSQL might walk through all messages.
            query = queries.calls(0).order_by(None).limit(None)
            query = query.where(MESSAGES.c.id.in_(select(these)))
            return [rows.call_record(row) for row in connection.execute(query).mappings()]

        return {call.message_id: call for call in await self._access.read(read)}

    async def past_attempts(self, since: datetime, limit: int) -> list[PastAttempt]:
        """Attempts that started at ``since`` or later and are over, newest first."""
        query = queries.past_attempts(since, limit)
        # There may be very many: they are read into records in the other thread, too.
        return await self._access.read(
            lambda c: [rows.past_attempt(row) for row in c.execute(query).mappings()]
        )

    async def report(self, run_id: str) -> ReportRecord | None:
        """The report of one run."""
        found = await self._access.rows(select(REPORTS).where(REPORTS.c.run_id == run_id))
        return ReportRecord(**found[0]) if found else None

    async def latest_reports(
        self, *, workflow: str | None = None, limit: int = 1
    ) -> list[ReportRecord]:
        """Reports, newest first."""
        found = await self._access.rows(
            queries.newest(REPORTS.c.created_at, limit, workflow=workflow)
        )
        return [ReportRecord(**row) for row in found]

    async def activity(
        self, now: datetime, *, window: timedelta = timedelta(hours=24)
    ) -> dict[str, AgentActivity]:
        """What each agent is doing and did over the window before ``now``, by agent.

        ``workload`` counts open attempts whose deadline is still to come. A partial success counts
        as completed. Agents without any of it are absent.
        """
        known: dict[str, dict[str, Any]] = {}
        for query in (queries.open_attempts(now), queries.replied(now - window)):
            for row in await self._access.rows(query):
                known.setdefault(row["agent"], {}).update(row)
        return {agent: AgentActivity(**facts) for agent, facts in sorted(known.items())}

    async def schema_version(self) -> str:
        """The revision of the ledger's tables."""
        return await self._access.read(lambda connection: schema.current(connection) or "none")
