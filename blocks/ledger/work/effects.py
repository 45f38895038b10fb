"""Effects on the outside world: intended once per need, begun once per attempt, closed once.

Every change of state names the state that it starts from, and the attempt that it belongs to: of
processes that make it at once, one does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, Field
from sqlalchemy import ColumnElement, Connection, RowMapping, and_, or_, select, update

from blocks.ledger.calls.queries import newest
from blocks.ledger.engine.access import Access
from blocks.ledger.engine.prefixes import require_enough, the_one
from blocks.ledger.engine.upsert import insert
from blocks.ledger.engine.values import to_json
from blocks.ledger.work.claims import holds
from blocks.ledger.work.tables import EFFECTS
from blocks.models import Strict
from blocks.vocabulary.effects import EffectStatus, EffectVerdict
from blocks.vocabulary.messages import new_id

WEBHOOK = "webhook"
"""The kind that sends an event to a partner's endpoint."""

DELIVERIES = ("notification", "heartbeat", WEBHOOK)
"""Kinds that tell somebody something; all others change a thing, their target."""


ORDER = "purchase-order"
"""The kind that sends an order to a supplier."""


class EffectOutcome(Strict):
    """What came of an effect.

    Attributes:
        verdict: How it went; None where nothing is measured.
        reason: The rule by which it was refused, in a word.
        detail: What happened, in words.
        undoing: Whether the last that happened to it was that it was taken back, or tried to.
        before, after: Measurements; ``after`` is empty when nothing was done.
    """

    verdict: EffectVerdict | None = None
    reason: str = ""
    detail: str = ""
    undoing: bool = False
    before: dict[str, Any] = Field(default_factory=dict)
    after: dict[str, Any] = Field(default_factory=dict)


class EffectRecord(Strict):
    """One act on the outside world.

    Attributes:
        kind: ``agent.action``, or what another kind is called.
        target: What it acts on, ``type:name``.
        need_key: Unique: of those who decide at once, one acts.
        idempotency_key: Goes with the act, however often that is tried.
        cause: On behalf of what: a finding's fingerprint, a question's id.
        payload: What it takes to do it; JSON-able.
        task_id: The task that it is a part of; that asks a person itself.
        fence: Token of the claim of the target that it is done under.
        lease: Until then whoever acts is taken to be alive.
        attempts: How often it was begun, or begun to be taken back.
        tries_before: Of them, those before a person had it tried by its whole schedule again.
        queue: The queue of its own that it waits in; None: it is due with all others.
        next_at: When whoever sweeps is to look at it; None when nobody need. Of what is done, when
            it is to be taken back.
        approval_id: The question about it.
        receipt: Of the last decision about it.
    """

    id: str = Field(default_factory=new_id)
    kind: str
    target: str
    need_key: str
    idempotency_key: str = Field(default_factory=new_id)
    cause: str = ""
    payload: dict[str, Any] = Field(default_factory=dict)
    run_id: str | None = None
    task_id: str | None = None
    fence: int | None = None
    lease: AwareDatetime | None = None
    attempts: int = 0
    tries_before: int = 0
    queue: str | None = None
    intended_at: AwareDatetime
    next_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None
    status: EffectStatus = EffectStatus.INTENDED
    outcome: EffectOutcome = EffectOutcome()
    approval_id: str | None = None
    receipt: str | None = None

    @property
    def helped(self) -> bool:
        """Whether what was wrong is known to be well."""
        return self.outcome.verdict is not None and self.outcome.verdict.helped

    @property
    def params(self) -> dict[str, Any]:
        """What the agent's action is called with that does it; empty for other kinds."""
        remedy = self.payload.get("finding", {}).get("remedy") or {}
        return dict(remedy.get("params", {}))

    @property
    def awaits_a_yes(self) -> bool:
        """Whether it is not done before a person says so."""
        return (
            self.status is EffectStatus.INTENDED
            and self.next_at is None
            and self.approval_id is not None
        )

    @property
    def presumed_end(self) -> datetime | None:
        """When who is at it is taken to be dead; None when nobody is."""
        return self.lease or self.next_at


Closed = Callable[[Connection, EffectRecord], None]
"""What is written along with the end of an attempt."""


