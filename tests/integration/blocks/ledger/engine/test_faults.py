"""The ledger when its database is locked, gone or full, and when processes die or compete."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from blocks.errors import ConfigurationError, LedgerUnavailable
from blocks.ledger import EffectRecord, Ledger
from blocks.ledger.engine.writer import LINGER
from blocks.settings import PROJECT_ROOT
from blocks.vocabulary.messages import AgentMessage

Trouble = Callable[[str], AbstractContextManager[None]]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def message(**fields: object) -> AgentMessage:
    return AgentMessage.model_validate({"to": "data-intelligence", "action": "a"} | fields)


def effect() -> EffectRecord:
    return EffectRecord(kind="a.restart", target="service:shop", need_key="k", intended_at=NOON)


@contextmanager
def engine_for(url: str) -> Iterator[Engine]:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Somebody else holds what a writer needs."""
    lock = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "BEGIN; LOCK TABLE messages, effects"}
    with engine_for(url) as engine, engine.connect() as connection:
        connection.exec_driver_sql(lock[engine.dialect.name])
        try:
            yield
        finally:
            connection.exec_driver_sql("ROLLBACK")


@contextmanager
def gone(url: str) -> Iterator[None]:
    """The database is away for a while: the file moved, or no connection allowed."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        path = Path(str(parsed.database))
        path.rename(away := path.with_name("away.db"))
        try:
            yield
        finally:
            away.rename(path)
        return
    name = parsed.database
    server = parsed.set(database="postgres").render_as_string(hide_password=False)
    with engine_for(server) as engine, engine.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"),
            {"name": name},
        )
        try:
            yield
        finally:
            connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))


@pytest.mark.parametrize("trouble", [locked, gone])
async def test_entries_survive_a_database_that_is_locked_or_gone(
    ledger_url: str, trouble: Trouble
) -> None:
    with Ledger.open(ledger_url, patience=0.3) as ledger:
        ledger.record(message())
        await ledger.flush()
        with trouble(ledger_url):
            ledger.record(message(), message())
            with pytest.raises(LedgerUnavailable, match="cannot be written"):
                await ledger.flush()
            with pytest.raises(LedgerUnavailable, match="cannot be written"):
                await ledger.effects.intend(effect())
        await ledger.flush()
        assert len(await ledger.calls()) == 3
        assert await ledger.effects.acts() == [], "a failed intent must not turn up later"


@pytest.mark.parametrize("trouble", [locked, gone])
async def test_short_trouble_is_waited_out_without_holding_up_anybody(
    ledger_url: str, trouble: Trouble
) -> None:
    with Ledger.open(ledger_url, patience=30) as ledger:
        with trouble(ledger_url):
            ledger.record(message())
            await asyncio.sleep(3 * LINGER)  # the writer took it by itself, and tries
            flush = asyncio.create_task(ledger.flush())
            await asyncio.sleep(LINGER)
            ledger.record(message())
            assert not flush.done()
        await flush
        await ledger.flush()
        assert len(await ledger.calls()) == 2


async def test_a_restarted_server_costs_no_reader_an_error(ledger_url: str) -> None:
    with Ledger.open(ledger_url) as ledger:
        assert await ledger.calls() == []
        with gone(ledger_url):
            pass
        assert await ledger.calls() == []


async def test_a_write_that_is_cancelled_while_it_waits_its_turn_does_not_happen(
    ledger_url: str,
) -> None:
    with Ledger.open(ledger_url) as ledger:
        with locked(ledger_url):
            ledger.record(message())
            flush = asyncio.create_task(ledger.flush())
            await asyncio.sleep(0.2)  # the writer now waits for the lock
            intent = asyncio.create_task(ledger.effects.intend(effect()))
            await asyncio.sleep(0.05)
            intent.cancel()
            await asyncio.sleep(0)
        await flush
        assert await ledger.effects.intend(effect())


async def test_closing_says_what_it_could_not_write(ledger_url: str) -> None:
    ledger = Ledger.open(ledger_url, patience=0.2)
    with locked(ledger_url):
        ledger.record(message(), message())
        with pytest.raises(LedgerUnavailable, match="2 entries could not be written"):
            ledger.close()


async def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    wal = tmp_path / "ledger.db-wal"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db", patience=0.2) as ledger:
        ledger.record(*(message(payload={"text": "x" * 5000}) for _ in range(100)))
        try:  # the kernel lets no file of ours grow beyond this
            resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size + 8192, hard))
            with pytest.raises(LedgerUnavailable, match=r"ledger\.db cannot"):
                await ledger.flush()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        await ledger.flush()
        assert len(await ledger.calls()) == 100


async def test_a_restored_backup_is_taken_up_without_restart(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(f"sqlite:///{path}") as ledger:
        ledger.record(message())
        await ledger.flush()
        with engine_for(f"sqlite:///{path}") as engine, engine.connect() as connection:
            connection.execute(text("VACUUM INTO :copy"), {"copy": str(tmp_path / "backup.db")})
        ledger.record(message())
        await ledger.flush()
        for companion in ("ledger.db-wal", "ledger.db-shm"):
            (tmp_path / companion).unlink(missing_ok=True)
        (tmp_path / "backup.db").rename(path)
        ledger.record(message())
        await ledger.flush()
        assert len(await ledger.calls()) == 2


WRITER = """
import asyncio, sys
from blocks.ledger import Ledger
from blocks.vocabulary.messages import AgentMessage

