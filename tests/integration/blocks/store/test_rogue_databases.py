"""Databases that are none, or that want something of ours: each ends soon, and gets nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from blocks.errors import ConfigurationError, SourceGarbled, SourceTimeout, SourceUnavailable
from blocks.store import connection as sql_connection
from blocks.store import sql
from blocks.store.block import StoreDatabase
from blocks.store.mapping import FrameMapping
from tests import rogue_servers as rogue

NOW = datetime(2026, 11, 28, tzinfo=UTC)
CANARY = "canary-3ab9"


def store(url: str) -> StoreDatabase:
    stock = FrameMapping(table="stock", columns={"sku": "sku", "on_hand": "n"})
    return StoreDatabase(name="shop", url=url, frames={"stock": stock}, statement_timeout=60)


@pytest.mark.parametrize("option", ["", "?local_infile=1", "?local_infile=true"])
async def test_a_server_that_asks_for_a_file_gets_none(option: str, tmp_path: Path) -> None:
    secret = tmp_path / "receipts.key"
    secret.write_text(CANARY)
    got: list[bytes] = []
    async with rogue.talking(rogue.mysql_thief(str(secret), got)) as port:
        block = store(f"mysql://root@127.0.0.1:{port}/shop{option}")
        with pytest.raises(ConfigurationError if option else SourceGarbled) as caught:
            await block.check()
    assert CANARY not in b"".join(got).decode()
    assert got in ([], [b"\x01"])  # at most a goodbye
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "talk"),
    [
        ("postgresql", rogue.silence),
        ("postgresql", rogue.dripping(b"N")),
        ("postgresql", rogue.postgresql_mute_after_login()),
        ("mysql", rogue.silence),
        ("mysql", rogue.dripping(rogue.packet(0, rogue.HELLO))),
        ("mysql", rogue.mysql_mute_after_login()),
    ],
)
async def test_a_server_that_never_comes_to_the_point_is_left(
    kind: str, talk: rogue.Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Reading may take a minute; letting us in may not.
    monkeypatch.setattr(sql, "CONNECT_SECONDS", 0.5)
    async with rogue.talking(talk) as port:
        block = store(f"{kind}://shop:{CANARY}@127.0.0.1:{port}/shop")
        with pytest.raises((SourceTimeout, SourceUnavailable, SourceGarbled)) as caught:
            await asyncio.wait_for(block.check(), 30)
    assert CANARY not in str(caught.value)
    if talk is rogue.silence:
        assert "did not let us in within 0.5 s" in str(caught.value)


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00\x00\x00\x00",
        b"\x01\x00\x00\x00\x0a",
        b"\xff\xff\xff\x00" + b"\xff" * 64,
        rogue.packet(0, rogue.HELLO[:20]),
        rogue.packet(0, rogue.HELLO) + rogue.packet(2, b"\xfe"),
        rogue.packet(0, rogue.HELLO) + rogue.packet(2, b"\xff"),
    ],
)
@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
async def test_nonsense_is_no_traceback(
    kind: str, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "CONNECT_SECONDS", 1.0)
    async with rogue.talking(rogue.saying(said)) as port:
        with pytest.raises((SourceTimeout, SourceUnavailable, SourceGarbled)):
            await store(f"{kind}://shop@127.0.0.1:{port}/shop").check()


def test_the_limits_are_what_the_documents_say() -> None:
    assert sql_connection.CONNECT_SECONDS == 10
