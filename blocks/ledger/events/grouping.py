"""The life of an incident in the ledger: opened, responded to by one run, and one day over.

Whoever changes an incident locks its row first, then its events, so that a late event never joins
an incident that is settled meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    update,
)

from blocks.ledger.engine.prepared import Prepared
from blocks.ledger.engine.upsert import insert
from blocks.ledger.events import steps
from blocks.ledger.events.alerts import FIRES, HAS_OUTAGE, among, homes_of
from blocks.ledger.events.records import (
    Ending,
    EventKey,
    EventStatus,
    IncidentRecord,
    IncidentStatus,
    incident_row,
)
from blocks.ledger.events.reopening import earlier, reopen
from blocks.ledger.events.tables import EVENTS, INCIDENTS
from blocks.ledger.incidents.entries import enter
from blocks.policy.watching.incident_rules import IncidentRules
from blocks.vocabulary.messages import Severity

RESPONDED = (IncidentStatus.STANDING, IncidentStatus.SETTLED)
"""What no run need respond to."""

UNSETTLED = EVENTS.c.settled_at.is_(None)

RESOURCE = func.coalesce(func.nullif(EVENTS.c.subject, literal_column("''")), EVENTS.c.source)
"""What an event is about, as ``flows.orchestrator.events.correlation`` sees it."""


_NOT_RESPONDED = and_(*(INCIDENTS.c.status != status for status in RESPONDED))

# Key by key: of a list of pairs neither database makes much of the index.
_MINE = and_(
    EVENTS.c.source == bindparam("of_source"),
    EVENTS.c.id == bindparam("of_event"),
    EVENTS.c.taken_by == bindparam("of_run"),
    EVENTS.c.status == EventStatus.TAKEN,
)
_THE_RUNS_OWN = Prepared(select(EVENTS.c.id).where(_MINE))
_PUT = Prepared(
    update(EVENTS)
    .where(_MINE)
    .values(
        incident_id=bindparam("into"),
        status=bindparam("new_status"),
        settled_at=bindparam("settled"),
    )
)
_OPEN_ONE = Prepared(lambda dialect: insert(dialect, INCIDENTS).on_conflict_do_nothing())


def free(now: datetime) -> ColumnElement[bool]:
    """Events that nobody works on, or whose taker was not heard of in time."""
    return or_(EVENTS.c.status == EventStatus.WAITING, EVENTS.c.taken_until <= now)


def join(
    connection: Connection,
    wanted: IncidentRecord,
    keys: Sequence[EventKey],
    by: str,
    now: datetime,
    rules: IncidentRules,
) -> IncidentRecord | None:
    """Put a run's events into an incident; see ``Inbox.join``."""
    named = [{"of_source": source, "of_event": name, "of_run": by} for source, name in keys]
    if not any(_THE_RUNS_OWN.execute(connection, one).first() for one in named):
        return None
    standing: IncidentRecord | None = wanted
    if _OPEN_ONE.execute(connection, incident_row(wanted)).rowcount:
        enter(connection, [steps.opened(wanted, by=keys[0][0])])
    else:
        standing = _locked(connection, INCIDENTS.c.need_key == wanted.need_key)
    assert standing is not None, "it was inserted, or stood there"
    if standing.status is IncidentStatus.STANDING:
        if worse := _worse(connection, standing, keys):
            standing = _open_again(connection, standing, worse, keys[0][0], now)
    elif standing.is_over and any(
        each.incident.id == standing.id and each.may_reopen(rules, now)
        for each in earlier(connection, keys).values()
    ):
        standing = reopen(connection, standing, keys, rules, now)
    into = _joining(standing, now)
    _PUT.execute(connection, [one | into for one in named])
    return _recounted(connection, standing)


def _joining(standing: IncidentRecord, now: datetime) -> dict[str, object]:
    """What becomes of an event that joins an incident."""
    if standing.status in RESPONDED:
        return {"into": standing.id, "new_status": EventStatus.SETTLED, "settled": now}
    return {"into": standing.id, "new_status": EventStatus.TAKEN, "settled": None}


def _worse(
    connection: Connection, standing: IncidentRecord, keys: Sequence[EventKey]
) -> Severity | None:
    """The greatest severity of the events, if nothing of the present outage is as grave."""
    rank = select(func.max(EVENTS.c.rank))
    its_own = rank.where(EVENTS.c.incident_id == standing.id)
    if standing.reopened_at is not None:
        its_own = its_own.where(EVENTS.c.received_at >= standing.reopened_at)
    before, coming = connection.scalar(its_own), connection.scalar(rank.where(among(keys)))
    is_worse = coming is not None and (before is None or coming > before)
    return list(Severity)[coming] if is_worse else None


def _open_again(
    connection: Connection, standing: IncidentRecord, worse: Severity, by: str, now: datetime
) -> IncidentRecord:
    """Have it responded to again; whoever saw to it saw to something milder."""
    values = {
        "status": IncidentStatus.OPEN,
        "run_id": None,
        "worsened_at": now,
        "acknowledged_by": None,
        "acknowledged_at": None,
        "acknowledged_until": None,
    }
    connection.execute(update(INCIDENTS).where(INCIDENTS.c.id == standing.id).values(values))
    enter(connection, [steps.worsened(standing, worse, now, by)])
    return standing.model_copy(update=values)


