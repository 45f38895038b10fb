"""Incidents that are not over: how they stand, who is asked about them, and what ends them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, or_, select, update

from blocks.errors import NotFound
from blocks.ledger.engine.upsert import insert
from blocks.ledger.events import changes, steps
from blocks.ledger.events.alerts import end_resolved
from blocks.ledger.events.changes import FLAPS
from blocks.ledger.events.incident_reads import OPEN, STANDING, IncidentReads, among
from blocks.ledger.events.records import IncidentRecord, incident_row
from blocks.ledger.events.tables import INCIDENTS
from blocks.ledger.incidents.entries import enter
from blocks.ledger.incidents.tables import SILENCES
from blocks.ledger.work.approvals import ApprovalRecord, ApprovalStatus, approval_row
from blocks.ledger.work.tables import APPROVALS
from blocks.vocabulary.messages import ORCHESTRATOR

NEED = "incident "
"""What the need key of a question about incidents begins with."""

CLOSE = "close-incident"
"""The kind of such a question's proposal."""


class Incidents(IncidentReads):
    """The incidents in the ledger."""

    async def stand(self, record: IncidentRecord) -> IncidentRecord:
        """Keep an incident that no event opened, and that stands until a person answers.

        Returns:
            The incident of that need, this one or an earlier one.
        """
        row = incident_row(record)
        statement = insert(self._access.dialect, INCIDENTS).values(row).on_conflict_do_nothing()

        same = select(INCIDENTS).where(INCIDENTS.c.need_key == record.need_key)

        def write(connection: Connection) -> IncidentRecord:
            if connection.execute(statement).rowcount:
                enter(connection, [steps.opened(record, ORCHESTRATOR)])
            return IncidentRecord(**connection.execute(same).mappings().one())

        return await self._access.write(write)

    async def unasked(self, now: datetime) -> Sequence[IncidentRecord]:
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
            .where(STANDING, INCIDENTS.c.group_key.is_not(None), in_vain)
            .where(INCIDENTS.c.silence_id.is_(None))
            .order_by(INCIDENTS.c.opened_at, INCIDENTS.c.id)
        )
        return await self._records(query)

    async def asked(self) -> dict[str, tuple[ApprovalRecord, list[IncidentRecord]]]:
        """The open questions by group, each with the incidents that it is about."""
        query = (
            select(INCIDENTS)
            .join(APPROVALS, APPROVALS.c.id == INCIDENTS.c.approval_id)
            .where(STANDING, APPROVALS.c.status == ApprovalStatus.OPEN)
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
                .where(among(connection, incident_ids), OPEN)
                .values(approval_id=found["id"])
            )
            return ApprovalRecord(**found)

        return await self._access.write(write)

    async def answer(self, approval_id: str, by: str, now: datetime) -> int:
        """End the incidents that a question is about; how many there are that it ended."""
        mine = INCIDENTS.c.approval_id == approval_id, STANDING

        def write(connection: Connection) -> int:
            these = connection.scalars(select(INCIDENTS.c.id).where(*mine)).all()
            return len(changes.end(connection, these, by, now))

        return await self._access.write(write)

    async def change(
        self, incident_id: str, judge: Callable[[IncidentRecord], changes.Change | None]
    ) -> IncidentRecord:
        """Change what people say of an incident, with the step that tells of it, or nothing.

        Of those who do so at once each sees what the other one left.

        Args:
            incident_id: Which one.
            judge: Given the incident as it stands, the change; None: there is nothing to change.
                It may be called more than once, and raises nothing.

        Returns:
            The incident as it stands then.

        Raises:
            NotFound: There is no such incident.
        """
        found = await self._access.write(lambda c: changes.change(c, incident_id, judge))
        if found is None:  # forgotten since it was named
            raise NotFound(
                f"There is no incident {incident_id!r}.", hint="./orchestrator incidents"
            )
        return found

    async def resolve(self, incident_id: str, by: str, note: str, now: datetime) -> bool:
        """End an incident: a person says so. False when it is over."""
        return await self._access.write(
            lambda c: bool(changes.end(c, [incident_id], by, now, note))
        )

    async def silence(self, now: datetime) -> int:
        """Note which open incidents silences cover at an instant; how many that changed.

        With no silence and none silenced it is two small queries.
        """
        some = select(SILENCES.c.id).where(SILENCES.c.ends_at > now).limit(1)
        silenced = select(INCIDENTS.c.id).where(OPEN, INCIDENTS.c.silence_id.is_not(None)).limit(1)
        if not (await self._access.rows(some) or await self._access.rows(silenced)):
            return 0
        return await self._access.write(lambda c: changes.silence(c, now))

    async def calm(self, now: datetime, unchanged: timedelta) -> int:
        """Let those be steady that flapped and have not changed for so long; how many.

        What does not fire then is over.
        """
        if not await self._access.rows(select(INCIDENTS.c.id).where(OPEN, FLAPS).limit(1)):
            return 0
        return await self._access.write(lambda c: changes.calm(c, now, unchanged))

    async def end_resolved(self, now: datetime) -> None:
        """End those whose outages are all resolved, if that was missed."""
        await self._access.write(lambda c: end_resolved(c, now))

    async def pointless_questions(self) -> list[ApprovalRecord]:
        """Open questions about incidents that are all over."""
        goes_on = select(INCIDENTS.c.id).where(OPEN, INCIDENTS.c.approval_id == APPROVALS.c.id)
        query = select(APPROVALS).where(
            APPROVALS.c.applied_at.is_(None),
            APPROVALS.c.status == ApprovalStatus.OPEN,
            APPROVALS.c.need_key.startswith(NEED),
            ~goes_on.exists(),
        )
        return [ApprovalRecord(**row) for row in await self._access.rows(query)]
