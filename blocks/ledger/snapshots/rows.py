"""The rows of a snapshot: written in small transactions, seen once all are there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import groupby
from typing import Any
from zlib import crc32

from sqlalchemy import Connection, Table, and_, delete, or_, select, update

from blocks.ledger.engine.upsert import insert
from blocks.ledger.snapshots.tables import SNAPSHOT_ITEMS, SNAPSHOT_PARTS, SNAPSHOTS

KEPT = 3
"""How many snapshots of a store the ledger keeps."""

PART = 1 << 20
"""Bytes that one transaction writes, about: others who write wait no longer than that takes."""

ITEMS = ("products", "stock", "sales")
"""The frames that are kept by item, too."""

_ABANDONED = timedelta(hours=1)  # what is not complete by then, nobody writes any more
_NEWEST_FIRST = (SNAPSHOTS.c.taken_at.desc(), SNAPSHOTS.c.id)


@dataclass(frozen=True)
class Packed:
    """A snapshot as it is stored: its row, and the gzip CSV of its frames."""

    snapshot: dict[str, Any]
    frames: dict[str, bytes]


@dataclass(frozen=True)
class Packing:
    """A snapshot as it is being packed.

    Attributes:
        snapshot: Its row.
        frames: The name of each frame, and its gzip CSV in pieces, as they are made.
        items: The rows of its items, as they are made.
    """

    snapshot: dict[str, Any]
    frames: Iterable[tuple[str, Iterable[bytes]]]
    items: Iterable[dict[str, Any]]

    @property
    def id(self) -> str:
        """The snapshot's id."""
        return str(self.snapshot["id"])


def writes(packing: Packing) -> Iterator[Callable[[Connection], None]]:
    """The transactions that add a snapshot, to be committed one by one, in this order.

    To ask for the next one takes the time of packing what it writes. Each may be repeated. Nobody
    sees the snapshot before the last one; with it, of its store's the newest ``KEPT`` stay, and
    what others left half-written goes.
    """
    yield partial(_insert, table=SNAPSHOTS, new=[packing.snapshot | {"complete": False}])
    for name, pieces in packing.frames:
        for part, data in enumerate(_in_parts(pieces)):
            row = {"snapshot_id": packing.id, "name": name, "part": part, "bytes": data}
            yield partial(_insert, table=SNAPSHOT_PARTS, new=[row])
    for some in _together(packing.items):
        yield partial(_insert, table=SNAPSHOT_ITEMS, new=some)
    yield partial(_complete, row=packing.snapshot)


def newest(
    connection: Connection, store: str, only: Collection[str] | None = None
) -> Packed | None:
    """The newest snapshot of a store by the time it was taken, with all or ``only`` some frames."""
    row = _newest_row(connection, store)
    if row is None:
        return None
    parts = select(SNAPSHOT_PARTS.c.name, SNAPSHOT_PARTS.c.bytes).where(
        SNAPSHOT_PARTS.c.snapshot_id == row["id"]
    )
    if only is not None:
        parts = parts.where(SNAPSHOT_PARTS.c.name.in_(only))
    found = connection.execute(parts.order_by(SNAPSHOT_PARTS.c.name, SNAPSHOT_PARTS.c.part)).all()
    frames = {
        name: b"".join(part.bytes for part in group)
        for name, group in groupby(found, key=lambda part: part.name)
    }
    return Packed(row, frames)


def newest_of_item(connection: Connection, store: str, sku: str) -> Packed | None:
    """The newest snapshot of a store with what lies beside it about an item, and a few others."""
    row = _newest_row(connection, store)
    if row is None:
        return None
    if not row["buckets"]:  # of a release that kept nothing by item
        return newest(connection, store, ITEMS)
    these = select(SNAPSHOT_ITEMS.c.name, SNAPSHOT_ITEMS.c.csv_gz).where(
        SNAPSHOT_ITEMS.c.snapshot_id == row["id"],
        SNAPSHOT_ITEMS.c.name.in_(ITEMS),
        SNAPSHOT_ITEMS.c.bucket == bucket_of(sku, row["buckets"]),
    )
    return Packed(row, {item.name: item.csv_gz for item in connection.execute(these)})


def _newest_row(connection: Connection, store: str) -> dict[str, Any] | None:
    query = select(SNAPSHOTS).where(SNAPSHOTS.c.store == store, SNAPSHOTS.c.complete)
    row = connection.execute(query.order_by(*_NEWEST_FIRST).limit(1)).mappings().first()
    return dict(row) if row else None


def _insert(connection: Connection, table: Table, new: list[dict[str, Any]]) -> None:
    statement = insert(connection.dialect.name, table).on_conflict_do_nothing()
    connection.execute(statement, new)


def _complete(connection: Connection, row: dict[str, Any]) -> None:
    these = SNAPSHOTS.c.store == row["store"]
    connection.execute(update(SNAPSHOTS).where(SNAPSHOTS.c.id == row["id"]).values(complete=True))
    kept = select(SNAPSHOTS.c.id).where(these, SNAPSHOTS.c.complete)
    kept = kept.order_by(*_NEWEST_FIRST).limit(KEPT)
    too_old = and_(SNAPSHOTS.c.complete, SNAPSHOTS.c.id.not_in(kept))
    abandoned = and_(~SNAPSHOTS.c.complete, SNAPSHOTS.c.taken_at < row["taken_at"] - _ABANDONED)
    connection.execute(delete(SNAPSHOTS).where(these, or_(too_old, abandoned)))


def _in_parts(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Bytes in parts of ``PART``, the last one smaller."""
    part = bytearray()
    for piece in pieces:
        part += piece
        while len(part) >= PART:
            yield bytes(part[:PART])
            del part[:PART]
    if part:
        yield bytes(part)


def _together(items: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The rows of items, as many at once as one transaction writes."""
    some: list[dict[str, Any]] = []
    size = 0
    for item in items:
        some.append(item)
        size += len(item["csv_gz"])
        if size >= PART:
            yield some
            some, size = [], 0
    if some:
        yield some


def bucket_of(sku: str, buckets: int) -> int:
    """Where an item is among so many buckets."""
    return crc32(sku.encode("utf-8", "surrogatepass")) % buckets
