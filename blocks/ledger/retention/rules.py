"""What may be forgotten, table by table: what is over, and needed by nothing that is kept.

Receipts are not among it: they are a chain, and go by their number (``receipts.checkpoints``).
Nor is what always stays: claims, whose tokens only grow, and tokens, policies, endpoints and how
far outcomes are settled, which are few.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, bindparam, func, or_, select, true

from blocks.ledger.callers.tables import API_REQUESTS
from blocks.ledger.calls.tables import (
    ATTEMPTS,
    DEAD_LETTERS,
    LEASES,
    MESSAGES,
    REPLIES,
    REPORTS,
    RUNS,
)
from blocks.ledger.engine.tables import Instant
from blocks.ledger.events.tables import ALERTS, EVENTS, INCIDENTS
from blocks.ledger.firings.tables import RULE_FIRINGS
from blocks.ledger.incidents.tables import INCIDENT_ENTRIES, INCIDENT_INHIBITIONS, SILENCES
from blocks.ledger.purchasing.tables import (
    ORDER_ENTRIES,
    ORDER_LINES,
    ORDER_OUTCOMES,
    ORDERS,
)
from blocks.ledger.receipts.tables import OUTCOMES
from blocks.ledger.samples.tables import SAMPLE_DAYS, SAMPLES
from blocks.ledger.snapshots.tables import SNAPSHOT_ITEMS, SNAPSHOT_PARTS, SNAPSHOTS
from blocks.ledger.webhooks.tables import DELIVERIES, DELIVERY_ATTEMPTS, PARTNER_EVENTS
from blocks.ledger.work.effects import ORDER
from blocks.ledger.work.tables import APPROVALS, EFFECTS, TASKS, TELLINGS
from blocks.vocabulary.effects import EffectStatus

BEFORE = bindparam("before", type_=Instant)
"""What is of this instant or later is kept."""


@dataclass(frozen=True)
class Rule:
    """Which rows of a table may go.

    Attributes:
        kind: The setting that says how long they are kept.
        age: The instant that counts; of a large table it has an index.
        over: What must be true of them besides.
    """

    kind: str
    table: Table
    age: ColumnElement[Any]
    over: ColumnElement[bool]

    @property
    def due(self) -> ColumnElement[bool]:
        """Which rows may go."""
        return and_(self.age < BEFORE, self.over)


def _any(*where: ColumnElement[bool]) -> ColumnElement[bool]:
    return select(1).where(*where).exists()


def _ended(instant: ColumnElement[Any]) -> ColumnElement[bool]:
    return and_(instant.is_not(None), instant < BEFORE)


def _goes_on(instant: ColumnElement[Any]) -> ColumnElement[bool]:
    return or_(instant.is_(None), instant >= BEFORE)


# What an open task asked for is not asked again when it is resumed.
_MESSAGE_STAYS = or_(
    MESSAGES.c.sent_at >= BEFORE,
    _any(TASKS.c.id == MESSAGES.c.task_id, TASKS.c.finished_at.is_(None)),
)

_QUESTION_OF_TASK = _any(APPROVALS.c.task_id == TASKS.c.id, APPROVALS.c.applied_at.is_(None))

# How an alert stands follows from the events with which its last outage began and ended.
_EVENT_STAYS = or_(
    EVENTS.c.received_at >= BEFORE,
    EVENTS.c.settled_at.is_(None),
    _any(
        ALERTS.c.source == EVENTS.c.source,
        or_(ALERTS.c.event_id == EVENTS.c.id, ALERTS.c.resolved_by == EVENTS.c.id),
        _goes_on(ALERTS.c.resolved_at),
    ),
)

_LATER_REPORT, _LATER_SNAPSHOT = REPORTS.alias(), SNAPSHOTS.alias()
_NOT_LAST_REPORT = _any(
    _LATER_REPORT.c.workflow == REPORTS.c.workflow,
    _LATER_REPORT.c.created_at > REPORTS.c.created_at,
)
_NOT_LAST_SNAPSHOT = or_(
    ~SNAPSHOTS.c.complete,
    _any(
        _LATER_SNAPSHOT.c.store == SNAPSHOTS.c.store,
        _LATER_SNAPSHOT.c.complete,
        _LATER_SNAPSHOT.c.taken_at > SNAPSHOTS.c.taken_at,
    ),
)


def _of_snapshots(table: Table) -> Rule:
    """Apart from their snapshot: they are large."""
    of = SNAPSHOTS.c.id == table.c.snapshot_id
    taken_at = select(SNAPSHOTS.c.taken_at).where(of).scalar_subquery()
    return Rule("snapshots", table, taken_at, _any(of, _NOT_LAST_SNAPSHOT))


_OF_ORDER = EFFECTS.alias()

# What was not sent for sure is over with its effect, all else once nothing more comes of it.
_ORDER_IS_OVER = or_(
    _ended(ORDERS.c.ended_at),
    _any(
        _OF_ORDER.c.id == ORDERS.c.effect_id,
        or_(_OF_ORDER.c.status == EffectStatus.REFUSED, _OF_ORDER.c.status == EffectStatus.FAILED),
        _ended(_OF_ORDER.c.finished_at),
    ),
)

_ORDER_STAYS = or_(ORDERS.c.proposed_at >= BEFORE, ~_ORDER_IS_OVER)


def _of_orders(table: Table) -> Rule:
    """Before their order: without it nobody would know them for its."""
    of = ORDERS.c.id == table.c.order_id
    proposed_at = select(ORDERS.c.proposed_at).where(of).scalar_subquery()
    return Rule("effects", table, proposed_at, _any(of, _ORDER_IS_OVER))


_SENDS = EFFECTS.alias()
_DELIVERY_IS_OVER = ~_any(_SENDS.c.id == DELIVERIES.c.effect_id, _goes_on(_SENDS.c.finished_at))

RULES = [
    Rule(
        "calls",
        ATTEMPTS,
        ATTEMPTS.c.started_at,
        ~_any(MESSAGES.c.id == ATTEMPTS.c.message_id, _MESSAGE_STAYS),
    ),
    Rule(
        "calls",
        REPLIES,
        REPLIES.c.replied_at,
        ~_any(MESSAGES.c.id == REPLIES.c.message_id, _MESSAGE_STAYS),
    ),
    Rule("calls", MESSAGES, MESSAGES.c.sent_at, ~_MESSAGE_STAYS),
    Rule(
        "calls",
        TASKS,
        TASKS.c.requested_at,
        and_(_ended(TASKS.c.finished_at), ~_QUESTION_OF_TASK),
    ),
    Rule("calls", RUNS, RUNS.c.started_at, _ended(RUNS.c.finished_at)),
    Rule("calls", LEASES, LEASES.c.taken_at, _ended(LEASES.c.expires_at)),
    Rule("reports", REPORTS, REPORTS.c.created_at, _NOT_LAST_REPORT),
    Rule(
        "events",
        EVENTS,
        EVENTS.c.received_at,
        and_(
            ~_EVENT_STAYS,
            ~_any(INCIDENTS.c.id == EVENTS.c.incident_id, _goes_on(INCIDENTS.c.settled_at)),
        ),
    ),
    Rule(
        "events",
        INCIDENTS,
        INCIDENTS.c.opened_at,
        and_(
            _ended(INCIDENTS.c.settled_at),
            ~_any(EVENTS.c.incident_id == INCIDENTS.c.id, _EVENT_STAYS),
        ),
    ),
    Rule(
        "events",
        ALERTS,
        ALERTS.c.heard_at,
        and_(
            _ended(ALERTS.c.resolved_at),
            ~_any(
                EVENTS.c.source == ALERTS.c.source,
                EVENTS.c.id == ALERTS.c.event_id,
                INCIDENTS.c.id == EVENTS.c.incident_id,
                INCIDENTS.c.settled_at.is_(None),
            ),
        ),
    ),
    # A timeline goes with its incident.
    Rule(
        "events",
        INCIDENT_ENTRIES,
        INCIDENT_ENTRIES.c.at,
        ~_any(INCIDENTS.c.id == INCIDENT_ENTRIES.c.incident_id),
    ),
    Rule(
        "events",
        INCIDENT_INHIBITIONS,
        INCIDENT_INHIBITIONS.c.since,
        ~_any(INCIDENTS.c.id == INCIDENT_INHIBITIONS.c.incident_id),
    ),
    # While an event is there, it must not fire again.
    Rule(
        "events",
        RULE_FIRINGS,
        RULE_FIRINGS.c.at,
        and_(
            _ended(RULE_FIRINGS.c.settled_at),
            ~_any(EVENTS.c.source == RULE_FIRINGS.c.source, EVENTS.c.id == RULE_FIRINGS.c.event_id),
        ),
    ),
    Rule("events", SILENCES, SILENCES.c.ends_at, true()),
    Rule("samples", SAMPLES, SAMPLES.c.at, true()),
    Rule("samples", SAMPLE_DAYS, SAMPLE_DAYS.c.day, true()),
    Rule(
        "approvals",
        APPROVALS,
        APPROVALS.c.asked_at,
        and_(
            _ended(APPROVALS.c.applied_at),
            ~_any(INCIDENTS.c.approval_id == APPROVALS.c.id, INCIDENTS.c.settled_at.is_(None)),
        ),
    ),
    _of_orders(ORDER_LINES),
    _of_orders(ORDER_ENTRIES),
    Rule("effects", ORDERS, ORDERS.c.proposed_at, _ORDER_IS_OVER),
    # Attempts go with their delivery, and it before its event.
    Rule("events", DELIVERIES, DELIVERIES.c.at, _DELIVERY_IS_OVER),
    Rule(
        "events",
        DELIVERY_ATTEMPTS,
        DELIVERY_ATTEMPTS.c.at,
        ~_any(DELIVERIES.c.effect_id == DELIVERY_ATTEMPTS.c.effect_id),
    ),
    Rule(
        "events",
        PARTNER_EVENTS,
        PARTNER_EVENTS.c.at,
        and_(
            PARTNER_EVENTS.c.shared_at.is_not(None),
            ~_any(DELIVERIES.c.event_id == PARTNER_EVENTS.c.id),
        ),
    ),
    Rule(
        "effects",
        EFFECTS,
        EFFECTS.c.intended_at,
        and_(
            _ended(EFFECTS.c.finished_at),
            EFFECTS.c.next_at.is_(None),
            or_(
                EFFECTS.c.kind != ORDER,
                ~_any(ORDERS.c.effect_id == EFFECTS.c.id, _ORDER_STAYS),
            ),
        ),
    ),
    # What is open and seen is told again long before: what is old is seen no more.
    Rule("effects", TELLINGS, TELLINGS.c.told_at, TELLINGS.c.fingerprint != ""),
    Rule(
        "dead_letters",
        DEAD_LETTERS,
        DEAD_LETTERS.c.received_at,
        _ended(DEAD_LETTERS.c.settled_at),
    ),
    _of_snapshots(SNAPSHOT_PARTS),
    _of_snapshots(SNAPSHOT_ITEMS),
    Rule("snapshots", SNAPSHOTS, SNAPSHOTS.c.taken_at, _NOT_LAST_SNAPSHOT),
    Rule(
        "requests",
        API_REQUESTS,
        API_REQUESTS.c.begun_at,
        func.coalesce(API_REQUESTS.c.finished_at, API_REQUESTS.c.alive_until) < BEFORE,
    ),
    Rule("receipts", OUTCOMES, OUTCOMES.c.decided_at, _ended(OUTCOMES.c.settled_at)),
    Rule(
        "receipts",
        ORDER_OUTCOMES,
        ORDER_OUTCOMES.c.decided_at,
        _ended(ORDER_OUTCOMES.c.settled_at),
    ),
]
"""What may go, in the order in which it does."""
