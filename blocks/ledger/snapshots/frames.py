r"""Frames of a snapshot as gzip CSV, and back with the exact dtypes of their contracts.

CSV can be read by anything for as long as the ledger lives, and runs no code when it is read.
Numbers are written so that they read back to the same bit; text is quoted, numbers are not; an
empty cell is ``\N`` (as in PostgreSQL's COPY), and text that begins with a backslash gets one more.

A frame may be large. It is written in parts, each a small transaction, and seen only once all are
there. What is asked of a single item (its stock, its last weeks' sales) lies beside the frames, a
few items to a row: two years of sales take seconds to unpack.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from blocks.errors import ContractViolation
from blocks.ledger.engine.values import to_json
from blocks.ledger.snapshots.rows import ITEMS, Packed, Packing, bucket_of
from blocks.vocabulary.amounts import Amounts
from blocks.vocabulary.columns import distinct
from blocks.vocabulary.frames import CONTRACTS, Problem, Snapshot
from blocks.vocabulary.messages import new_id

if TYPE_CHECKING:
    import pandera.pandas as pa

ITEM_DAYS = 35
"""Days before a snapshot of which an item's sales are kept beside it."""

_WRITTEN_AT_ONCE = 50_000  # rows whose text is in memory at a time
_READ_AT_ONCE = 250_000
_PER_BUCKET = 200  # items; their rows are unpacked in milliseconds
_EMPTY = r"\N"


def pack(snapshot: Snapshot) -> Packing:
    """Makes the rows of a snapshot, most of them as they are asked for.

    Raises:
        ContractViolation: A frame has no contract, or a column that its contract lacks.
    """
    for name, frame in snapshot.frames.items():
        _refuse_strangers(name, frame, _contract(name))
    id_, buckets = new_id(), _buckets(snapshot)
    row = {
        "id": id_,
        "taken_at": snapshot.taken_at,
        "currency": snapshot.currency,
        "timezone": snapshot.timezone,
        "store": snapshot.store,
        "stale_because": snapshot.stale_because,
        "problems": to_json([vars(problem) for problem in snapshot.problems]),
        "amounts": to_json(snapshot.amounts.model_dump()),
        "buckets": buckets,
    }
    frames = ((name, _gzip_csv(name, frame)) for name, frame in snapshot.frames.items())
    return Packing(
        row, frames, ({"snapshot_id": id_, **item} for item in _items(snapshot, buckets))
    )


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
        amounts=Amounts(**row["amounts"]),
    )


