"""Limits of time, with statements that take for ever."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from blocks.egress import Reach
from blocks.errors import SourceTimeout
from blocks.store import sql

FOR_EVER = sa.text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i > 0) "
    "SELECT count(*) AS found FROM n WHERE i < 0"
).columns(sa.column("found"))
EVERYTHING = Reach(("127.0.0.1", "localhost"), any_file=True)


# MariaDB ends such a recursion by itself.
pytestmark = pytest.mark.parametrize(
    "shop_url",
    ["sqlite", pytest.param("postgresql", marks=pytest.mark.services)],
    indirect=True,
)


@pytest.fixture
def url(shop_url: str) -> sa.URL:
    """An empty database."""
    engine = sa.create_engine(shop_url)
    engine.connect().close()  # which makes the file
    engine.dispose()
    return sql.parse_url(shop_url)


def test_a_reading_ends_when_its_time_is_over(url: sa.URL) -> None:
    with (
        pytest.raises(SourceTimeout, match=r"did not finish within 0\.5 s"),
        sql.reading(url, 0.5, EVERYTHING) as connection,
    ):
        sql.fetch(connection, sa.select(FOR_EVER.subquery()))


def test_a_statement_with_less_time_ends_alone(url: sa.URL) -> None:
    with sql.reading(url, 600, EVERYTHING) as connection:
        with (
            pytest.raises(SourceTimeout, match=r"did not finish within 0\.2 s"),
            sql.limited(connection, url, 0.2),
        ):
            sql.fetch(connection, sa.select(FOR_EVER.subquery()))
        with sql.limited(connection, url, 60):
            assert sql.fetch(connection, sa.select(sa.literal(7))) == [(7,)]
