"""Series of values that our own looks measured, for who judges them later."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from blocks.ledger.engine.access import Access
from blocks.ledger.engine.upsert import insert
from blocks.ledger.samples.tables import SAMPLES
from blocks.vocabulary.looks import Sample

Series = list[tuple[datetime, float]]


class Samples:
    """The samples in the ledger."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def keep(self, samples: Sequence[Sample]) -> None:
        """Keep values; a second one of the same series and instant changes nothing."""
        if not samples:
            return
        statement = insert(self._access.dialect, SAMPLES).on_conflict_do_nothing()
        rows = [sample.model_dump() for sample in samples]

        def write(connection: Connection) -> None:
            connection.execute(statement, rows)

        await self._access.write(write)

    async def history(
        self, names: Collection[str], since: datetime, until: datetime
    ) -> dict[str, Series]:
        """The values of some series from ``since`` on and before ``until``, by name, in order."""
        query = (
            select(SAMPLES)
            .where(SAMPLES.c.series.in_(sorted(names)))
            .where(SAMPLES.c.at >= since, SAMPLES.c.at < until)
            .order_by(SAMPLES.c.series, SAMPLES.c.at)
        )
        found: dict[str, Series] = {name: [] for name in names}
        for row in await self._access.rows(query):
            found[row["series"]].append((row["at"], row["value"]))
        return found

    async def names(self, prefix: str) -> list[str]:
        """The series whose names begin so."""
        query = (
            select(SAMPLES.c.series)
            .distinct()
            .where(SAMPLES.c.series.startswith(prefix, autoescape=True))
            .order_by(SAMPLES.c.series)
        )
        return [row["series"] for row in await self._access.rows(query)]