class Effects:
    """The effects in the ledger.

    Args:
        access: To the database.
        closed: By kind, what is written along with the end of an attempt.
    """

    def __init__(self, access: Access, closed: Mapping[str, Closed] | None = None) -> None:
        self._access = access
        self._closed = dict(closed or {})

    async def intend(self, effect: EffectRecord) -> bool:
        """Write down an effect before it acts.

        Args:
            effect: What is wanted. Its ``fence``, if it has one, must be the token of the present
                holder of the target's claim, at ``intended_at``.

        Returns:
            False when its need is taken (somebody else acts, or did), or its claim lost.
        """
        return await self._access.write(lambda connection: intend_in(connection, effect))

    async def begin(
        self, effect: EffectRecord, now: datetime, until: datetime
    ) -> EffectRecord | None:
        """Begin an attempt at what is intended; of those at once, one does.

        Args:
            effect: As it is known, with the fence that it is done under now.
            now: When.
            until: From then on whoever acts is taken to be dead.

        Returns:
            The effect with its new attempt; None when it is not intended any more, or its claim
            was lost.
        """
        begun = {
            "status": EffectStatus.ACTING,
            "fence": effect.fence,
            "attempts": effect.attempts + 1,
            "lease": until,
            "next_at": None,
            "receipt": effect.receipt,
        }
        statement = _from(effect, EffectStatus.INTENDED).values(begun)

        def write(connection: Connection) -> bool:
            if not _is_fenced(connection, effect, now):
                return False
            return bool(connection.execute(statement).rowcount)

        return effect.model_copy(update=begun) if await self._access.write(write) else None

    async def close(
        self,
        effect: EffectRecord,
        status: EffectStatus,
        outcome: EffectOutcome,
        now: datetime,
        *,
        receipt: str | None = None,
        next_at: datetime | None = None,
        late: bool = False,
    ) -> EffectRecord | None:
        """End an attempt, or what was never begun.

        Args:
            effect: As it was when its attempt began.
            status: Where it stands; ``intended`` again when it is to be tried again.
            outcome: What came of it.
            now: When.
            receipt: Of what was decided.
            next_at: When it is tried again, or a person has to be asked.
            late: Whether it may be closed anew that was given up as unknown meanwhile: who made
                the attempt lives after all.

        Returns:
            The effect as it stands then; None when another process has closed it otherwise.
        """
        sources = {effect.status} | ({EffectStatus.UNKNOWN} if late else set())
        closed = {
            "status": status,
            "outcome": outcome,
            "lease": None,
            "next_at": next_at,
            "finished_at": None if status.is_open else now,
            # By what was refused, the answer is found.
            "approval_id": effect.approval_id if status is EffectStatus.REFUSED else None,
            "receipt": receipt or effect.receipt,
        }
        return await self._change(effect, sources, closed)

    async def undo(self, effect: EffectRecord, until: datetime) -> EffectRecord | None:
        """Begin to take back what is done, or may be; None when it is not, or another one does."""
        undoing = {
            "status": EffectStatus.UNDOING,
            "attempts": effect.attempts + 1,
            "lease": until,
            "next_at": None,
            "finished_at": None,
        }
        return await self._change(effect, {EffectStatus.DONE, EffectStatus.UNKNOWN}, undoing)

    async def reopen(
        self, effect: EffectRecord, next_at: datetime | None = None
    ) -> EffectRecord | None:
        """Have what failed, or is unknown, tried again: a person says so.

        Args:
            effect: As it stands.
            next_at: When whoever sweeps does it; None when who reopens it does.

        Returns:
            None when it stands otherwise by now.
        """
        status = EffectStatus.DONE if effect.outcome.undoing else EffectStatus.INTENDED
        again = {"status": status, "next_at": next_at, "finished_at": None}
        return await self._change(effect, {EffectStatus.FAILED, EffectStatus.UNKNOWN}, again)

    async def asked(self, effect: EffectRecord, approval_id: str) -> EffectRecord | None:
        """Note the question about it, by which it rests until somebody answers.

        Returns:
            None when another one has noted it, or it stands otherwise by now.
        """
        not_yet = or_(
            EFFECTS.c.approval_id.is_distinct_from(approval_id), EFFECTS.c.next_at.is_not(None)
        )
        rests = {"approval_id": approval_id, "next_at": None}
        return await self._change(effect, {effect.status}, rests, not_yet)

    async def due(self, now: datetime) -> Sequence[EffectRecord]:
        """What has to be looked at: its time has come, or whoever acted is dead. Oldest first.

        What waits in a queue of its own is not among it: there may be very much of it.
        """
        # Sorted here: asked for an order, SQLite reads the whole table by the index of it.
        in_time = and_(EFFECTS.c.queue.is_(None), EFFECTS.c.next_at <= now)
        query = select(EFFECTS).where(or_(EFFECTS.c.lease <= now, in_time))
        found = [_record(row) for row in await self._access.rows(query)]
        return sorted(found, key=lambda effect: effect.intended_at)

    async def standing(self) -> Sequence[EffectRecord]:
        """What is done for a while only, and not taken back yet, newest first."""
        done = EFFECTS.c.status == EffectStatus.DONE
        return await self._list(and_(done, EFFECTS.c.next_at.is_not(None)), None)

    async def of_key(self, idempotency_key: str) -> EffectRecord | None:
        """The effect that an act with this key belongs to."""
        found = await self._list(EFFECTS.c.idempotency_key == idempotency_key, 1)
        return found[0] if found else None

    async def acts(
        self,
        *,
        since: datetime | None = None,
        target: str | None = None,
        run_id: str | None = None,
        limit: int | None = None,
    ) -> Sequence[EffectRecord]:
        """What was done, or is to be done, to things; intended at ``since`` or later.

        Newest first. Who was told what is not among them, nor what was ordered.
        """
        which: list[ColumnElement[bool]] = [EFFECTS.c.kind.not_in((*DELIVERIES, ORDER))]
        which += [EFFECTS.c.intended_at >= since] if since is not None else []
        which += [EFFECTS.c.target == target] if target is not None else []
        which += [EFFECTS.c.run_id == run_id] if run_id is not None else []
        return await self._list(and_(*which), limit)

    async def list(
        self, statuses: Collection[EffectStatus] = (), *, limit: int = 100
    ) -> Sequence[EffectRecord]:
        """Effects of these statuses (all, when none is named), newest first.

        What has a queue of its own is listed there.
        """
        which = [EFFECTS.c.queue.is_(None)]
        which += [EFFECTS.c.status.in_(statuses)] if statuses else []
        return await self._list(and_(*which), limit)

    async def get(self, id_or_prefix: str) -> EffectRecord:
        """One effect, by its id or by enough of its beginning.

        Raises:
            NotFound: There is none.
            RequestError: There are several, or the beginning is too short.
        """
        require_enough(id_or_prefix, "an effect")
        found = await self._list(EFFECTS.c.id.startswith(id_or_prefix, autoescape=True), 2)
        return the_one(found, id_or_prefix, "an effect", "./orchestrator effects --all")

    async def _list(
        self, which: ColumnElement[bool] | None, limit: int | None
    ) -> Sequence[EffectRecord]:
        query = newest(EFFECTS.c.intended_at, limit)
        query = query if which is None else query.where(which)
        return [_record(row) for row in await self._access.rows(query)]

    async def _change(
        self,
        effect: EffectRecord,
        sources: Collection[EffectStatus],
        values: dict[str, Any],
        *conditions: ColumnElement[bool],
    ) -> EffectRecord | None:
        changed = effect.model_copy(update=values)
        row = effect_row(changed)
        statement = _from(effect, *sources).where(*conditions)
        statement = statement.values({name: row[name] for name in values})
        then = self._closed.get(effect.kind)

        def write(connection: Connection) -> bool:
            done = bool(connection.execute(statement).rowcount)
            if done and then is not None:
                then(connection, changed)
            return done

        return changed if await self._access.write(write) else None


