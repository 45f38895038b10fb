"""Situations that are not over: how they stand, who is asked about them, and what ends them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select, update

from blocks.ledger.calls.queries import newest
from blocks.ledger.engine.access import Access
from blocks.ledger.engine.dialect_sql import each_text
from blocks.ledger.engine.upsert import insert
from blocks.ledger.events.alerts import end_resolved
from blocks.ledger.events.records import Ending, SituationRecord, SituationStatus, situation_row
from blocks.ledger.events.tables import ALERTS, EVENTS, SITUATIONS
from blocks.ledger.work.approvals import ApprovalRecord, ApprovalStatus, approval_row
from blocks.ledger.work.tables import APPROVALS
from blocks.vocabulary.messages import Severity

NEED = "incident "
"""What the need key of a question about situations begins with."""

CLOSE = "close-incident"
"""The kind of such a question's proposal."""

MOST = 2000
"""Situations that are listed; ``counts`` counts all."""

_OPEN = SITUATIONS.c.settled_at.is_(None)
_STANDING = and_(_OPEN, SITUATIONS.c.status == SituationStatus.STANDING)


def _among(connection: Connection, situation_ids: Collection[str]) -> ColumnElement[bool]:
    """However many they are: as parameters of their own there could be too many."""
    these = each_text(connection, situation_ids)
    return SITUATIONS.c.id.in_(select(these.c.value))


