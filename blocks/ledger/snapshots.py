r"""Frames of a snapshot as gzip CSV, and back with the exact dtypes of their contracts.

CSV can be read by anything for as long as the ledger lives, and runs no code when it is read.
Numbers are written so that they read back to the same bit; text is quoted, numbers are not; an
empty cell is ``\N`` (as in PostgreSQL's COPY), and text that begins with a backslash gets one more.

A frame may be large. It is written in parts, each a small transaction, and seen only once all are
there. What is asked of a single item (its stock, its last weeks' sales) lies beside the frames, a
few items to a row: two years of sales take seconds to unpack.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from io import BytesIO
from itertools import groupby
from typing import TYPE_CHECKING, Any
from zlib import crc32

import pandas as pd
from sqlalchemy import Connection, Table, and_, delete, or_, select, update

from blocks.errors import ContractViolation
from blocks.ledger.calls import rows
from blocks.ledger.calls.tables import SNAPSHOT_ITEMS, SNAPSHOT_PARTS, SNAPSHOTS
from blocks.ledger.engine.values import to_json
from blocks.vocabulary.frames import CONTRACTS, Problem, Snapshot
from blocks.vocabulary.messages import new_id

if TYPE_CHECKING:
    import pandera.pandas as pa

KEPT = 3
"""How many snapshots of a store the ledger keeps."""

PART = 1 << 20
"""Bytes that one transaction writes, about: others who write wait no longer than that takes."""

ITEMS = ("products", "stock", "sales")
"""The frames that are kept by item, too."""

ITEM_DAYS = 35
"""Days before a snapshot of which an item's sales are kept beside it."""

_PER_BUCKET = 200  # items; their rows are unpacked in milliseconds
_ABANDONED = timedelta(hours=1)  # what is not complete by then, nobody writes any more

_EMPTY = r"\N"
_NEWEST_FIRST = (SNAPSHOTS.c.taken_at.desc(), SNAPSHOTS.c.id)


@dataclass(frozen=True)
class Packed:
    """A snapshot as it is stored: its row, the gzip CSV of its frames, the rows of its items."""

    snapshot: dict[str, Any]
    frames: dict[str, bytes]
    items: list[dict[str, Any]] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The snapshot's id."""
        return str(self.snapshot["id"])


def pack(snapshot: Snapshot) -> Packed:
    """Makes the rows of a snapshot.

    Raises:
        ContractViolation: A frame has no contract, or a column that its contract lacks.
    """
    id_, buckets = new_id(), _buckets(snapshot)
    row = {
        "id": id_,
        "taken_at": snapshot.taken_at,
        "currency": snapshot.currency,
        "timezone": snapshot.timezone,
        "store": snapshot.store,
        "stale_because": snapshot.stale_because,
        "problems": to_json([vars(problem) for problem in snapshot.problems]),
        "buckets": buckets,
    }
    frames = {name: pack_frame(name, frame) for name, frame in snapshot.frames.items()}
    return Packed(row, frames, [{"snapshot_id": id_, **item} for item in _items(snapshot, buckets)])


def unpack(packed: Packed) -> Snapshot:
    """The snapshot that was packed.

    Raises:
        ContractViolation: A contract, or a column of it, has gone since.
    """
    row = packed.snapshot
    return Snapshot(
        taken_at=row["taken_at"],
        frames={name: unpack_frame(name, data) for name, data in packed.frames.items()},
        problems=[Problem(**problem) for problem in row["problems"]],
        stale_because=row["stale_because"],
        currency=row["currency"],
        timezone=row["timezone"],
        store=row["store"],
    )


def writes(packed: Packed) -> Iterator[Callable[[Connection], None]]:
    """The transactions that add a snapshot, to be committed one by one, in this order.

    Each may be repeated. Nobody sees the snapshot before the last one; with it, of its store's the
    newest ``KEPT`` stay, and what others left half-written goes.
    """
    yield partial(_insert, table=SNAPSHOTS, new=[packed.snapshot | {"complete": False}])
    for name, data in packed.frames.items():
        for part, start in enumerate(range(0, len(data), PART)):
            row = {"snapshot_id": packed.id, "name": name, "part": part}
            row["bytes"] = data[start : start + PART]
            yield partial(_insert, table=SNAPSHOT_PARTS, new=[row])
    for some in _together(packed.items):
        yield partial(_insert, table=SNAPSHOT_ITEMS, new=some)
    yield partial(_complete, packed=packed)


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
        SNAPSHOT_ITEMS.c.bucket == _bucket(sku, row["buckets"]),
    )
    return Packed(row, {item.name: item.csv_gz for item in connection.execute(these)})


def _newest_row(connection: Connection, store: str) -> dict[str, Any] | None:
    query = select(SNAPSHOTS).where(SNAPSHOTS.c.store == store, SNAPSHOTS.c.complete)
    row = connection.execute(query.order_by(*_NEWEST_FIRST).limit(1)).mappings().first()
    return dict(row) if row else None


