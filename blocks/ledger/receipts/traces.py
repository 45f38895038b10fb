"""Everything that the ledger knows about one id: decisions, and how what they are about stands."""

from __future__ import annotations

from collections.abc import Callable, Collection
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime
from sqlalchemy import Connection, Select, Table, or_, select

from blocks.errors import RequestError
from blocks.ledger.calls.queries import begins
from blocks.ledger.calls.records import ReceiptRecord
from blocks.ledger.calls.tables import MESSAGES, REPLIES, RUNS
from blocks.ledger.engine.access import Access
from blocks.ledger.engine.prefixes import SHORTEST_PREFIX
from blocks.ledger.events.tables import INCIDENTS
from blocks.ledger.receipts.chain import receipt_record
from blocks.ledger.receipts.tables import OUTCOMES, RECEIPTS
from blocks.ledger.work.tables import APPROVALS, TASKS
from blocks.models import Frozen

_MOST = 1000  # decisions that are told of one id


class TraceKind(StrEnum):
    """What an id can be of."""

    RECEIPT = "receipt"
    TASK = "task"
    MESSAGE = "message"
    RUN = "run"
    INCIDENT = "incident"
    APPROVAL = "approval"
    SUBJECT = "subject"


class Standing(Frozen):
    """How something stands that decisions are about.

    Attributes:
        title: What it is, for instance the type of a task.
        status: As the ledger names it; a message without a reply is ``unanswered``.
        at: Since when; None when it is not settled.
        detail: Who did it, or what went wrong; may be empty.
    """

    kind: TraceKind
    id: str
    title: str
    status: str
    at: AwareDatetime | None
    detail: str


class Trace(Frozen):
    """What the ledger knows about one id.

    Attributes:
        receipts: The decisions in order of time, at most the first 1,000.
        standings: Of each task, message, run, incident and approval among them.
        verdicts: What a later comparison said of a decision, by its receipt's id.
    """

    kind: TraceKind
    id: str
    receipts: list[ReceiptRecord]
    standings: list[Standing]
    verdicts: dict[str, str]


_TABLES: dict[TraceKind, Table] = {
    TraceKind.RECEIPT: RECEIPTS,
    TraceKind.TASK: TASKS,
    TraceKind.MESSAGE: MESSAGES,
    TraceKind.RUN: RUNS,
    TraceKind.INCIDENT: INCIDENTS,
    TraceKind.APPROVAL: APPROVALS,
}


