"""Real servers for the tests: an empty database per test.

A server that is not there makes its tests skip with the reason; with
``ORCHESTRATOR_REQUIRE_SERVICES=1`` (as on CI) it makes them fail.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

import hypothesis
import pytest
from sqlalchemy import URL, Connection, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

# Before anything of ours is imported: no test may touch, or talk to, what the user runs.
_KEPT = ("ORCHESTRATOR_TEST_", "ORCHESTRATOR_REQUIRE_")
for _name in [n for n in os.environ if n.startswith(("ORCHESTRATOR_", "PREFECT_"))]:
    if not _name.startswith(_KEPT):
        del os.environ[_name]
# In memory where there is room: on a disk, the databases of the tests would mostly wait for it.
_MEMORY = Path("/dev/shm")
if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > 4 * 2**30:
    os.environ["TMPDIR"] = tempfile.tempdir = os.environ.get("TMPDIR", str(_MEMORY))
os.environ["ORCHESTRATOR_STATE_DIR"] = tempfile.mkdtemp(prefix="orchestrator-tests-")
# The servers of the tests are on loopback, their files in folders of pytest's.
os.environ["ORCHESTRATOR_INTERNAL_HOSTS"] = "127.0.0.1,localhost"
os.environ["ORCHESTRATOR_DATA_FOLDERS"] = tempfile.gettempdir()
atexit.register(shutil.rmtree, os.environ["ORCHESTRATOR_STATE_DIR"], ignore_errors=True)

# No test asserts a time, so no example has a deadline.
hypothesis.settings.register_profile("project", deadline=None)
hypothesis.settings.load_profile("project")

POSTGRES = os.environ.get(
    "ORCHESTRATOR_TEST_POSTGRES_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/test"
)
MARIADB = os.environ.get(
    "ORCHESTRATOR_TEST_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306/test"
)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Not even read unless asked for: Schemathesis takes a minute to make up its examples."""
    unasked = config.getoption("markexpr") == "not soak"
    return True if unasked and collection_path.name == "soak" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole stacks first: begun last, they would leave the other test processes idle."""
    items.sort(key=lambda item: item.path.name != "test_stack.py")


def service_missing(reason: str) -> NoReturn:
    """Skip the test with its reason, or fail it where every service is required."""
    if os.environ.get("ORCHESTRATOR_REQUIRE_SERVICES") == "1":
        pytest.fail(f"required service missing: {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def migrated_database() -> Path:
    """Prefect's SQLite file as the migrations make it: made once per Prefect version (20 s)."""
    from prefect import __version__ as prefect_version

    from tests.integration.loopback import run_prefect_server

    # The file holds no data; it is kept between sessions, and put there in one step.
    cache = Path(tempfile.gettempdir()) / f"orchestrator-tests-{os.getuid()}"
    cache.mkdir(mode=0o700, exist_ok=True)
    template = cache / f"prefect-{prefect_version}.db"
    if not template.exists():
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            home = Path(folder)
            with run_prefect_server(home):
                pass
            with (
                closing(sqlite3.connect(home / "prefect.db")) as source,
                closing(sqlite3.connect(home / "copy.db")) as target,
            ):
                source.backup(target)
            (home / "copy.db").replace(template)
    return template


@pytest.fixture(scope="session")
def prefect_server(
    migrated_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The session's Prefect server, which this process's flows and clients use; its API's URL.

    Here, since there may be one alone: a module that imported the fixture would start another one,
    and the process would talk to both.
    """
    from deployments.worker.preloading import preload
    from tests.integration.loopback import own_prefect_server

    with own_prefect_server(tmp_path_factory.mktemp("prefect"), migrated_database) as url:
        preload(())  # as for runs: each of Prefect's clients else reads 140 certificates
        yield url


@dataclass
class _Postgres:
    """A PostgreSQL server, and this process's database on it."""

    server: Connection
    database: URL


@pytest.fixture(scope="session")
def postgres() -> Iterator[_Postgres]:
    """One database for all tests of this process: to create one takes longer than most tests.

    No test cuts the server's power, so its commits wait for no disk.
    """
    url = make_url(POSTGRES)
    with _server(url) as server:
        found = _Postgres(server, url.set(database=_create_database(server)))
        server.execute(text(f"ALTER DATABASE {found.database.database} SET synchronous_commit=off"))
        yield found
        server.execute(text(f"DROP DATABASE {found.database.database} WITH (FORCE)"))


@pytest.fixture
def postgres_url(postgres: _Postgres) -> str:
    """URL of an empty PostgreSQL database, by a name of this test's own."""
    old, new = postgres.database.database, _new_name()
    postgres.server.execute(text(_CUT_OFF), {"name": old})
    postgres.server.execute(text(f"ALTER DATABASE {old} RENAME TO {new}"))
    postgres.database = postgres.database.set(database=new)
    with _autocommit(postgres.database) as connection:
        connection.execute(text(_EMPTY))
    return postgres.database.render_as_string(hide_password=False)


@pytest.fixture
def mariadb_url() -> Iterator[str]:
    """URL of an empty MariaDB database of this test's own."""
    url = make_url(MARIADB)
    with _server(url) as server:
        name = _create_database(server)
        yield url.set(database=name).render_as_string(hide_password=False)
        server.execute(text(f"DROP DATABASE {name}"))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def empty_ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database for a ledger; the test runs once per kind of database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def ledger_url(empty_ledger_url: str) -> str:
    """URL of a ledger in which nothing is written, once per kind of database.

    Its tables are made at once: to run all migrations takes longer than most tests. That both come
    to the same is tested.
    """
    from blocks.ledger import Ledger  # with all its tables
    from blocks.ledger.engine import schema
    from blocks.ledger.engine.tables import METADATA

    assert Ledger
    engine = create_engine(empty_ledger_url)
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA auto_vacuum=INCREMENTAL")  # before there are tables
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        METADATA.create_all(connection)
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        newest = {"version": schema.revisions()[-1]}
        connection.execute(text("INSERT INTO alembic_version VALUES (:version)"), newest)
        connection.commit()
    engine.dispose()
    return empty_ledger_url


_CUT_OFF = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = :name"
_EMPTY = """
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)' LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', name);
    END LOOP;
    CREATE SCHEMA public;
END $$
"""


def _new_name() -> str:
    return f"test_{uuid4().hex[:16]}"


def _create_database(server: Connection) -> str:
    name = _new_name()
    server.execute(text(f"CREATE DATABASE {name}"))
    return name


@contextmanager
def _server(url: URL) -> Iterator[Connection]:
    with ExitStack() as opened:
        try:
            server = opened.enter_context(_autocommit(url))
        except SQLAlchemyError as error:
            service_missing(f"{url.render_as_string()} does not answer: {error}")
        yield server


@contextmanager
def _autocommit(server: URL) -> Iterator[Connection]:
    engine = create_engine(
        server, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 5}
    )
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
