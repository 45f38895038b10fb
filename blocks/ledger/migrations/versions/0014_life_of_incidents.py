"""Incidents are acknowledged, assigned and reopened; silences hold back what is told of them."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    for column in (
        sa.Column("type", sa.Text, nullable=False, server_default=""),
        sa.Column("labels", sa.JSON, nullable=False, server_default="{}"),
        sa.Column("notice_group", sa.Text, nullable=False, server_default=""),
        sa.Column("outages", sa.BigInteger, nullable=False, server_default="1"),
        sa.Column("previous_id", sa.Text),
        sa.Column("reopened_at", _INSTANT),
        sa.Column("worsened_at", _INSTANT),
        sa.Column("flapping_since", _INSTANT),
        sa.Column("acknowledged_by", sa.Text),
        sa.Column("acknowledged_at", _INSTANT),
        sa.Column("acknowledged_until", _INSTANT),
        sa.Column("assigned_to", sa.Text),
        sa.Column("silence_id", sa.Text),
    ):
        op.add_column("incidents", column)
    op.create_table(
        "silences",
        sa.Column("id", sa.Text, primary_key=True, nullable=False),
        sa.Column("resource", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("labels", sa.JSON, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("made_at", _INSTANT, nullable=False),
        sa.Column("starts_at", _INSTANT, nullable=False),
        sa.Column("ends_at", _INSTANT, nullable=False, index=True),
        sa.Column("ended_by", sa.Text),
        sa.Column("maintenance", sa.Boolean, nullable=False),
        sa.Column("weekly", sa.JSON),
    )
    _describe_what_is_open()


def _describe_what_is_open() -> None:
    """Type, labels and group of what is open, as of their gravest event: people go by them."""
    incidents = sa.table(
        "incidents",
        *(sa.column(name) for name in ("id", "settled_at", "group_key", "type", "notice_group")),
        sa.column("labels", sa.JSON),
        sa.column("response", sa.JSON),
    )
    names = ("source", "type", "incident_id", "rank", "received_at", "id")
    events = sa.table("events", *(sa.column(name) for name in names))
    lead = sa.select(events.c.source, events.c.type).order_by(
        events.c.rank.desc(), events.c.received_at, events.c.id
    )
    connection = op.get_bind()
    columns = incidents.c.id, incidents.c.group_key, incidents.c.response
    still_open = sa.select(*columns).where(incidents.c.settled_at.is_(None))
    for name, group, response in connection.execute(still_open).all():
        event = connection.execute(lead.where(events.c.incident_id == name).limit(1)).first()
        if event is None:
            continue
        values = {
            "type": event.type,
            "labels": json.dumps(((response or {}).get("told") or {}).get("labels") or {}),
            "notice_group": group or f"{event.source} {event.type}",
        }
        connection.execute(sa.update(incidents).where(incidents.c.id == name).values(values))