class Traces:
    """The ledger, asked about one id."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def find(self, id_or_prefix: str) -> Trace:
        """What is known of a receipt, task, message, run, incident or approval.

        Args:
            id_or_prefix: Its id, or at least 6 characters that no other one begins with; also the
                exact subject of a decision, for instance ``service:shop``.

        Raises:
            RequestError: There is none, or several.
            LedgerError: The ledger cannot be read.
        """
        return await self._access.read(lambda connection: _trace(connection, id_or_prefix))


def _trace(connection: Connection, wanted: str) -> Trace:
    kind, found = _named(connection, wanted)
    chosen = _decisions(connection, kind, found)
    query = select(RECEIPTS).where(chosen).order_by(RECEIPTS.c.at, RECEIPTS.c.seq).limit(_MOST)
    receipts = [receipt_record(row) for row in connection.execute(query).mappings()]
    subjects = {found, *(receipt.subject for receipt in receipts)}
    verdicts = select(OUTCOMES.c.receipt_id, OUTCOMES.c.verdict).where(
        OUTCOMES.c.receipt_id.in_([receipt.id for receipt in receipts])
    )
    return Trace(
        kind=kind,
        id=found,
        receipts=receipts,
        standings=[
            stand(row)
            for query, stand in _standings(subjects)
            for row in connection.execute(query).mappings()
        ],
        verdicts={row.receipt_id: row.verdict for row in connection.execute(verdicts)},
    )


def _named(connection: Connection, wanted: str) -> tuple[TraceKind, str]:
    for kind, table in _TABLES.items():
        if connection.scalar(select(table.c.id).where(table.c.id == wanted)) is not None:
            return kind, wanted
    if connection.scalar(select(RECEIPTS.c.seq).where(RECEIPTS.c.subject == wanted).limit(1)):
        return TraceKind.SUBJECT, wanted
    if len(wanted) < SHORTEST_PREFIX:
        raise RequestError(
            f"{wanted!r} is too short to name anything.",
            hint=f"Give at least {SHORTEST_PREFIX} characters of the id.",
        )
    found = [
        (kind, id_)
        for kind, table in _TABLES.items()
        for id_ in connection.scalars(select(table.c.id).where(begins(table.c.id, wanted)).limit(3))
    ]
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(f"{kind} {id_}" for kind, id_ in found[:3])
        raise RequestError(f"{wanted!r} names more than one thing.", hint=f"Among them: {several}.")
    raise RequestError(
        f"The ledger knows no {wanted!r}.",
        hint="Give the id of a receipt, task, message, run, incident or approval.",
    )


def _decisions(connection: Connection, kind: TraceKind, found: str) -> Any:
    """Which receipts tell of it: those about it, and about what was done for it."""
    subject, run_id = RECEIPTS.c.subject, RECEIPTS.c.run_id
    match kind:
        case TraceKind.RECEIPT:
            return RECEIPTS.c.id == found
        case TraceKind.RUN:
            return or_(run_id == found, subject == found)
        case TraceKind.TASK:
            messages = select(MESSAGES.c.id).where(MESSAGES.c.task_id == found)
            approvals = select(APPROVALS.c.id).where(APPROVALS.c.task_id == found)
            return or_(subject == found, subject.in_(messages), subject.in_(approvals))
        case TraceKind.INCIDENT:
            run = connection.scalar(select(INCIDENTS.c.run_id).where(INCIDENTS.c.id == found))
            return or_(subject == found, run_id == run) if run else subject == found
        case TraceKind.APPROVAL:
            task = connection.scalar(select(APPROVALS.c.task_id).where(APPROVALS.c.id == found))
            return subject.in_([found, task]) if task else subject == found
    return subject == found


Row = Any
_Standings = list[tuple[Select[Any], Callable[[Row], Standing]]]


def _standings(ids: Collection[str]) -> _Standings:
    answered = MESSAGES.outerjoin(REPLIES, REPLIES.c.message_id == MESSAGES.c.id)
    replies = (REPLIES.c.replied_at, REPLIES.c.outcome, REPLIES.c.error, REPLIES.c.attempts)
    return [
        (select(TASKS).where(TASKS.c.id.in_(ids)).order_by(TASKS.c.requested_at), _task),
        (
            select(MESSAGES, *replies)
            .select_from(answered)
            .where(MESSAGES.c.id.in_(ids))
            .order_by(MESSAGES.c.sent_at),
            _message,
        ),
        (select(RUNS).where(RUNS.c.id.in_(ids)), _run),
        (select(INCIDENTS).where(INCIDENTS.c.id.in_(ids)), _incident),
        (select(APPROVALS).where(APPROVALS.c.id.in_(ids)), _approval),
    ]


def _task(row: Row) -> Standing:
    by = f"by {row['played_by']}" if row["played_by"] else ""
    return _standing(
        TraceKind.TASK, row, row["task_type"], row["status"], row["finished_at"], by, row["error"]
    )


def _message(row: Row) -> Standing:
    tries = f"{row['attempts']} attempts" if (row["attempts"] or 0) > 1 else ""
    title = f"{row['recipient']}.{row['action']}"
    status = row["outcome"] or "unanswered"
    return _standing(TraceKind.MESSAGE, row, title, status, row["replied_at"], tries, row["error"])


def _run(row: Row) -> Standing:
    status = row["outcome"] or "going on"
    return _standing(TraceKind.RUN, row, row["workflow"], status, row["finished_at"])


def _incident(row: Row) -> Standing:
    detail = f"{row['events']} events about {row['resource']}"
    return _standing(
        TraceKind.INCIDENT, row, row["title"], row["status"], row["settled_at"], detail
    )


def _approval(row: Row) -> Standing:
    told = (f"by {row['answered_by']}" if row["answered_by"] else "", row["note"], row["outcome"])
    detail = "; ".join(text for text in told if text)
    return _standing(
        TraceKind.APPROVAL, row, row["title"], row["status"], row["answered_at"], detail
    )


def _standing(
    kind: TraceKind, row: Row, title: str, status: str, at: Any, detail: str = "", error: Any = None
) -> Standing:
    told = "; ".join(text for text in (detail, error["what"] if error else "") if text)
    return Standing(kind=kind, id=row["id"], title=title, status=status, at=at, detail=told)