def _insert(connection: Connection, table: Table, new: list[dict[str, Any]]) -> None:
    statement = rows.insert(connection.dialect.name, table).on_conflict_do_nothing()
    connection.execute(statement, new)


def _complete(connection: Connection, packed: Packed) -> None:
    these = SNAPSHOTS.c.store == packed.snapshot["store"]
    connection.execute(update(SNAPSHOTS).where(SNAPSHOTS.c.id == packed.id).values(complete=True))
    kept = select(SNAPSHOTS.c.id).where(these, SNAPSHOTS.c.complete)
    kept = kept.order_by(*_NEWEST_FIRST).limit(KEPT)
    too_old = and_(SNAPSHOTS.c.complete, SNAPSHOTS.c.id.not_in(kept))
    abandoned = and_(
        ~SNAPSHOTS.c.complete, SNAPSHOTS.c.taken_at < packed.snapshot["taken_at"] - _ABANDONED
    )
    connection.execute(delete(SNAPSHOTS).where(these, or_(too_old, abandoned)))


def _together(items: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
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


def _buckets(snapshot: Snapshot) -> int:
    frames = (snapshot.frames[name] for name in ITEMS if name in snapshot.frames)
    most = max((frame["sku"].nunique() for frame in frames if "sku" in frame), default=0)
    return int(-(-most // _PER_BUCKET))


def _bucket(sku: str, buckets: int) -> int:
    return crc32(sku.encode("utf-8", "surrogatepass")) % buckets


def _items(snapshot: Snapshot, buckets: int) -> Iterator[dict[str, Any]]:
    """What is asked of items: the rows of each frame, by bucket; of sales the last weeks."""
    for name in ITEMS:
        frame = snapshot.frames.get(name)
        if frame is None or not buckets:
            continue
        if "date" in frame:
            first = snapshot.taken_at.replace(tzinfo=None) - timedelta(days=ITEM_DAYS)
            frame = frame[frame["date"] >= first]
        places = {sku: _bucket(sku, buckets) for sku in frame["sku"].unique()}
        for bucket, some in frame.groupby(frame["sku"].map(places)):
            yield {"name": name, "bucket": bucket, "csv_gz": pack_frame(name, some)}


def pack_frame(name: str, frame: pd.DataFrame) -> bytes:
    """Gzip CSV of a frame.

    Args:
        name: Its contract.
        frame: Any rows with the contract's dtypes.

    Raises:
        ContractViolation: There is no such contract, or a column is not in it.
    """
    contract = _contract(name)
    _refuse_strangers(name, frame, contract)
    texts = [c for c in frame.columns if _kind(contract.columns[c]) == "str"]
    written = frame.assign(**{c: _escape(frame[c]) for c in texts})
    text = written.to_csv(
        index=False, na_rep=_EMPTY, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n"
    )
    # Level 1 is five times as fast as the default, for a tenth more bytes; without mtime equal
    # frames give equal bytes.
    return gzip.compress(text.encode("utf-8", "surrogatepass"), compresslevel=1, mtime=0)


def unpack_frame(name: str, packed: bytes) -> pd.DataFrame:
    """The frame that was packed.

    Raises:
        ContractViolation: There is no such contract any more, or a column left it.
    """
    contract = _contract(name)
    kinds = {str(column): _kind(spec) for column, spec in contract.columns.items()}
    frame = pd.read_csv(
        BytesIO(gzip.decompress(packed)),
        dtype={c: kind if kind == "float64" else "str" for c, kind in kinds.items()},
        keep_default_na=False,
        na_values=[_EMPTY],
        lineterminator="\n",
        encoding_errors="surrogatepass",
    )
    _refuse_strangers(name, frame, contract)
    for column in frame.columns:
        if kinds[column] == "str":
            frame[column] = _unescape(frame[column])
        elif kinds[column] != "float64":
            read = pd.to_datetime(frame[column], format="ISO8601", utc="UTC" in kinds[column])
            frame[column] = read.dt.as_unit("us")
    return frame


def _contract(name: str) -> pa.DataFrameSchema:
    try:
        return CONTRACTS[name]
    except KeyError:
        known = ", ".join(sorted(CONTRACTS))
        raise ContractViolation(f"There is no frame {name!r}; known are {known}.") from None


def _refuse_strangers(name: str, frame: pd.DataFrame, contract: pa.DataFrameSchema) -> None:
    if strangers := [str(c) for c in frame.columns if c not in contract.columns]:
        raise ContractViolation(f"{name}: the contract has no column {', '.join(strangers)}.")


def _kind(column: pa.Column) -> str:
    """The dtype that ``blocks.vocabulary.frames.conform`` gives a column."""
    kind = str(column.dtype)
    if kind.startswith("datetime64"):
        return "datetime64[us, UTC]" if "UTC" in kind else "datetime64[us]"
    return "float64" if kind == "float64" else "str"


def _escape(column: pd.Series[Any]) -> pd.Series[Any]:
    return column.where(~column.str.startswith("\\", na=False), "\\" + column)


def _unescape(column: pd.Series[Any]) -> pd.Series[Any]:
    return column.where(~column.str.startswith("\\", na=False), column.str[1:])
