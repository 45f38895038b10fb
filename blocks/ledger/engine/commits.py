"""Whether a commit took place during which the connection was lost.

Whoever is cut off in the middle of a commit cannot tell, and to do the work again is only harmless
where it finds what it did before. PostgreSQL remembers how each transaction ended; SQLite commits
in our own process, and what it reports as failed has not taken place.
"""

from __future__ import annotations

from sqlalchemy import Connection, text
from sqlalchemy.exc import DisconnectionError

_NUMBER = text("SELECT txid_current_if_assigned()")
_STATUS = text("SELECT txid_status(:number)")


def number_of(connection: Connection) -> int | None:
    """The number of a transaction that has written something; None where nobody remembers it."""
    if connection.dialect.name != "postgresql":
        return None
    number: int | None = connection.scalar(_NUMBER)
    return number


def took_place(connection: Connection, number: int) -> bool:
    """Whether a transaction was committed.

    Raises:
        DisconnectionError: It is still being ended: the server has not noticed the loss yet.
    """
    status = connection.scalar(_STATUS, {"number": number})
    if status == "in progress":
        raise DisconnectionError("it is not known yet whether the commit took place")
    return bool(status == "committed")