def place(
    connection: Connection, keys: Sequence[EventKey], by: str, now: datetime
) -> set[EventKey]:
    """Put events of an outage that goes on, or is over, where it is; see ``Inbox.place``."""
    placed = set()
    for (source, name), home in sorted(homes_of(connection, keys).items()):
        standing = _locked(connection, INCIDENTS.c.id == home)
        assert standing is not None, "an event joins what is there"
        named = {"of_source": source, "of_event": name, "of_run": by}
        if _PUT.execute(connection, named | _joining(standing, now)).rowcount:
            _recounted(connection, standing)
        placed.add((source, name))
    return placed


def begin(connection: Connection, incident_id: str, run_id: str, now: datetime) -> bool:
    """Make the run the one that responds; see ``Inbox.respond``."""
    known = {"of_id": incident_id, "of_run": run_id, "now": now}
    return bool(_BEGIN.execute(connection, known).rowcount)


_HOLDER_LIVES = (
    select(EVENTS.c.id)
    .where(
        EVENTS.c.incident_id == INCIDENTS.c.id,
        UNSETTLED,
        EVENTS.c.taken_by == INCIDENTS.c.run_id,
        EVENTS.c.taken_until > bindparam("now"),
    )
    .exists()
)
_THIS = INCIDENTS.c.id == bindparam("of_id")
_BEGIN = Prepared(
    update(INCIDENTS)
    .where(
        _THIS,
        _NOT_RESPONDED,
        or_(
            INCIDENTS.c.run_id.is_(None),
            INCIDENTS.c.run_id == bindparam("of_run"),
            ~_HOLDER_LIVES,
        ),
    )
    .values(
        status=IncidentStatus.RESPONDING,
        run_id=bindparam("of_run"),
        updated_at=bindparam("now"),
    )
)


def settle(
    connection: Connection, incident: IncidentRecord, now: datetime
) -> IncidentRecord | None:
    """Keep the response to an incident, and settle its events; see ``Inbox.settle``.

    What our own look ended is over. Else it stands as long as one of its outages goes on, and is
    over when all are resolved; one without any is as whoever responded says.
    """
    this = {"of_id": incident.id, "of_run": incident.run_id, "now": now}
    if _LOCK.execute(connection, this).first() is None:
        return None
    _SETTLE_EVENTS.execute(connection, this)
    events, fires, has_outage, flaps = _SEEN.execute(connection, this).one()
    how = _how_it_stands(incident, fires, has_outage, flaps, now)
    settled = incident.model_copy(update={"responded_at": now, "events": events, **how})
    _KEEP.execute(connection, incident_row(settled) | this)
    told = [steps.responded(settled, now)]
    told += [steps.ended(settled.id, settled.ending, now)] if settled.is_over else []
    enter(connection, told)
    return settled


_LOCK = Prepared(
    select(INCIDENTS.c.id)
    .where(
        _THIS,
        INCIDENTS.c.run_id == bindparam("of_run"),
        or_(_NOT_RESPONDED, INCIDENTS.c.responded_at == bindparam("now")),
    )
    .with_for_update()
)
_SETTLE_EVENTS = Prepared(
    update(EVENTS)
    .where(UNSETTLED, EVENTS.c.incident_id == bindparam("of_id"))
    .values(status=EventStatus.SETTLED, settled_at=bindparam("now"))
)
_UNCHANGED = (
    *("id", "opened_at", "updated_at", "need_key", "resource", "approval_id"),
    *("type", "labels", "notice_group", "outages", "previous_id", "reopened_at", "worsened_at"),
    *("flapping_since", "acknowledged_by", "acknowledged_at", "acknowledged_until"),
    *("assigned_to", "silence_id"),
)
"""What a response does not change: people and sources may do so meanwhile."""
_KEEP = Prepared(
    update(INCIDENTS)
    .where(_THIS)
    .values({c: bindparam(c.name, type_=c.type) for c in INCIDENTS.c if c.name not in _UNCHANGED})
)
_COUNT = (
    select(func.count())
    .where(EVENTS.c.incident_id == INCIDENTS.c.id)
    .correlate(INCIDENTS)
    .scalar_subquery()
)
_SEEN = Prepared(
    select(_COUNT, FIRES, HAS_OUTAGE, INCIDENTS.c.flapping_since.is_not(None)).where(_THIS)
)


def _how_it_stands(
    incident: IncidentRecord, fires: bool, has_outage: bool, flaps: bool, now: datetime
) -> dict[str, object]:
    if flaps:
        return {"status": IncidentStatus.STANDING, "settled_at": None, "ending": None}
    over = {"status": IncidentStatus.SETTLED, "settled_at": now}
    if incident.ending is not None:
        return over
    if fires:
        return {"status": IncidentStatus.STANDING, "settled_at": None}
    if has_outage:
        return over | {"ending": Ending.RESOLVED}
    if incident.status is IncidentStatus.STANDING:
        return {"settled_at": None}
    return over


def _locked(connection: Connection, *conditions: ColumnElement[bool]) -> IncidentRecord | None:
    query = select(INCIDENTS).where(*conditions).with_for_update()
    row = connection.execute(query).mappings().one_or_none()
    return IncidentRecord(**row) if row else None


def _recounted(connection: Connection, incident: IncidentRecord) -> IncidentRecord:
    """The incident with the number of its events brought up to date."""
    events = _RECOUNT.execute(connection, {"of_id": incident.id}).scalar_one()
    return incident.model_copy(update={"events": events})


_RECOUNT = Prepared(
    update(INCIDENTS).where(_THIS).values(events=_COUNT).returning(INCIDENTS.c.events)
)
