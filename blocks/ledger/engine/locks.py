"""Locks that hold until the end of a transaction."""

from __future__ import annotations

from zlib import crc32

from sqlalchemy import Connection, text


def lock(connection: Connection, name: str) -> None:
    """Have transactions that lock the same name follow each other.

    SQLite's writers do so anyway. On PostgreSQL two transactions could both read a count, and
    both act on it.
    """
    if connection.dialect.name == "postgresql":
        key = {"space": 0x6C6564, "name": crc32(name.encode()) - 2**31}
        connection.execute(text("SELECT pg_advisory_xact_lock(:space, :name)"), key)
