"""Series of values that our own looks measured, for who judges them later.

New values are rows; after an hour or two they are packed, a day of a series in one row: 500 targets
that are looked at each minute would else take hundreds of megabytes a day.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import Connection, Executable, delete, select, tuple_, union

from blocks.ledger.engine.access import Access
from blocks.ledger.engine.upsert import insert, replacing
from blocks.ledger.samples.packing import merged, pack, unpack
from blocks.ledger.samples.tables import SAMPLE_DAYS, SAMPLES
from blocks.vocabulary.looks import Sample

Series = list[tuple[datetime, float]]

_AT_ONCE = 50
"""Series that are packed in one transaction."""

_DAY = timedelta(days=1)


class Samples:
    """The samples in the ledger.

    Args:
        access: For reading and for new values.
        pieces: For packing, beside all else that is written.
    """

    def __init__(self, access: Access, pieces: Access) -> None:
        self._access, self._pieces = access, pieces

    async def keep(self, samples: Sequence[Sample]) -> None:
        """Keep values; a second one of the same series and instant changes nothing."""
        await self._write(insert(self._access.dialect, SAMPLES).on_conflict_do_nothing(), samples)

    async def revise(self, samples: Sequence[Sample]) -> None:
        """Keep what is foreseen: the newest value of an instant counts, until it is packed."""
        await self._write(replacing(self._access.dialect, SAMPLES), samples)

    async def _write(self, statement: Executable, samples: Sequence[Sample]) -> None:
        if not samples:
            return
        rows = [sample.model_dump() for sample in samples]

        def write(connection: Connection) -> None:
            connection.execute(statement, rows)

        await self._access.write(write)

    async def history(
        self, names: Collection[str], since: datetime, until: datetime
    ) -> dict[str, Series]:
        """The values of some series from ``since`` on and before ``until``, by name, in order."""
        wanted = sorted(names)
        rows = select(SAMPLES).where(
            SAMPLES.c.series.in_(wanted), SAMPLES.c.at >= since, SAMPLES.c.at < until
        )
        days = select(SAMPLE_DAYS.c.series, SAMPLE_DAYS.c.packed).where(
            SAMPLE_DAYS.c.series.in_(wanted),
            SAMPLE_DAYS.c.day > since - _DAY,
            SAMPLE_DAYS.c.day < until,
        )

        def read(connection: Connection) -> dict[str, Series]:
            parts: dict[str, list[Series]] = {name: [] for name in names}
            fresh: dict[str, Series] = {}
            # The rows first: what is packed meanwhile is seen twice, and never missed.
            for name, at, value in connection.execute(rows):
                fresh.setdefault(name, []).append((at, value))
            for name, packed in connection.execute(days):
                parts[name].append([p for p in unpack(packed) if since <= p[0] < until])
            return {name: merged(*parts[name], fresh.get(name, [])) for name in parts}

        return await self._access.read(read)

    async def names(self, prefix: str) -> list[str]:
        """The series whose names begin so."""
        columns = SAMPLES.c.series, SAMPLE_DAYS.c.series
        found = [select(c).where(c.startswith(prefix, autoescape=True)).distinct() for c in columns]
        rows = await self._access.read(lambda connection: connection.execute(union(*found)).all())
        return sorted(name for (name,) in rows)

    async def pack(self, before: datetime) -> int:
        """Pack the values before an instant; what is packed stays as it is.

        Returns:
            How many values were packed.

        Raises:
            LedgerUnavailable: The database is locked or gone; some may be packed.
        """
        query = select(SAMPLES.c.series).where(SAMPLES.c.at < before).distinct()
        rows = await self._access.rows(query.order_by(SAMPLES.c.series))
        names, packed = [row["series"] for row in rows], 0
        for first in range(0, len(names), _AT_ONCE):
            some = names[first : first + _AT_ONCE]
            packed += await self._pieces.write(partial(_pack, names=some, before=before))
        return packed


def _pack(connection: Connection, names: Sequence[str], before: datetime) -> int:
    taken = (
        delete(SAMPLES)
        .where(SAMPLES.c.series.in_(names), SAMPLES.c.at < before)
        .returning(SAMPLES.c.series, SAMPLES.c.at, SAMPLES.c.value)
    )
    fresh = _by_day(connection.execute(taken).tuples())
    if not fresh:
        return 0
    known = (
        select(SAMPLE_DAYS)
        .where(tuple_(SAMPLE_DAYS.c.series, SAMPLE_DAYS.c.day).in_(list(fresh)))
        .with_for_update()
    )
    earlier = {(row.series, row.day): unpack(row.packed) for row in connection.execute(known)}
    connection.execute(
        replacing(connection.dialect.name, SAMPLE_DAYS),
        [_row(key, merged(earlier.get(key, []), points)) for key, points in fresh.items()],
    )
    return sum(map(len, fresh.values()))


def _by_day(rows: Iterable[tuple[str, datetime, float]]) -> dict[tuple[str, datetime], Series]:
    found: dict[tuple[str, datetime], Series] = {}
    for name, at, value in rows:
        day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        found.setdefault((name, day), []).append((at, value))
    return found


def _row(key: tuple[str, datetime], points: Series) -> Mapping[str, object]:
    return {"series": key[0], "day": key[1], "count": len(points), "packed": pack(points)}