class Incidents:
    """The situations in the ledger that are not over."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def open(self, limit: int = MOST) -> list[SituationRecord]:
        """All that are not over, news left out; the one opened last first."""
        return await self._records(
            newest(SITUATIONS.c.opened_at, limit).where(
                _OPEN, SITUATIONS.c.severity != Severity.INFO
            )
        )

    async def counts(self) -> dict[Severity, int]:
        """How many are not over, by severity; news left out, of the others each is there."""
        query = (
            select(SITUATIONS.c.severity, func.count().label("situations"))
            .where(_OPEN)
            .group_by(SITUATIONS.c.severity)
        )
        found = {row["severity"]: row["situations"] for row in await self._access.rows(query)}
        return {each: found.get(each, 0) for each in Severity if each is not Severity.INFO}

    async def heard(self) -> dict[str, datetime]:
        """When a source was last heard of each situation whose outage goes on, by its id."""
        outage = and_(ALERTS.c.source == EVENTS.c.source, ALERTS.c.event_id == EVENTS.c.id)
        query = (
            select(SITUATIONS.c.id, func.max(ALERTS.c.heard_at).label("heard_at"))
            .join(EVENTS, EVENTS.c.situation_id == SITUATIONS.c.id)
            .join(ALERTS, outage)
            .where(_STANDING, ALERTS.c.resolved_at.is_(None))
            .group_by(SITUATIONS.c.id)
        )
        return {row["id"]: row["heard_at"] for row in await self._access.rows(query)}

    async def things(self, situation_ids: Collection[str]) -> dict[str, frozenset[str]]:
        """What each of these situations has been told of: the fingerprints of its events."""
        query = (
            select(EVENTS.c.situation_id, EVENTS.c.fingerprint)
            .distinct()
            .where(EVENTS.c.situation_id.in_(sorted(situation_ids)))
        )
        found: dict[str, set[str]] = {}
        for row in await self._access.rows(query):
            found.setdefault(row["situation_id"], set()).add(row["fingerprint"])
        return {name: frozenset(things) for name, things in found.items()}

    async def stand(self, record: SituationRecord) -> SituationRecord:
        """Keep a situation that no event opened, and that stands until a person answers.

        Returns:
            The situation of that need, this one or an earlier one.
        """
        row = situation_row(record)
        statement = insert(self._access.dialect, SITUATIONS).values(row).on_conflict_do_nothing()

        same = select(SITUATIONS).where(SITUATIONS.c.need_key == record.need_key)

        def write(connection: Connection) -> SituationRecord:
            connection.execute(statement)
            return SituationRecord(**connection.execute(same).mappings().one())

        return await self._access.write(write)

    async def unasked(self, now: datetime) -> list[SituationRecord]:
        """Those about which a person is to be asked, again if need be; the oldest first.

        Whoever did not answer, or left it open, is asked anew when their question's time is up.
        """
        waits = APPROVALS.c.status.in_((ApprovalStatus.REJECTED, ApprovalStatus.EXPIRED))
        in_vain = or_(
            APPROVALS.c.id.is_(None),
            and_(waits, APPROVALS.c.expires_at <= now),
            APPROVALS.c.applied_at.is_not(None) & (APPROVALS.c.status == ApprovalStatus.APPROVED),
        )
        query = (
            select(SITUATIONS)
            .outerjoin(APPROVALS, APPROVALS.c.id == SITUATIONS.c.approval_id)
            .where(_STANDING, SITUATIONS.c.group_key.is_not(None), in_vain)
            .order_by(SITUATIONS.c.opened_at, SITUATIONS.c.id)
        )
        return await self._records(query)

    async def asked(self) -> dict[str, tuple[ApprovalRecord, list[SituationRecord]]]:
        """The open questions by group, each with the situations that it is about."""
        query = (
            select(SITUATIONS)
            .join(APPROVALS, APPROVALS.c.id == SITUATIONS.c.approval_id)
            .where(_STANDING, APPROVALS.c.status == ApprovalStatus.OPEN)
            .order_by(SITUATIONS.c.opened_at, SITUATIONS.c.id)
        )
        about: dict[str, list[SituationRecord]] = {}
        for one in await self._records(query):
            about.setdefault(str(one.approval_id), []).append(one)
        questions = select(APPROVALS).where(APPROVALS.c.id.in_(sorted(about)))
        return {
            str(about[row["id"]][0].group_key): (ApprovalRecord(**row), about[row["id"]])
            for row in await self._access.rows(questions)
        }

    async def ask(
        self, question: ApprovalRecord, situation_ids: Sequence[str]
    ) -> ApprovalRecord | None:
        """Put a question about situations, or tell in an open one of more of them.

        Question and situations are written together: a crash leaves none without the other.

        Returns:
            The question as it stands for its need; None when it was answered meanwhile.
        """
        dialect = self._access.dialect
        told = {"title": question.title, "detail": question.detail}
        put = insert(dialect, APPROVALS).values(approval_row(question)).on_conflict_do_nothing()
        of_need = APPROVALS.c.need_key == question.need_key
        is_open = APPROVALS.c.status == ApprovalStatus.OPEN

        def write(connection: Connection) -> ApprovalRecord | None:
            connection.execute(put)
            connection.execute(update(APPROVALS).where(of_need, is_open).values(told))
            row = connection.execute(select(APPROVALS).where(of_need, is_open)).mappings()
            if (found := row.one_or_none()) is None:
                return None
            connection.execute(
                update(SITUATIONS)
                .where(_among(connection, situation_ids), _OPEN)
                .values(approval_id=found["id"])
            )
            return ApprovalRecord(**found)

        return await self._access.write(write)

    async def answer(self, approval_id: str, by: str, now: datetime) -> int:
        """End the situations that a question is about; how many there are that it ended."""
        ended = {
            "status": SituationStatus.SETTLED,
            "settled_at": now,
            "ending": Ending.ANSWERED,
            "ended_by": by,
        }
        mine = SITUATIONS.c.approval_id == approval_id, _STANDING
        statement = update(SITUATIONS).where(*mine).values(ended)
        return await self._access.change(statement)

    async def end_resolved(self, now: datetime) -> None:
        """End those whose outages are all resolved, if that was missed."""
        await self._access.write(lambda c: end_resolved(c, now))

    async def pointless_questions(self) -> list[ApprovalRecord]:
        """Open questions about situations that are all over."""
        goes_on = select(SITUATIONS.c.id).where(_OPEN, SITUATIONS.c.approval_id == APPROVALS.c.id)
        query = select(APPROVALS).where(
            APPROVALS.c.applied_at.is_(None),
            APPROVALS.c.status == ApprovalStatus.OPEN,
            APPROVALS.c.need_key.startswith(NEED),
            ~goes_on.exists(),
        )
        return [ApprovalRecord(**row) for row in await self._access.rows(query)]

    async def _records(self, query: Select[tuple[object, ...]]) -> list[SituationRecord]:
        return [SituationRecord(**row) for row in await self._access.rows(query)]
