"""Routed tasks: accepted durably, carried out by one run at a time, finished once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, Field
from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select, update

from blocks.errors import LedgerError
from blocks.ledger.calls.queries import matching, newest
from blocks.ledger.engine.access import Access
from blocks.ledger.engine.dialect_sql import each_text
from blocks.ledger.engine.upsert import insert
from blocks.ledger.engine.values import to_json
from blocks.ledger.work.tables import TASKS
from blocks.models import Frozen, Strict
from blocks.vocabulary.messages import ORCHESTRATOR, ErrorInfo, Priority, TaskType, new_id


class TaskStatus(StrEnum):
    """Where a task stands."""

    ACCEPTED = "accepted"
    RUNNING = "running"
    AWAITING_APPROVAL = "awaiting-approval"
    DONE = "done"
    DEGRADED = "degraded"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens to it."""
        return self in (self.DONE, self.DEGRADED, self.FAILED)


class StepTold(Frozen):
    """What one step of a task came to: which role, who played it, and what came of it."""

    role: str
    who: str
    came: str


class TaskResult(Frozen):
    """What came of a task.

    Attributes:
        result: What the action whose result stands gave, as a message describes it.
        steps: What was tried, in order.
        doubts: Why the result is not quite what it should be.
        explanation: What is said of the cause, if anybody was asked.
        approval: The question to a person that it waits for.
    """

    result: Any = None
    steps: list[StepTold] = Field(default_factory=list)
    doubts: list[str] = Field(default_factory=list)
    explanation: Any = None
    approval: str | None = None


class TaskRecord(Strict):
    """One piece of work of a type that the decision matrix knows.

    Attributes:
        need_key: Unique: of those who ask for the same need, one task comes.
        params: What every role of the task is handed; JSON-able.
        resource: What it is about, ``type:name``; empty when nothing in particular.
        deadline: After it the result is of no use.
        run_id: The run that carries it out, or did last.
        alive_until: A running task is taken to be abandoned after this instant.
        played_by: ``role/instance`` whose result stands.
    """

    id: str = Field(default_factory=new_id)
    need_key: str | None = None
    task_type: TaskType
    params: dict[str, Any] = Field(default_factory=dict)
    resource: str = ""
    priority: Priority = Priority.NORMAL
    requested_by: str = ORCHESTRATOR
    requested_at: AwareDatetime
    deadline: AwareDatetime | None = None
    status: TaskStatus = TaskStatus.ACCEPTED
    run_id: str | None = None
    alive_until: AwareDatetime | None = None
    policy_version: str = ""
    played_by: str | None = None
    finished_at: AwareDatetime | None = None
    result: TaskResult | None = None
    error: ErrorInfo | None = None


@dataclass(frozen=True)
class TaskCounts:
    """How many tasks stand how.

    Attributes:
        standing: Tasks by status; statuses of none are absent.
        abandoned: Of the running ones, those whose run was not heard of in time.
    """

    standing: Mapping[TaskStatus, int] = field(default_factory=dict)
    abandoned: int = 0


