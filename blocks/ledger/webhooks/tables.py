"""The tables of outgoing webhooks: what is told, to whom, how each attempt went, who takes none."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Table

from blocks.ledger.engine.tables import (
    METADATA,
    Instant,
    index_where,
    json_column,
    required,
)

PARTNER_EVENTS = Table(
    "partner_events",
    METADATA,
    required("id", primary_key=True),
    required("need_key", unique=True),
    required("number", BigInteger, index=True),
    required("type"),
    required("subject"),
    required("resource"),
    required("at", Instant, index=True),
    json_column("data", nullable=False),
    Column("shared_at", Instant),
)
"""One row per thing that partners may be told of, written along with what it tells of.

``number`` grows in the order in which they were written; two that were written at the same time by
different processes may share one. ``shared_at`` is when each endpoint that wants it got a delivery.
"""

index_where(
    "ix_partner_events_unshared",
    PARTNER_EVENTS.c.shared_at.is_(None),
    PARTNER_EVENTS.c.number,
)

DELIVERIES = Table(
    "deliveries",
    METADATA,
    required("effect_id", primary_key=True),
    required("event_id", index=True),
    required("number", BigInteger),
    required("endpoint"),
    required("type"),
    required("subject"),
    required("line"),
    required("at", Instant, index=True),
)
"""One row per event and endpoint; how far it came stands in its effect.

Those of one ``line`` are sent one after another; "" is no line.
"""

Index("ix_deliveries_endpoint", DELIVERIES.c.endpoint, DELIVERIES.c.number)

DELIVERY_ATTEMPTS = Table(
    "delivery_attempts",
    METADATA,
    required("effect_id", primary_key=True),
    required("number", BigInteger, primary_key=True),
    required("at", Instant, index=True),
    Column("status", BigInteger),
    required("duration_ms", Double),
    required("fault"),
    required("answer"),
)
"""One row per attempt: its HTTP status, if there was one, and how the answer began."""

ENDPOINTS = Table(
    "endpoints",
    METADATA,
    required("name", primary_key=True),
    json_column("wants", nullable=False),
    required("ordered_by"),
    required("enabled", Boolean),
    required("changed_at", Instant),
    required("changed_by"),
    required("why"),
    Column("told_at", Instant),
    required("failures", BigInteger),
    Column("failing_since", Instant),
    Column("not_before", Instant),
    Column("delivered_at", Instant),
)
"""One row per endpoint that was ever configured: what it wanted last, and how it stands."""
