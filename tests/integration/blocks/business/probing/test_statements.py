"""Probes of databases: one SELECT, on SQLite, PostgreSQL and MariaDB, and never a write."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from blocks.business.probes import Probe
from blocks.business.probing.statements import SqlCheck
from tests.rogue_servers import postgresql_mute_after_login, talking

ROWS = "CREATE TABLE jobs (id INTEGER, state VARCHAR(20))", "INSERT INTO jobs VALUES (1, 'late')"


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        file = tmp_path / "jobs.db"
        with closing(sqlite3.connect(file)) as connection:
            for statement in ROWS:
                connection.execute(statement)
            connection.commit()
        yield f"sqlite:///{file}"
        return
    fixture = {"postgresql": "postgres_url", "mariadb": "mariadb_url"}[request.param]
    url = request.getfixturevalue(fixture)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in ROWS:
            connection.exec_driver_sql(statement)
    engine.dispose()
    yield url


async def fault_of(url: str, query: str, timeout: float = 8.0, **check: Any) -> str:
    made = SqlCheck(url=url, query=query, **check)
    seen = await Probe(name="jobs", check=made, timeout=timeout).look()
    return seen.fault.what if seen.fault else ""


async def test_the_first_value_is_compared(database: str) -> None:
    late = "SELECT COUNT(*) FROM jobs WHERE state = 'late'"
    assert await fault_of(database, late) == ""
    assert await fault_of(database, late, expect=1) == ""
    assert await fault_of(database, late, at_least=0, at_most=1) == ""
    assert "gives 1 instead of 0" in await fault_of(database, late, expect=0)
    assert "gives 1, more than 0" in await fault_of(database, late, at_most=0)
    assert "gives 1, less than 2" in await fault_of(database, late, at_least=2)

    state = "SELECT state FROM jobs"
    assert await fault_of(database, state, expect="late") == ""
    # What stands there is nobody's business.
    assert "late" not in await fault_of(database, state, expect="done")
    assert "which is no number" in await fault_of(database, state, at_most=1)
    assert "gives no row" in await fault_of(database, f"{state} WHERE id = 2;", expect="late")


async def test_what_it_cannot_ask_is_told_without_the_password(database: str) -> None:
    told = await fault_of(database, "SELECT nothing FROM nowhere")
    assert told.startswith("The database of probe 'jobs'")
    assert "SELECT" not in told


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
async def test_a_probe_writes_nothing(database: str) -> None:
    write = "WITH more AS (INSERT INTO jobs VALUES (2, 'x') RETURNING id) SELECT id FROM more"
    assert "read-only" in await fault_of(database, write)


@pytest.mark.parametrize(
    "query", ["DELETE FROM jobs", "SELECT 1; DROP TABLE jobs", "", "UPDATE jobs SET id = 2"]
)
def test_only_one_question_can_be_configured(query: str) -> None:
    with pytest.raises(ValidationError, match="a probe asks one SELECT"):
        SqlCheck(url="sqlite:///x.db", query=query)


async def test_a_server_that_falls_silent_keeps_nobody_waiting() -> None:
    async with talking(postgresql_mute_after_login()) as port:
        told = await fault_of(f"postgresql://u:canary@127.0.0.1:{port}/x", "SELECT 1", timeout=0.5)
    assert told
    assert "canary" not in told
