"""Incidents that are not over: how they stand, who is asked about them, and what ends them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select, update

from blocks.ledger.calls.queries import newest
from blocks.ledger.engine.access import Access
from blocks.ledger.engine.dialect_sql import each_text
from blocks.ledger.engine.upsert import insert
from blocks.ledger.events.alerts import end_resolved
from blocks.ledger.events.records import Ending, IncidentRecord, IncidentStatus, incident_row
from blocks.ledger.events.tables import ALERTS, EVENTS, INCIDENTS
from blocks.ledger.work.approvals import ApprovalRecord, ApprovalStatus, approval_row
from blocks.ledger.work.tables import APPROVALS
from blocks.vocabulary.messages import Severity

NEED = "incident "
"""What the need key of a question about incidents begins with."""

CLOSE = "close-incident"
"""The kind of such a question's proposal."""

MOST = 2000
"""Incidents that are listed; ``counts`` counts all."""

_OPEN = INCIDENTS.c.settled_at.is_(None)
_STANDING = and_(_OPEN, INCIDENTS.c.status == IncidentStatus.STANDING)


def _among(connection: Connection, incident_ids: Collection[str]) -> ColumnElement[bool]:
    """However many they are: as parameters of their own there could be too many."""
    these = each_text(connection, incident_ids)
    return INCIDENTS.c.id.in_(select(these.c.value))


class Incidents:
    """The incidents in the ledger that are not over."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def open(self, limit: int = MOST) -> list[IncidentRecord]:
        """All that are not over, news left out; the one opened last first."""
        return await self._records(
            newest(INCIDENTS.c.opened_at, limit).where(_OPEN, INCIDENTS.c.severity != Severity.INFO)
        )

    async def counts(self) -> dict[Severity, int]:
        """How many are not over, by severity; news left out, of the others each is there."""
        query = (
            select(INCIDENTS.c.severity, func.count().label("incidents"))
            .where(_OPEN)
            .group_by(INCIDENTS.c.severity)
        )
        found = {row["severity"]: row["incidents"] for row in await self._access.rows(query)}
        return {each: found.get(each, 0) for each in Severity if each is not Severity.INFO}

    async def heard(self) -> dict[str, datetime]:
        """When a source was last heard of each incident whose outage goes on, by its id."""
        outage = and_(ALERTS.c.source == EVENTS.c.source, ALERTS.c.event_id == EVENTS.c.id)
        query = (
            select(INCIDENTS.c.id, func.max(ALERTS.c.heard_at).label("heard_at"))
            .join(EVENTS, EVENTS.c.incident_id == INCIDENTS.c.id)
            .join(ALERTS, outage)
            .where(_STANDING, ALERTS.c.resolved_at.is_(None))
            .group_by(INCIDENTS.c.id)
        )
        return {row["id"]: row["heard_at"] for row in await self._access.rows(query)}

    async def things(self, incident_ids: Collection[str]) -> dict[str, frozenset[str]]:
        """What each of these incidents has been told of: the fingerprints of its events."""
        query = (
            select(EVENTS.c.incident_id, EVENTS.c.fingerprint)
            .distinct()
            .where(EVENTS.c.incident_id.in_(sorted(incident_ids)))
        )
        found: dict[str, set[str]] = {}
        for row in await self._access.rows(query):
            found.setdefault(row["incident_id"], set()).add(row["fingerprint"])
        return {name: frozenset(things) for name, things in found.items()}

    async def stand(self, record: IncidentRecord) -> IncidentRecord:
        """Keep an incident that no event opened, and that stands until a person answers.

        Returns:
            The incident of that need, this one or an earlier one.
        """
        row = incident_row(record)
        statement = insert(self._access.dialect, INCIDENTS).values(row).on_conflict_do_nothing()

        same = select(INCIDENTS).where(INCIDENTS.c.need_key == record.need_key)

        def write(connection: Connection) -> IncidentRecord:
            connection.execute(statement)
            return IncidentRecord(**connection.execute(same).mappings().one())

        return await self._access.write(write)

    async def unasked(self, now: datetime) -> list[IncidentRecord]:
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
            select(INCIDENTS)
            .outerjoin(APPROVALS, APPROVALS.c.id == INCIDENTS.c.approval_id)
            .where(_STANDING, INCIDENTS.c.group_key.is_not(None), in_vain)
            .order_by(INCIDENTS.c.opened_at, INCIDENTS.c.id)
        )
        return await self._records(query)

    async def asked(self) -> dict[str, tuple[ApprovalRecord, list[IncidentRecord]]]:
        """The open questions by group, each with the incidents that it is about."""
        query = (
            select(INCIDENTS)
            .join(APPROVALS, APPROVALS.c.id == INCIDENTS.c.approval_id)
            .where(_STANDING, APPROVALS.c.status == ApprovalStatus.OPEN)
            .order_by(INCIDENTS.c.opened_at, INCIDENTS.c.id)
        )
        about: dict[str, list[IncidentRecord]] = {}
        for one in await self._records(query):
            about.setdefault(str(one.approval_id), []).append(one)
        questions = select(APPROVALS).where(APPROVALS.c.id.in_(sorted(about)))
        return {
            str(about[row["id"]][0].group_key): (ApprovalRecord(**row), about[row["id"]])
            for row in await self._access.rows(questions)
        }

    async def ask(
        self, question: ApprovalRecord, incident_ids: Sequence[str]
    ) -> ApprovalRecord | None:
        """Put a question about incidents, or tell in an open one of more of them.

        Question and incidents are written together: a crash leaves none without the other.

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
                update(INCIDENTS)
                .where(_among(connection, incident_ids), _OPEN)
                .values(approval_id=found["id"])
            )
            return ApprovalRecord(**found)

        return await self._access.write(write)

    async def answer(self, approval_id: str, by: str, now: datetime) -> int:
        """End the incidents that a question is about; how many there are that it ended."""
        ended = {
            "status": IncidentStatus.SETTLED,
            "settled_at": now,
            "ending": Ending.ANSWERED,
            "ended_by": by,
        }
        mine = INCIDENTS.c.approval_id == approval_id, _STANDING
        statement = update(INCIDENTS).where(*mine).values(ended)
        return await self._access.change(statement)

    async def end_resolved(self, now: datetime) -> None:
        """End those whose outages are all resolved, if that was missed."""
        await self._access.write(lambda c: end_resolved(c, now))

    async def pointless_questions(self) -> list[ApprovalRecord]:
        """Open questions about incidents that are all over."""
        goes_on = select(INCIDENTS.c.id).where(_OPEN, INCIDENTS.c.approval_id == APPROVALS.c.id)
        query = select(APPROVALS).where(
            APPROVALS.c.applied_at.is_(None),
            APPROVALS.c.status == ApprovalStatus.OPEN,
            APPROVALS.c.need_key.startswith(NEED),
            ~goes_on.exists(),
        )
        return [ApprovalRecord(**row) for row in await self._access.rows(query)]

    async def _records(self, query: Select[tuple[object, ...]]) -> list[IncidentRecord]:
        return [IncidentRecord(**row) for row in await self._access.rows(query)]