def _buckets(snapshot: Snapshot) -> int:
    frames = (snapshot.frames[name] for name in ITEMS if name in snapshot.frames)
    most = max((len(distinct(frame["sku"])) for frame in frames if "sku" in frame), default=0)
    return int(-(-most // _PER_BUCKET))


def _items(snapshot: Snapshot, buckets: int) -> Iterator[dict[str, Any]]:
    """What is asked of items: the rows of each frame, by bucket; of sales the last weeks."""
    for name in ITEMS:
        frame = snapshot.frames.get(name)
        if frame is None or not buckets:
            continue
        if "date" in frame:
            first = snapshot.taken_at.replace(tzinfo=None) - timedelta(days=ITEM_DAYS)
            frame = _since(frame, first)
        codes, skus = pd.factorize(frame["sku"])
        placed = [bucket_of(sku, buckets) for sku in skus.to_numpy(dtype=object)]
        places = np.array(placed, dtype=np.int32)[codes]
        order = np.argsort(places, kind="stable")
        begins = np.searchsorted(places[order], np.arange(buckets + 1))
        for bucket, (begin, end) in enumerate(pairwise(begins.tolist())):
            if begin < end:
                some = frame.iloc[order[begin:end]]
                yield {"name": name, "bucket": bucket, "csv_gz": pack_frame(name, some)}


def _since(frame: pd.DataFrame, first: datetime) -> pd.DataFrame:
    """Rows of a day or later; no copy of a frame that is sorted by day, as sales are."""
    if frame["date"].is_monotonic_increasing:
        return frame.iloc[frame["date"].searchsorted(pd.Timestamp(first)) :]
    return frame[frame["date"] >= first]


def pack_frame(name: str, frame: pd.DataFrame) -> bytes:
    """Gzip CSV of a frame.

    Args:
        name: Its contract.
        frame: Any rows with the contract's dtypes.

    Raises:
        ContractViolation: There is no such contract, or a column is not in it.
    """
    _refuse_strangers(name, frame, _contract(name))
    return b"".join(_gzip_csv(name, frame))


def _gzip_csv(name: str, frame: pd.DataFrame) -> Iterator[bytes]:
    """The bytes of ``pack_frame``, as they come: of millions of rows few are in memory as text."""
    contract = _contract(name)
    kinds = {str(column): _kind(contract.columns[column]) for column in frame.columns}
    packed = BytesIO()
    # Level 1 is five times as fast as the default, for a tenth more bytes; without mtime equal
    # frames give equal bytes.
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0, filename="") as file:
        file.write((",".join(f'"{column}"' for column in kinds) + "\n").encode())
        for at in range(0, len(frame), _WRITTEN_AT_ONCE):
            some = frame.iloc[at : at + _WRITTEN_AT_ONCE]
            cells = [_written(some[column], kind) for column, kind in kinds.items()]
            lines = "\n".join(map(",".join, zip(*cells, strict=True))) + "\n"
            file.write(lines.encode("utf-8", "surrogatepass"))
            yield _taken(packed)
    yield _taken(packed)


def _taken(written: BytesIO) -> bytes:
    """What was written since it was taken last."""
    data = written.getvalue()
    written.seek(0)
    written.truncate()
    return data


def unpack_frame(name: str, packed: bytes) -> pd.DataFrame:
    """The frame that was packed.

    Raises:
        ContractViolation: There is no such contract any more, or a column left it.
    """
    contract = _contract(name)
    kinds = {str(column): _kind(spec) for column, spec in contract.columns.items()}
    texts: dict[str, str] = {}  # an SKU is in thousands of rows, and need be in memory once
    with pd.read_csv(
        gzip.GzipFile(fileobj=BytesIO(packed)),
        dtype={c: kind if kind == "float64" else "str" for c, kind in kinds.items()},
        keep_default_na=False,
        na_values=[_EMPTY],
        lineterminator="\n",
        encoding_errors="surrogatepass",
        chunksize=_READ_AT_ONCE,
    ) as chunks:
        parts = [_read(name, part, contract, kinds, texts) for part in chunks]
    return pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]


def _read(
    name: str,
    frame: pd.DataFrame,
    contract: pa.DataFrameSchema,
    kinds: dict[str, str],
    texts: dict[str, str],
) -> pd.DataFrame:
    _refuse_strangers(name, frame, contract)
    for column in frame.columns:
        if kinds[column] == "str":
            codes, distinct = pd.factorize(_unescape(frame[column]))
            shared = [texts.setdefault(text, text) for text in distinct]
            known = pd.array([*shared, None], dtype="str")
            frame[column] = known[codes]
        elif kinds[column] != "float64":
            read = pd.to_datetime(frame[column], format="ISO8601", utc="UTC" in kinds[column])
            frame[column] = read.dt.as_unit("us")
    return frame


def _written(column: pd.Series[Any], kind: str) -> Sequence[str]:
    """Each cell as it stands in the file; most are there many times, and written once."""
    codes, distinct = pd.factorize(column)
    if kind == "float64":
        cells = [repr(number) for number in distinct.tolist()]
    elif kind == "str":
        cells = [_quoted(text) for text in distinct.to_numpy(dtype=object)]
    else:
        cells = [f'"{pd.Timestamp(when).isoformat(" ")}"' for when in distinct]
    return list(np.array([*cells, _EMPTY], dtype=object)[codes])


def _quoted(text: str) -> str:
    escaped = "\\" + text if text.startswith("\\") else text
    return '"' + escaped.replace('"', '""') + '"'


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


def _unescape(column: pd.Series[Any]) -> pd.Series[Any]:
    return column.where(~column.str.startswith("\\", na=False), column.str[1:])
