"""How alerts stand: of what is said of one again and again, each change is an event.

A sender knows an alert by its fingerprint and repeats how it stands. An event that says the same as
the last one is that one; one that says something else is new, whatever it gives as the beginning:
an alert that fires again after it was resolved is another outage, and one that fires more severely
is worse. So the changes of an alert are
numbered, and the number and the status are a part of the event's id. Of two processes that write
the same change at once, one does.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, select

from blocks.ledger.engine.dialect_sql import each_text
from blocks.ledger.engine.values import clean_text
from blocks.ledger.events.records import EventKey
from blocks.ledger.events.tables import EVENTS
from blocks.vocabulary.messages import FIRING, SystemEvent

_ID = re.compile(r".*-([0-9]{8})-([a-z]+)")


def keys_of(connection: Connection, events: Sequence[SystemEvent]) -> list[EventKey]:
    """Source and id that events have in the ledger, in their order.

    Args:
        connection: In a transaction for writing.
        events: In the order in which they came.
    """
    alerts = {event.fingerprint for event in events if event.tells_how_it_stands}
    last = _last_changes(connection, alerts) if alerts else {}
    keys: list[EventKey] = []
    for event in events:
        if not event.tells_how_it_stands:
            keys.append((clean_text(event.source), clean_text(event.id)))
            continue
        number, status, rank = last.get(event.id, (0, "", 0))
        is_worse = event.status == FIRING and event.severity.rank > rank
        if status != event.status or is_worse:
            number += 1
            last[event.id] = number, event.status, event.severity.rank
        keys.append((event.source, f"{event.id}-{number:08d}-{event.status}"))
    return keys


def _last_changes(
    connection: Connection, alerts: Collection[str]
) -> dict[str, tuple[int, str, int]]:
    """Number, status and rank of the severity of each alert's last change."""
    asked = each_text(connection, sorted(alerts))
    # By the number in the id, not by when it came: a clock may be set back.
    last = (
        select(EVENTS.c.id)
        .where(EVENTS.c.fingerprint == asked.c.value, EVENTS.c.id.like(asked.c.value.concat("-%")))
        .order_by(EVENTS.c.id.desc())
        .limit(1)
    )
    rank = last.with_only_columns(EVENTS.c.rank).scalar_subquery()
    found = {}
    for alert, name, severity in connection.execute(
        select(asked.c.value, last.scalar_subquery(), rank)
    ):
        if name and (parts := _ID.fullmatch(name)):
            found[alert] = int(parts[1]), parts[2], severity
    return found
