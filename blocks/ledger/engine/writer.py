"""One thread that commits everything waiting in one transaction (group commit).

Durability costs a disk sync per transaction, not per entry; so entries wait a moment for company,
and a sync serves all who wait for it. What cannot be written stays in the queue.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

from blocks.errors import LedgerError, LedgerUnavailable
from blocks.ledger.engine.commits import number_of, took_place
from blocks.ledger.engine.database import Database, reason
from blocks.ledger.engine.patience import Patience, tells_of_damage
from blocks.ledger.engine.turns import turn

LINGER = 0.1
"""Seconds that an entry waits for company when nobody waits for it."""

AWAKE = 2.0
"""Seconds after a write in which entries wake nobody: to be woken costs both threads more than it
takes to write an entry, and who writes now will write again soon."""

_PAUSE = 5.0  # seconds between tries while the database is gone and nobody waits

T = TypeVar("T")

WriteRows = Callable[[Connection, list[dict[str, Any]]], Callable[[], object] | None]
"""Writes rows of one table; repeating it with the same rows changes nothing.

What it returns is called once they are committed; it must not fail.
"""


@dataclass(frozen=True, eq=False)
class Entry:
    """A row for one of the grouped tables. Writing it twice is the same as writing it once."""

    table: str
    row: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Job:
    """A write that stands alone: somebody waits for its result. It may be tried several times."""

    write: Callable[[Connection], Any]
    done: Future[Any] = field(default_factory=Future)


@dataclass(frozen=True)
class _Written:
    """What a transaction wrote, before its commit.

    Attributes:
        number: The transaction's, by which the database remembers how it ended.
        results: What each job came to.
        afterwards: What is done after the commit.
    """

    number: int | None
    results: list[tuple[Job, Any]]
    afterwards: list[Callable[[], object]]


class GroupWriter:
    """Writes from one thread, so that callers in any thread or event loop never wait for a lock.

    Attributes:
        trouble: Why the last write did not succeed, so far; empty when it did.
        refused: How many entries and other writes the database did not take.

    Args:
        database: Where to.
        writes: How the rows of each table are written, in the order in which they are.
        patience: Seconds that a write is tried again while the database is locked or gone.
        notes: Whether it writes only what a power cut may take (``Database.noting``).
    """

    def __init__(
        self,
        database: Database,
        writes: Mapping[str, WriteRows],
        patience: float,
        *,
        notes: bool = False,
    ) -> None:
        self._database = database
        self._engine = database.noting if notes else database.writing
        self._writes = writes
        self._patience = patience
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._entries: list[Entry] = []
        self._jobs: list[Job] = []
        self._flushes: list[Future[None]] = []
        self._refused: list[str] = []
        self._writing = False
        self._due = 0.0
        self._awake_until = 0.0
        self._asleep = False
        self.trouble = ""
        self.refused = 0

    def add(self, entries: Sequence[Entry]) -> None:
        """Queues entries; returns at once."""
        with self._changed:
            self._start()
            if not self._entries:
                self._due = time.monotonic() + LINGER
                if self._asleep:
                    self._changed.notify()
            self._entries += entries

    def flush(self) -> Future[None]:
        """Done when everything queued so far is durable; else LedgerUnavailable or LedgerError."""
        flushed: Future[None] = Future()
        with self._changed:
            self._start()
            if self._writing or self._entries or self._refused:
                self._flushes.append(flushed)
                self._changed.notify()
            else:
                flushed.set_result(None)
        return flushed

    def submit(self, write: Callable[[Connection], T]) -> Future[T]:
        """Writes with whatever waits; done when durable. After a failure nothing is kept of it."""
        job = Job(write)
        with self._changed:
            self._start()
            self._jobs.append(job)
            self._changed.notify()
        return job.done

    def close(self) -> None:
        """Writes what is queued and ends the thread.

        Raises:
            LedgerUnavailable: Some entries could not be written; they are lost.
        """
        with self._changed:
            self._closing = True
            self._changed.notify()
            thread, self._thread = self._thread, None
        if thread:
            thread.join()
        if lost := len(self._entries):
            self._entries = []
            raise LedgerUnavailable(
                f"{lost} entries could not be written to the ledger {self._database.where} "
                "before it was closed."
            )

    def _start(self) -> None:
        if self._closing:
            raise LedgerUnavailable(f"The ledger {self._database.where} is closed.")
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        last = False
        while not last:
            with self._changed:
                while not (self._closing or self._jobs or self._flushes or self._is_due()):
                    self._wait()
                last = self._closing  # from then on nothing can be queued
                entries, self._entries = self._entries, []
                jobs, self._jobs = self._jobs, []
                flushes, self._flushes = self._flushes, []
                self._writing = True
            self._write(entries, jobs, flushes)
            with self._changed:
                self._writing = False
                self._awake_until = time.monotonic() + AWAKE

    def _wait(self) -> None:
        now = time.monotonic()
        self._asleep = not self._entries and now > self._awake_until
        if self._asleep:
            self._changed.wait()
        else:
            self._changed.wait(self._due - now if self._entries else LINGER)

    def _is_due(self) -> bool:
        return bool(self._entries) and time.monotonic() >= self._due

    def _write(self, entries: list[Entry], jobs: list[Job], flushes: list[Future[None]]) -> None:
        # A caller who was cancelled until now gets nothing written; from here on it is too late.
        jobs = [job for job in jobs if job.done.set_running_or_notify_cancel()]
        flushes = [flush for flush in flushes if flush.set_running_or_notify_cancel()]
        outcome: LedgerError | None = None
        try:
            self._commit([*entries, *jobs])
        except Exception as error:  # whatever it is, the thread lives on
            outcome = self._database.unavailable("written", error)
            self.refused += len(entries) + len(jobs)
            with self._changed:
                self._entries[:0] = entries  # what did get written is written again, harmlessly
                self._due = time.monotonic() + _PAUSE
            for job in jobs:
                if not job.done.done():
                    job.done.set_exception(outcome)
        if outcome is None and flushes and self._refused:
            outcome = LedgerError(
                f"The ledger {self._database.where} refused {len(self._refused)} entries, "
                f"for instance: {self._refused[0]}."
            )
            self._refused = []
        for flush in flushes:
            if outcome:
                flush.set_exception(outcome)
            else:
                flush.set_result(None)

    def _commit(self, group: Sequence[Entry | Job]) -> None:
        """Commits all of it, except what the database refuses for its values.

        Raises:
            Exception: The driver's, when the database is locked or gone, and remained so.
        """
        if not group:
            return
        try:
            results = self._commit_together(group)
        except Exception as error:
            if not _refuses_values(error):
                raise
            if len(group) > 1:  # one bad entry must not hold up the others: find it by halving
                half = len(group) // 2
                self._commit(group[:half])
                self._commit(group[half:])
            else:
                self._refuse(group[0], error)
        else:
            for job, result in results:
                job.done.set_result(result)

    def _commit_together(self, group: Sequence[Entry | Job]) -> list[tuple[Job, Any]]:
        rows: dict[str, list[dict[str, Any]]] = {}
        for item in group:
            if isinstance(item, Entry):
                rows.setdefault(item.table, []).append(item.row)
        jobs = [item for item in group if isinstance(item, Job)]
        patience = Patience(self._patience)
        written: _Written | None = None  # once it is, it may be committed whatever was heard of it
        while True:
            try:
                if written is None or not self._is_committed(written):
                    written = None
                    with (
                        turn(self._database.path, self._patience),
                        self._engine.begin() as connection,
                    ):
                        written = self._write_in(connection, rows, jobs)
                break
            except Exception as error:
                if _refuses_values(error):
                    raise
                self.trouble = reason(error)
                pause = None if tells_of_damage(error) else patience.pause()
                if pause is None:
                    raise
            time.sleep(pause)
        self.trouble = ""
        for act in written.afterwards:
            act()
        return written.results

    def _write_in(
        self, connection: Connection, rows: Mapping[str, list[dict[str, Any]]], jobs: Sequence[Job]
    ) -> _Written:
        # Always in the same order, so that no two processes wait for each other.
        afterwards = [
            self._writes[table](connection, rows[table])
            for table in sorted(rows, key=list(self._writes).index)
        ]
        results = [(job, job.write(connection)) for job in jobs]
        # To write entries once more is harmless; what a job says it did must be its own doing.
        number = number_of(connection) if jobs else None
        return _Written(number, results, [act for act in afterwards if act])

    def _is_committed(self, written: _Written) -> bool:
        if written.number is None:
            return False
        with self._engine.connect() as connection:
            return took_place(connection, written.number)

    def _refuse(self, item: Entry | Job, error: Exception) -> None:
        if isinstance(item, Entry):
            self.refused += 1
            self._refused.append(f"{item.table}: {reason(error)}")
        elif isinstance(error, LedgerError):
            item.done.set_exception(error)
        else:
            said = f"The ledger {self._database.where} refused a value: {reason(error)}."
            item.done.set_exception(LedgerError(said))


def _refuses_values(error: Exception) -> bool:
    """Whether trying again is useless: the values are at fault, not the database's state."""
    if isinstance(error, DBAPIError):
        too_large = str(getattr(error.orig, "sqlstate", "")).startswith("54")
        return isinstance(error, DataError | IntegrityError) or too_large
    # What is raised on values that do not even get past the driver.
    return isinstance(error, LedgerError | StatementError | ValueError | TypeError | OverflowError)
