"""The tables of events: the inbox, incidents, and outages that sources tell of."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, Table

from blocks.ledger.engine.tables import (
    METADATA,
    CleanText,
    Instant,
    index_where,
    json_column,
    required,
)

EVENTS = Table(
    "events",
    METADATA,
    required("source", primary_key=True),
    required("id", primary_key=True),
    required("type"),
    required("time", Instant),
    required("severity"),
    required("rank", BigInteger),
    required("subject"),
    json_column("data", nullable=False),
    required("fingerprint"),
    required("content_hash"),
    required("received_at", Instant, index=True),
    required("status"),
    Column("taken_by", CleanText),
    Column("taken_until", Instant),
    required("tries", BigInteger),
    Column("incident_id", CleanText, index=True),
    Column("settled_at", Instant),
)
"""The inbox: one row per event, whatever became of it."""

# The inbox is asked for what waits, and that is little however long the ledger grows.
index_where("ix_events_open", EVENTS.c.settled_at.is_(None), EVENTS.c.rank, EVENTS.c.received_at)

# Whether an event says something new of a thing is asked on arrival, of its newest event only.
Index("ix_events_fingerprint", EVENTS.c.fingerprint, EVENTS.c.received_at)

INCIDENTS = Table(
    "incidents",
    METADATA,
    required("id", primary_key=True),
    required("need_key", unique=True),
    required("resource"),
    required("severity"),
    required("title"),
    required("opened_at", Instant, index=True),
    required("updated_at", Instant),
    required("status"),
    required("events", BigInteger),
    Column("run_id", CleanText),
    Column("settled_at", Instant),
    json_column("response"),
    Column("responded_at", Instant),
    Column("ending", CleanText),
    Column("ended_by", CleanText),
    Column("impact_per_hour", Double),
    Column("group_key", CleanText),
    Column("approval_id", CleanText),
    required("type"),
    json_column("labels", nullable=False),
    required("notice_group"),
    required("outages", BigInteger),
    Column("previous_id", CleanText),
    Column("reopened_at", Instant),
    Column("worsened_at", Instant),
    Column("flapping_since", Instant),
    Column("acknowledged_by", CleanText),
    Column("acknowledged_at", Instant),
    Column("acknowledged_until", Instant),
    Column("assigned_to", CleanText),
    Column("silence_id", CleanText),
)
"""One row per incident: events that belong together, and the one response to them."""

Index("ix_incidents_resource", INCIDENTS.c.resource, INCIDENTS.c.opened_at)

# What is not over is asked for all the time, and is little however long the ledger grows.
index_where("ix_incidents_open", INCIDENTS.c.settled_at.is_(None), INCIDENTS.c.opened_at)

ALERTS = Table(
    "alerts",
    METADATA,
    required("fingerprint", primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    required("source"),
    required("event_id"),
    required("rank", BigInteger),
    required("heard_at", Instant),
    Column("resolved_at", Instant),
    Column("resolved_by", CleanText),
)
"""One row per outage that a source told of, from the event with which it began (``event_id``) to
the one that ended it; with the highest severity, and the last time that anything was heard of it.
"""

Index("ix_alerts_event", ALERTS.c.source, ALERTS.c.event_id)
Index("ix_alerts_resolved_by", ALERTS.c.source, ALERTS.c.resolved_by)