class Tasks:
    """The tasks in the ledger."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def accept(self, task: TaskRecord) -> TaskRecord:
        """Keep a task before anything is done about it.

        Returns:
            The task that stands for the need: this one, or an earlier one of the same need key.
        """
        statement = insert(self._access.dialect, TASKS).values(_row(task)).on_conflict_do_nothing()
        same = TASKS.c.id == task.id
        if task.need_key is not None:
            same = or_(same, TASKS.c.need_key == task.need_key)

        def write(connection: Connection) -> TaskRecord:
            connection.execute(statement)
            return TaskRecord(**connection.execute(select(TASKS).where(same)).mappings().one())

        return await self._access.write(write)

    async def start(self, task_id: str, run_id: str, now: datetime, alive_until: datetime) -> bool:
        """Take a task on; of runs that try at once, one does.

        Returns:
            False when another run works on it, or it is finished or waits for an approval. A run
            that was not heard of until its ``alive_until`` is taken to be dead.
        """
        free = or_(
            TASKS.c.status == TaskStatus.ACCEPTED,
            TASKS.c.run_id == run_id,
            TASKS.c.alive_until <= now,
        )
        startable = TASKS.c.status.in_([TaskStatus.ACCEPTED, TaskStatus.RUNNING])
        statement = (
            update(TASKS)
            .where(TASKS.c.id == task_id, startable, free)
            .values(status=TaskStatus.RUNNING, run_id=run_id, alive_until=alive_until)
        )
        return bool(await self._access.change(statement))

    async def keep_alive(self, task_id: str, run_id: str, alive_until: datetime) -> bool:
        """Say that the run still works on it; False when the task was taken away from it."""
        statement = (
            update(TASKS)
            .where(
                TASKS.c.id == task_id,
                TASKS.c.run_id == run_id,
                TASKS.c.status == TaskStatus.RUNNING,
            )
            .values(alive_until=alive_until)
        )
        return bool(await self._access.change(statement))

    async def settle(self, task: TaskRecord) -> None:
        """Write down how a task stands: finished, or waiting for an approval.

        Raises:
            LedgerError: It was never accepted, is finished, or another run has taken it over.
        """
        row = _row(task)
        names = ("status", "played_by", "finished_at", "result", "error", "policy_version")
        statement = (
            update(TASKS)
            .where(TASKS.c.id == task.id, TASKS.c.run_id == task.run_id)
            .where(or_(TASKS.c.finished_at.is_(None), TASKS.c.status == task.status))
            .values({name: row[name] for name in names} | {"alive_until": None})
        )

        def write(connection: Connection) -> None:
            if not connection.execute(statement).rowcount:
                raise LedgerError(
                    f"Task {task.id} cannot become {task.status}: run {task.run_id} does not hold "
                    "it, or it is finished.",
                    hint=f"See ./orchestrator explain {task.id}.",
                )

        await self._access.write(write)

    async def reopen(self, task_id: str) -> bool:
        """Have a task that waits for an approval carried out again; False when it does not wait."""
        statement = (
            update(TASKS)
            .where(TASKS.c.id == task_id, TASKS.c.status == TaskStatus.AWAITING_APPROVAL)
            .values(status=TaskStatus.ACCEPTED, run_id=None)
        )
        return bool(await self._access.change(statement))

    async def close(self, task_id: str, error: ErrorInfo, now: datetime) -> bool:
        """Give up a task that waits for an approval; False when it does not wait."""
        statement = (
            update(TASKS)
            .where(TASKS.c.id == task_id, TASKS.c.status == TaskStatus.AWAITING_APPROVAL)
            .values(status=TaskStatus.FAILED, error=to_json(error), finished_at=now)
        )
        return bool(await self._access.change(statement))

    async def give_up(self, flow_run: str, error: ErrorInfo, now: datetime) -> bool:
        """Give up the task of a run that crashes whenever it is restarted.

        Args:
            flow_run: Its id's hex, with which the ids of all its lives begin.
            error: Why.
            now: When.

        Returns:
            False when it had none in hand.
        """
        statement = (
            update(TASKS)
            .where(_OPEN, TASKS.c.status == TaskStatus.RUNNING)
            .where(or_(TASKS.c.run_id == flow_run, TASKS.c.run_id.startswith(f"{flow_run}-")))
            .values(status=TaskStatus.FAILED, error=to_json(error), finished_at=now)
        )
        return bool(await self._access.change(statement))

    async def get(self, task_id: str) -> TaskRecord | None:
        """One task."""
        found = await self._access.rows(select(TASKS).where(TASKS.c.id == task_id))
        return TaskRecord(**found[0]) if found else None

    async def of_need(self, need_key: str) -> TaskRecord | None:
        """The task that stands for a need."""
        found = await self._access.rows(select(TASKS).where(TASKS.c.need_key == need_key))
        return TaskRecord(**found[0]) if found else None

    async def list(
        self,
        *statuses: TaskStatus,
        task_type: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> list[TaskRecord]:
        """Tasks of these statuses (all, when none is named), newest first."""
        query = matching(newest(TASKS.c.requested_at, limit), TASKS, task_type=task_type)
        if statuses:
            query = query.where(TASKS.c.status.in_(statuses))
            if not any(status.is_final for status in statuses):
                query = query.where(_OPEN)
        if since is not None:
            query = query.where(TASKS.c.requested_at >= since)
        return [TaskRecord(**row) for row in await self._access.rows(query)]

    async def of_ids(self, ids: Collection[str]) -> Sequence[TaskRecord]:
        """These tasks, as far as they are known; in any order."""
        return await self._access.read(
            lambda c: _records(c, select(TASKS).where(TASKS.c.id.in_(_each(c, ids))))
        )

    async def asked_again(self, ids: Collection[str]) -> Sequence[TaskRecord]:
        """Tasks that ask for what one of these was about, after it was finished; in any order.

        A task that is about nothing in particular is never asked for again.
        """
        again = TASKS.alias()
        same = and_(
            again.c.resource == TASKS.c.resource,
            again.c.task_type == TASKS.c.task_type,
            again.c.requested_at >= TASKS.c.finished_at,
            again.c.id != TASKS.c.id,
        )
        found = select(again.c.id).join_from(TASKS, again, same).where(TASKS.c.resource != "")

        def read(connection: Connection) -> Sequence[TaskRecord]:
            of_these = found.where(TASKS.c.id.in_(_each(connection, ids)))
            return _records(connection, select(TASKS).where(TASKS.c.id.in_(of_these)))

        return await self._access.read(read)

    async def counts(self, since: datetime, now: datetime) -> TaskCounts:
        """How the tasks stand that were asked for at ``since`` or later."""
        query = (
            select(TASKS.c.status, func.count().label("tasks"))
            .where(TASKS.c.requested_at >= since)
            .group_by(TASKS.c.status)
        )
        lost = select(func.count()).where(*_abandoned(now), TASKS.c.requested_at >= since)
        found = {TaskStatus(row["status"]): row["tasks"] for row in await self._access.rows(query)}
        return TaskCounts(found, await self._access.read(lambda c: c.scalar(lost) or 0))

    async def ended(
        self, since: datetime, until: datetime, task_type: str | None = None
    ) -> Sequence[tuple[datetime, float]]:
        """When tasks ended, from ``since`` to ``until``, in order; 1 where one failed, else 0.

        Left out is what was asked for more than a day before ``since``.
        """
        query = (
            select(TASKS.c.finished_at, TASKS.c.status)
            .where(TASKS.c.requested_at >= since - timedelta(days=1))  # which has an index
            .where(TASKS.c.finished_at >= since, TASKS.c.finished_at <= until)
            .order_by(TASKS.c.finished_at)
        )
        if task_type is not None:
            query = query.where(TASKS.c.task_type == task_type)
        rows = await self._access.rows(query)
        return [(row["finished_at"], float(row["status"] == TaskStatus.FAILED)) for row in rows]

    async def abandoned(self, now: datetime) -> Sequence[TaskRecord]:
        """Running tasks whose run was not heard of in time, the most urgent first."""
        query = (
            select(TASKS)
            .where(*_abandoned(now))
            .order_by(TASKS.c.priority.desc(), TASKS.c.requested_at)
        )
        return [TaskRecord(**row) for row in await self._access.rows(query)]


_OPEN = TASKS.c.finished_at.is_(None)


def _abandoned(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return _OPEN, TASKS.c.status == TaskStatus.RUNNING, TASKS.c.alive_until <= now


def _each(connection: Connection, ids: Collection[str]) -> Select[Any]:
    return select(each_text(connection, sorted(ids)).c.value)


def _records(connection: Connection, query: Select[Any]) -> list[TaskRecord]:
    return [TaskRecord(**row) for row in connection.execute(query).mappings()]


def _row(task: TaskRecord) -> dict[str, Any]:
    return dict(task) | {
        "priority": int(task.priority),
        "params": to_json(task.params),
        "result": None if task.result is None else to_json(task.result),
        "error": None if task.error is None else to_json(task.error),
    }