def intend_in(connection: Connection, effect: EffectRecord) -> bool:
    """``Effects.intend`` within a transaction that writes down more than the effect."""
    if not _is_fenced(connection, effect, effect.intended_at):
        return False
    statement = (
        insert(connection.dialect.name, EFFECTS)
        .values(effect_row(effect))
        .on_conflict_do_nothing(index_elements=["need_key"])
        .returning(EFFECTS.c.id)
    )
    return connection.scalar(statement) is not None


def _from(effect: EffectRecord, *sources: EffectStatus) -> Any:
    same = EFFECTS.c.id == effect.id, EFFECTS.c.attempts == effect.attempts
    return update(EFFECTS).where(*same, EFFECTS.c.status.in_(sources))


def _is_fenced(connection: Connection, effect: EffectRecord, now: datetime) -> bool:
    """Whether what has a fence holds its claim still; so it stays until the commit."""
    return effect.fence is None or holds(connection, effect.target, effect.fence, now)


def effect_row(effect: EffectRecord) -> dict[str, Any]:
    """The row of an effect."""
    return dict(effect) | {
        "payload": to_json(effect.payload),
        "outcome": to_json(effect.outcome.model_dump(mode="json")),
    }


def _record(row: RowMapping) -> EffectRecord:
    return EffectRecord(**row)
