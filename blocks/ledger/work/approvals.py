"""Questions to a person: asked durably, answered or expired once, and then applied once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import AwareDatetime, Field
from sqlalchemy import Connection, RowMapping, and_, or_, select, update

from blocks.errors import LedgerError
from blocks.ledger.calls.queries import matching, newest
from blocks.ledger.engine.access import Access
from blocks.ledger.engine.dialect_sql import each_text
from blocks.ledger.engine.prefixes import require_enough, the_one
from blocks.ledger.engine.upsert import insert
from blocks.ledger.engine.values import clean_text, to_json
from blocks.ledger.work.tables import APPROVALS
from blocks.models import Strict
from blocks.vocabulary.messages import Priority, new_id

MOST_ATTEMPTS = 10
"""Of so many attempts at an effect the questions are looked for."""


def question_key(effect_id: str, attempt: int) -> str:
    """Need key of the question about an effect: before its first attempt, or after one."""
    return f"effect {effect_id} attempt {attempt}"


class ApprovalStatus(StrEnum):
    """Where a question stands."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"


class ApprovalRecord(Strict):
    """One question to a person, with its answer.

    Attributes:
        need_key: Unique: asked twice, it is one question.
        task_id: The task that waits for the answer.
        title: The question in a line.
        detail: Markdown: why it is asked, and what yes and no do.
        resource: What it is about, ``type:name``; empty when nothing in particular.
        proposal: What happens on yes: ``kind``, and what that kind needs; JSON-able.
        safe_choice: What counts when nobody answers.
        expires_at: From then on no answer counts.
        answered_by: Who answered; None while it is open, and when nobody did.
        via: The way on which the answer came, for instance ``prefect-ui`` or ``cli``.
        applying_by: Who is putting the answer into effect, until ``applying_until``.
        outcome: What came of it, once it is applied.
    """

    id: str = Field(default_factory=new_id)
    need_key: str
    run_id: str | None = None
    task_id: str | None = None
    title: str
    detail: str = ""
    resource: str = ""
    priority: Priority = Priority.NORMAL
    proposal: dict[str, Any]
    safe_choice: Literal["approve", "reject"] = "reject"
    asked_at: AwareDatetime
    expires_at: AwareDatetime
    status: ApprovalStatus = ApprovalStatus.OPEN
    answered_at: AwareDatetime | None = None
    answered_by: str | None = None
    via: str | None = None
    note: str = ""
    applying_by: str | None = None
    applying_until: AwareDatetime | None = None
    applied_at: AwareDatetime | None = None
    outcome: str | None = None

    @property
    def is_yes(self) -> bool:
        """Whether the proposal is to be carried out: somebody said yes, or silence means it."""
        silent_yes = self.status is ApprovalStatus.EXPIRED and self.safe_choice == "approve"
        return self.status is ApprovalStatus.APPROVED or silent_yes


