"""Tokens in the ledger: only the right text is one, and only its hash is there."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from blocks.errors import RequestError
from blocks.ledger import Ledger
from blocks.ledger.callers.tokens import Scope, TokenRecord

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url) as ledger:
        yield ledger


async def make(ledger: Ledger, name: str = "ci", **fields: datetime) -> tuple[str, TokenRecord]:
    return await ledger.tokens.create(name, {Scope.RUN}, by="me", now=NOON, **fields)


async def test_a_token_is_known_by_its_text_in_every_process(ledger_url: str) -> None:
    with Ledger.open(ledger_url) as one, Ledger.open(ledger_url) as other:
        scopes = [Scope.APPROVE, Scope.RUN, Scope.RUN]
        given, record = await one.tokens.create("ci", scopes, by="me", now=NOON)
        assert given.startswith(f"orc_{record.id}_")
        assert record.scopes == (Scope.RUN, Scope.APPROVE)
        assert await other.tokens.check(given, NOON) == record
        assert await other.tokens.list() == [record]


async def test_tokens_of_one_name_are_two(ledger: Ledger) -> None:
    (one, first), (other, second) = await make(ledger), await make(ledger)
    assert one != other
    assert await ledger.tokens.check(one, NOON) == first
    assert await ledger.tokens.check(other, NOON) == second


async def test_an_expired_token_is_none(ledger: Ledger) -> None:
    given, record = await make(ledger, expires_at=NOON + HOUR)
    assert await ledger.tokens.check(given, NOON + HOUR - timedelta(microseconds=1)) == record
    assert await ledger.tokens.check(given, NOON + HOUR) is None


async def test_a_revoked_token_is_none_and_stays_on_record(ledger: Ledger) -> None:
    given, record = await make(ledger)
    assert not await ledger.tokens.revoke("0" * 12, NOON)
    revoked = await asyncio.gather(
        *(ledger.tokens.revoke(record.id, NOON + i * HOUR) for i in range(5))
    )
    assert sorted(revoked) == [False] * 4 + [True]
    assert await ledger.tokens.check(given, NOON) is None
    [kept] = await ledger.tokens.list()
    assert kept.revoked_at == NOON + revoked.index(True) * HOUR


async def test_whether_any_token_is_valid(ledger: Ledger) -> None:
    assert not await ledger.tokens.any_valid(NOON)
    await make(ledger, expires_at=NOON + HOUR)
    assert await ledger.tokens.any_valid(NOON)
    assert not await ledger.tokens.any_valid(NOON + HOUR)
    _, record = await make(ledger)
    assert await ledger.tokens.any_valid(NOON + HOUR)
    await ledger.tokens.revoke(record.id, NOON)
    assert not await ledger.tokens.any_valid(NOON + HOUR)


async def test_of_a_token_everything_counts(ledger: Ledger) -> None:
    given, record = await make(ledger)
    other, _ = await make(ledger)
    secret, others = given.split("_", 2)[2], other.split("_", 2)[2]
    changed = ("A" if secret[0] != "A" else "B") + secret[1:]
    for wrong in (
        f"orc_{record.id}_{changed}",
        f"orc_{record.id}_{others}",
        f"orc_{record.id}_{secrets.token_urlsafe(32)}",
        f"orc_{'0' * 12}_{secret}",
        given[:-1],
        given + "A",
        given + "\n",
        " " + given,
        given.upper(),
        f"orc_{record.id}_",
        f"orc_{record.id}_{record.hash}",
        record.hash,
        record.id,
    ):
        assert await ledger.tokens.check(wrong, NOON) is None, wrong


SHAPED = st.from_regex(r"orc_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", fullmatch=True)
NEARLY = st.from_regex(r"orc_.{0,14}_.{0,50}")
ANY = st.text(st.characters(codec=None, exclude_categories=()))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=ANY | SHAPED | NEARLY)
def test_no_other_text_is_a_token(ledger: Ledger, garbage: str) -> None:
    async def check() -> None:
        if not await ledger.tokens.list():
            await make(ledger)
        assert await ledger.tokens.check(garbage, NOON) is None

    asyncio.run(check())


@pytest.mark.parametrize(
    "garbage", ["x" * 10_000_000, "orc_" + "a" * 10_000_000, "orc_é_ü", "\ud800", "\x00", ""]
)
async def test_garbage_of_any_size_is_none(ledger: Ledger, garbage: str) -> None:
    assert await ledger.tokens.check(garbage, NOON) is None


def test_the_database_holds_the_hash_and_not_the_secret(tmp_path: Path) -> None:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        given, record = asyncio.run(make(ledger))
        files = list(tmp_path.glob("ledger.db*"))
        held = b"".join(file.read_bytes() for file in files)  # and its write-ahead log
    assert record.hash.encode() in held
    assert given.split("_", 2)[2].encode() not in held
    assert given.encode() not in held


async def test_a_servers_rows_hold_no_secret_either(postgres_url: str) -> None:
    with Ledger.open(postgres_url) as ledger:
        given, record = await make(ledger)
    engine = create_engine(postgres_url)
    with engine.connect() as connection:
        held = str(connection.execute(text("SELECT * FROM api_tokens")).all())
    engine.dispose()
    assert record.hash in held
    assert given.split("_", 2)[2] not in held


@pytest.mark.parametrize(
    ("name", "scopes", "expires_at", "said"),
    [
        ("", [Scope.READ], None, "no name"),
        (" ", [Scope.READ], None, "no name"),
        ("x" * 101, [Scope.READ], None, "no name"),
        ("ci", [], None, "has no scope"),
        ("ci", [Scope.READ], NOON, "is past"),
    ],
)
async def test_what_is_no_token_is_not_made(
    ledger: Ledger, name: str, scopes: list[Scope], expires_at: datetime | None, said: str
) -> None:
    with pytest.raises(RequestError, match=said):
        await ledger.tokens.create(name, scopes, by="me", now=NOON, expires_at=expires_at)
    assert await ledger.tokens.list() == []


async def test_any_name_can_be_stored(ledger: Ledger) -> None:
    _, record = await make(ledger, "Ünï \U0001f600 'quoted\" [red]")
    assert [token.name for token in await ledger.tokens.list()] == [record.name]
