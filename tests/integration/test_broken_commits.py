"""A connection that breaks in the middle of a commit: it took place, and nobody was told."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from blocks.ledger import Ledger
from blocks.ledger.requests import Begun, Done, InFlight
from blocks.ledger.tokens import Scope

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def breaks(monkeypatch: pytest.MonkeyPatch) -> Callable[[Ledger], list[int]]:
    """Has the next commit of a ledger report a failure after it took place; counts commits."""

    def break_next(ledger: Ledger) -> list[int]:
        dialect = ledger._database.engine.dialect
        kind = sqlite3.OperationalError if dialect.name == "sqlite" else psycopg.OperationalError
        commit, commits = dialect.do_commit, [0]

        def broken(connection: Any) -> None:
            commit(connection)
            commits[0] += 1
            if commits[0] == 1:
                raise kind("the connection is lost")

        monkeypatch.setattr(dialect, "do_commit", broken)
        return commits

    return break_next


async def test_who_began_knows_it(ledger_url: str, breaks: Callable[[Ledger], list[int]]) -> None:
    with Ledger.open(ledger_url) as ledger:
        for now in (NOON, NOON + MINUTE):  # begun, and begun again
            commits = breaks(ledger)
            begun = await ledger.requests.begin("k", "c", "f", now, now + MINUTE)
            assert (begun, commits) == (Begun(NOON), [2])
            assert await ledger.requests.begin("k", "c", "f", now, now + MINUTE) == InFlight()
        commits = breaks(ledger)
        await ledger.requests.finish("k", "c", 200, "{}", NOON)
        assert commits == [2]
        assert await ledger.requests.begin("k", "c", "f", NOON, NOON) == Done(200, "{}", {})


async def test_a_token_is_made_once_and_who_revoked_it_knows(
    ledger_url: str, breaks: Callable[[Ledger], list[int]]
) -> None:
    with Ledger.open(ledger_url) as ledger:
        commits = breaks(ledger)
        text, record = await ledger.tokens.create("ci", [Scope.RUN], by="me", now=NOON)
        assert commits == [2]
        assert await ledger.tokens.list() == [record]
        assert await ledger.tokens.check(text, NOON) == record
        commits = breaks(ledger)
        assert await ledger.tokens.revoke(record.id, NOON)
        assert commits == [2]
        assert not await ledger.tokens.revoke(record.id, NOON)