class Approvals:
    """The approvals in the ledger."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def ask(self, record: ApprovalRecord) -> ApprovalRecord:
        """Put a question.

        Returns:
            The question that stands for the need: this one, or an earlier one of the same need
            key, which may be answered by now.
        """
        row = approval_row(record)
        statement = insert(self._access.dialect, APPROVALS).values(row).on_conflict_do_nothing()
        same = or_(APPROVALS.c.id == record.id, APPROVALS.c.need_key == record.need_key)

        def write(connection: Connection) -> ApprovalRecord:
            connection.execute(statement)
            return _record(connection.execute(select(APPROVALS).where(same)).mappings().one())

        return await self._access.write(write)

    async def answer(
        self,
        approval_id: str,
        approve: bool,
        *,
        by: str,
        via: str,
        note: str = "",
        now: datetime,
    ) -> tuple[ApprovalRecord, bool]:
        """Answer a question; of several answers the first one counts.

        Args:
            approval_id: Which question.
            approve: Yes or no.
            by: Who answers.
            via: On which way the answer came.
            note: What else they say.
            now: When; at or after ``expires_at`` it is too late, and the question expires.

        Returns:
            The question as it stands then, and whether this answer counted.

        Raises:
            LedgerError: There is no such question.
        """
        status = ApprovalStatus.APPROVED if approve else ApprovalStatus.REJECTED
        answer = {
            "status": status,
            "answered_at": now,
            "answered_by": by,
            "via": via,
            "note": clean_text(note),
        }
        this = APPROVALS.c.id == approval_id
        expiry = _expire(now).where(this)
        statement = update(APPROVALS).where(this, _OPEN).values(answer)

        def write(connection: Connection) -> tuple[ApprovalRecord, bool]:
            connection.execute(expiry)
            counted = bool(connection.execute(statement).rowcount)
            row = connection.execute(select(APPROVALS).where(this)).mappings().one_or_none()
            if row is None:
                raise LedgerError(f"There is no approval {approval_id!r}.")
            return _record(row), counted

        return await self._access.write(write)

    async def expire_due(self, now: datetime) -> Sequence[ApprovalRecord]:
        """Expire the open questions whose time is up; those that this call expired."""
        statement = _expire(now).returning(*APPROVALS.c)

        def write(connection: Connection) -> list[ApprovalRecord]:
            return [_record(row) for row in connection.execute(statement).mappings()]

        return await self._access.write(write)

    async def claim_application(
        self, approval_id: str, by: str, now: datetime, until: datetime
    ) -> ApprovalRecord | None:
        """Take it on to put an answer into effect; of processes that try at once, one does.

        Args:
            approval_id: Which question.
            by: Who does it; unique among those who try.
            now: When; a claim that ran out by then is nobody's.
            until: When this claim runs out, unless it is kept.

        Returns:
            The question; None when it is open, applied, or somebody else's just now.
        """
        free = APPROVALS.c.id == approval_id, _SETTLED, _unclaimed(now)
        mine = {"applying_by": by, "applying_until": until}
        statement = update(APPROVALS).where(*free).values(mine).returning(*APPROVALS.c)

        def write(connection: Connection) -> ApprovalRecord | None:
            row = connection.execute(statement).mappings().one_or_none()
            return None if row is None else _record(row)

        return await self._access.write(write)

    async def keep_claim(self, approval_id: str, by: str, until: datetime) -> bool:
        """Say that the answer is still being applied; False when the claim was lost."""
        statement = (
            update(APPROVALS)
            .where(APPROVALS.c.id == approval_id, _SETTLED, APPROVALS.c.applying_by == by)
            .values(applying_until=until)
        )
        return bool(await self._access.change(statement))

    async def applied(self, approval_id: str, by: str, outcome: str, now: datetime) -> bool:
        """Write down what came of an answer.

        Returns:
            False when ``by`` no longer holds it: its claim ran out and somebody else took it on.
        """
        held = APPROVALS.c.id == approval_id, APPROVALS.c.applying_by == by
        done = {"applied_at": now, "outcome": outcome}
        statement = update(APPROVALS).where(*held, _SETTLED).values(done | {"applying_until": None})
        query = select(APPROVALS.c.applied_at, APPROVALS.c.outcome).where(*held)

        def write(connection: Connection) -> bool:
            if connection.execute(statement).rowcount:
                return True
            row = connection.execute(query).mappings().one_or_none()
            return row is not None and dict(row) == done

        return await self._access.write(write)

    async def get(self, id_or_prefix: str) -> ApprovalRecord:
        """One question, by its id or by enough of its beginning.

        Raises:
            NotFound: There is none.
            RequestError: There are several, or the beginning is too short.
        """
        require_enough(id_or_prefix, "an approval")
        begins = APPROVALS.c.id.startswith(id_or_prefix, autoescape=True)
        found = await self._access.rows(select(APPROVALS).where(begins).limit(2))
        return _record(
            the_one(found, id_or_prefix, "an approval", "./orchestrator approvals --all")
        )

    async def list(
        self, *statuses: ApprovalStatus, task_id: str | None = None, limit: int = 100
    ) -> list[ApprovalRecord]:
        """Questions of these statuses (all, when none is named), newest first."""
        query = matching(newest(APPROVALS.c.asked_at, limit), APPROVALS, task_id=task_id)
        if statuses:
            query = query.where(APPROVALS.c.status.in_(statuses))
        return [_record(row) for row in await self._access.rows(query)]

    async def about(self, effect_ids: Collection[str]) -> dict[str, Sequence[ApprovalRecord]]:
        """Questions about these effects, by effect, the first asked first; none where none was."""
        of = {question_key(id_, n): id_ for id_ in effect_ids for n in range(MOST_ATTEMPTS + 1)}

        def read(connection: Connection) -> Sequence[ApprovalRecord]:
            these = select(each_text(connection, sorted(of)).c.value)
            query = select(APPROVALS).where(APPROVALS.c.need_key.in_(these))
            return [_record(row) for row in connection.execute(query).mappings()]

        found: dict[str, list[ApprovalRecord]] = {id_: [] for id_ in effect_ids}
        for record in sorted(await self._access.read(read), key=lambda record: record.asked_at):
            found[of[record.need_key]].append(record)
        return dict(found)

    async def unsettled(self, now: datetime) -> Sequence[ApprovalRecord]:
        """What there is to do: open questions whose time is up, and what ``unapplied`` gives."""
        overdue = and_(_OPEN, APPROVALS.c.expires_at <= now)
        return await self._pending(or_(overdue, and_(_SETTLED, _unclaimed(now))))

    async def unapplied(self, now: datetime) -> Sequence[ApprovalRecord]:
        """Answered or expired ones that nobody has applied or is applying, oldest first."""
        return await self._pending(and_(_SETTLED, _unclaimed(now)))

    async def _pending(self, which: Any) -> Sequence[ApprovalRecord]:
        # Sorted here: asked for an order, SQLite reads the whole table by the index of asked_at.
        found = await self._access.rows(
            select(APPROVALS).where(APPROVALS.c.applied_at.is_(None), which)
        )
        return sorted((_record(row) for row in found), key=lambda record: record.asked_at)


_OPEN = APPROVALS.c.status == ApprovalStatus.OPEN
_SETTLED = and_(APPROVALS.c.status != ApprovalStatus.OPEN, APPROVALS.c.applied_at.is_(None))


def _unclaimed(now: datetime) -> Any:
    until = APPROVALS.c.applying_until
    return or_(until.is_(None), until <= now)


def _expire(now: datetime) -> Any:
    overdue = _OPEN, APPROVALS.c.applied_at.is_(None), APPROVALS.c.expires_at <= now
    return update(APPROVALS).where(*overdue).values(status=ApprovalStatus.EXPIRED)


def approval_row(record: ApprovalRecord) -> dict[str, Any]:
    """The row of a question."""
    return dict(record) | {
        "priority": int(record.priority),
        "proposal": to_json(record.proposal),
    }


def _record(row: RowMapping) -> ApprovalRecord:
    return ApprovalRecord(**row)
