"""A ledger that cannot be written, or is damaged, says so, and is well again by itself."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url

from blocks.errors import LedgerDamaged, LedgerUnavailable
from blocks.ledger import Ledger
from blocks.ledger.engine import health
from blocks.vocabulary.messages import AgentMessage
from tests.integration.blocks.ledger.engine.test_faults import Trouble, gone

PATIENCE = 0.3


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Another process holds the whole database, or will not let it be written."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        name = parsed.database
        with _administering(url) as run:
            run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
            run(f"SELECT pg_terminate_backend(pid) FROM ({_OTHERS.format(name)}) others")
            try:
                yield
            finally:
                run(f"ALTER DATABASE {name} SET default_transaction_read_only = off")
                run(f"SELECT pg_terminate_backend(pid) FROM ({_OTHERS.format(name)}) others")
        return
    script = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('BEGIN EXCLUSIVE'); print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(parsed.database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "locked\n"
        try:
            yield
        finally:
            process.communicate()


_OTHERS = "SELECT pid FROM pg_stat_activity WHERE datname = '{}' OFFSET 0"


@contextmanager
def _administering(url: str) -> Iterator[object]:
    server = make_url(url).set(database="postgres")
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield connection.exec_driver_sql
    finally:
        engine.dispose()


async def well(ledger: Ledger) -> str:
    """What is wrong now, whatever was known."""
    ledger.health._known = (0.0, "")
    return await ledger.health.fault()


@pytest.mark.parametrize("trouble", [locked, gone])
async def test_who_cannot_write_says_why_until_it_can_again(
    ledger_url: str, trouble: Trouble
) -> None:
    with Ledger.open(ledger_url, patience=PATIENCE) as ledger:
        assert await ledger.health.fault() == ""
        with trouble(ledger_url):
            assert (await well(ledger)).startswith("cannot be written: ")
            with pytest.raises(LedgerUnavailable, match="cannot be written"):
                await ledger.health.check()
        assert await well(ledger) == ""
        await ledger.health.check()


async def test_however_many_ask_at_once_a_ledger_that_takes_writes_is_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One begins a new try just when another one's is over, and its answer not yet told."""
    monkeypatch.setattr(health, "FRESH", 0.0)
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:

        async def keep_asking(pause: float) -> list[str]:
            said = []
            for _ in range(40):
                said.append(await ledger.health.fault())
                await asyncio.sleep(pause)
            return said

        asked = await asyncio.gather(*(keep_asking(n * 0.0003) for n in range(12)))
    assert {said for each in asked for said in each} == {""}


async def test_a_write_that_waits_too_long_is_told_before_its_patience_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "DEADLINE", 0.2)
    url = f"sqlite:///{tmp_path}/ledger.db"
    with Ledger.open(url, patience=60) as ledger:
        with locked(url):
            for _ in range(3):
                assert "has taken no write" in await well(ledger)
            assert len(ledger._writer._jobs) <= 1, "who asks again starts no other write"
        await ledger._access.write(lambda _: None)
        assert await well(ledger) == ""


async def test_a_full_disk_is_told_with_what_could_not_be_written(tmp_path: Path) -> None:
    wal = tmp_path / "ledger.db-wal"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db", patience=PATIENCE) as ledger:
        assert await ledger.health.fault() == ""
        try:  # the kernel lets no file of ours grow beyond this
            resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size + 8192, hard))
            ledger.record(
                AgentMessage(to="data-intelligence", action="a", payload={"x": "x" * 99999})
            )
            with pytest.raises(LedgerUnavailable, match="cannot"):
                await ledger.flush()
            # A small write would still find room: what waits to be written does not.
            assert "full" in await well(ledger) or "disk I/O error" in await well(ledger)
            assert ledger.health.refused >= 1
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert await well(ledger) == ""
        assert len(await ledger.calls()) == 1


async def test_a_disk_without_room_to_grow_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        monkeypatch.setattr(health, "LITTLE_SPACE", 2**62)
        assert "MB left on its disk" in await well(ledger)


def overwrite(path: Path, table: str) -> None:
    """Garbage in place of the first page of a table."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        ((page,),) = connection.execute(query, (table,)).fetchall()
        ((size,),) = connection.execute("PRAGMA page_size").fetchall()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)


def restore(path: Path, content: bytes) -> None:
    """Put a backup in a file's place."""
    for companion in path.parent.glob(f"{path.name}-*"):
        companion.unlink()
    path.write_bytes(content)


async def test_an_overwritten_page_is_found_and_told(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    Ledger.open(f"sqlite:///{path}").close()
    sound = path.read_bytes()
    overwrite(path, "reports")
    with Ledger.open(f"sqlite:///{path}") as ledger:
        found = await ledger.health.examine(60)
        assert found.faults
        assert (await ledger.health.fault()).startswith("is damaged: ")
        with pytest.raises(LedgerDamaged, match="put a backup in the place"):
            await ledger.health.check()
        with pytest.raises(LedgerDamaged):
            await ledger.health.require_sound(60)
    restore(path, sound)
    with Ledger.open(f"sqlite:///{path}") as ledger:
        assert (await ledger.health.require_sound(60)).whole
        assert await ledger.health.fault() == ""


async def test_who_comes_upon_damage_by_chance_tells_of_it_too(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(f"sqlite:///{path}") as ledger:
        ledger.record(AgentMessage(to="data-intelligence", action="a"))
        await ledger.flush()
    overwrite(path, "messages")
    with Ledger.open(f"sqlite:///{path}") as ledger:
        assert await ledger.health.fault() == ""
        with pytest.raises(LedgerDamaged, match="malformed"):
            await ledger.calls()
        assert ledger.health.suspected
        assert "is damaged" in await well(ledger)


async def test_an_examination_ends_at_its_time(tmp_path: Path) -> None:
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        for _ in range(30):
            text = "x" * 20_000
            ledger.record(
                *(
                    AgentMessage(to="data-intelligence", action="a", payload={"x": text})
                    for _ in range(100)
                )
            )
            await ledger.flush()
        found = await ledger.health.examine(0)
        assert (found.faults, found.whole) == ([], False)


@pytest.mark.services
async def test_a_server_s_tables_are_read(postgres_url: str) -> None:
    with Ledger.open(postgres_url) as ledger:
        assert (await ledger.health.examine(60)).faults == []
        with gone(postgres_url), pytest.raises(LedgerUnavailable, match="cannot be examined"):
            await ledger.health.examine(60)