async def main():
    url, name, groups, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    ledger = Ledger.open(url, patience=60)
    for group in range(groups):
        for _ in range(size):
            ledger.record(AgentMessage(to="data-intelligence", action="a", run_id=name))
        await ledger.flush()
    print("durable", flush=True)
    ledger.record(AgentMessage(to="data-intelligence", action="not flushed", run_id=name))
    sys.stdin.read()
    ledger.close()

asyncio.run(main())
"""


def start_writer(url: str, name: str, groups: int, size: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, url, name, str(groups), str(size)],
        cwd=PROJECT_ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


async def test_kill_loses_nothing_that_was_flushed(ledger_url: str) -> None:
    with start_writer(ledger_url, "victim", 5, 10) as process:
        assert process.stdout
        assert process.stdout.readline() == "durable\n"
        process.send_signal(signal.SIGKILL)
    with Ledger.open(ledger_url) as ledger:
        flushed = [c for c in await ledger.calls() if c.action == "a"]
        assert len(flushed) == 50


async def test_two_processes_create_and_fill_one_ledger_at_once(empty_ledger_url: str) -> None:
    """Both find an empty database and migrate it, then write 1,000 entries each in 50 commits."""
    writers = [start_writer(empty_ledger_url, name, 50, 20) for name in ("one", "two")]
    for writer in writers:
        out, _ = writer.communicate(timeout=60)
        assert (out, writer.returncode) == ("durable\n", 0)
    with Ledger.open(empty_ledger_url) as ledger:
        for name in ("one", "two"):
            assert len(await ledger.calls(run_id=name, limit=5000)) == 1001


# What open() says.


def test_a_folder_in_place_of_the_file_is_said_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable, match=f"{tmp_path} cannot be opened: it is a folder"):
        Ledger.open(f"sqlite:///{tmp_path}")


def test_a_file_that_is_no_database_is_said_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_text("once upon a time " * 100)
    with pytest.raises(LedgerUnavailable, match=f"{path}.*not a database"):
        Ledger.open(f"sqlite:///{path}")
    assert path.read_text() == "once upon a time " * 100


def test_a_place_that_cannot_be_written_is_said_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LedgerUnavailable, match=f"{tmp_path}/file/ledger.db cannot be opened"):
        Ledger.open(f"sqlite:///{tmp_path}/file/ledger.db")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can try as another user")
@pytest.mark.parametrize("existing", [False, True])
def test_a_folder_of_somebody_else_is_said_with_its_path(tmp_path: Path, existing: bool) -> None:
    if existing:
        Ledger.open(f"sqlite:///{tmp_path}/ledger.db").close()
    for folder in (tmp_path, *tmp_path.parents[:2]):  # pytest's own; not the system's beyond
        folder.chmod(0o755)
    nobody = 65534

    child = os.fork()
    if child == 0:  # pragma: no cover
        os.setgid(nobody)
        os.setuid(nobody)
        try:
            Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
        except LedgerUnavailable as error:
            os._exit(0 if f"{tmp_path}/ledger.db" in str(error) else 2)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_ledger_that_does_not_exist_is_not_created_unasked(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable, match=r"does not exist.*orchestrator up"):
        Ledger.open(f"sqlite:///{tmp_path}/ledger.db", migrate=False)
    assert not any(tmp_path.iterdir())


def test_the_file_and_its_companions_are_for_their_owner_only(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        with Ledger.open(f"sqlite:///{tmp_path}/new/folder/ledger.db"):
            files = list((tmp_path / "new/folder").iterdir())
            assert len(files) == 3
            assert {f.stat().st_mode & 0o777 for f in files} == {0o600}
    finally:
        os.umask(old)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("postgresql+psycopg://u:canary@127.0.0.1:1/ledger", LedgerUnavailable),
        ("postgresql://127.0.0.1:1/ledger?user=u&password=canary", LedgerUnavailable),
        ("postgresql://u:canary@127.0.0.1:port/ledger", ConfigurationError),
        ("postgresql://u:canary@127.0.0.1:1/ledger?nonsense=canary", LedgerUnavailable),
        ("mysql+pymysql://u:canary@127.0.0.1/ledger", ConfigurationError),
        ("u:canary@127.0.0.1/ledger", ConfigurationError),
        ("sqlite://", ConfigurationError),
        ("sqlite:///:memory:", ConfigurationError),
        ("sqlite:///file:x?mode=memory&uri=true", ConfigurationError),
        ("", ConfigurationError),
    ],
)
def test_a_wrong_url_is_explained_without_its_password(url: str, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        Ledger.open(url, patience=1)
    shown = f"{caught.value!r} {''.join(traceback.format_exception(caught.value))}"
    assert "canary" not in shown
    assert str(caught.value).count(". ") == 1, "what is wrong, and what to do"
