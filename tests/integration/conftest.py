"""A Prefect server for the session, with its database migrated in advance."""

from __future__ import annotations

import gc
import os
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, closing
from pathlib import Path

import pytest
from prefect import __version__ as prefect_version
from prefect.context import refresh_global_settings_context
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker

from blocks.business import Business, save_business
from blocks.ledger import Ledger
from blocks.prefect_env import common_environment
from blocks.settings import get_settings
from tests.integration.loopback import run_prefect_server
from tests.integration.matrix_shop import MatrixShop


@pytest.fixture(scope="session")
def migrated_database() -> Path:
    """Prefect's SQLite file as the migrations make it: made once per Prefect version (20 s)."""
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
    """The session's Prefect server, which this process's flows and clients use; its API's URL."""
    home = tmp_path_factory.mktemp("prefect")
    shutil.copy(migrated_database, home / "prefect.db")
    with run_prefect_server(home) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_API_URL", url)
        for name, value in common_environment(get_settings()).items():
            patch.setenv(name, value)
        refresh_global_settings_context()
        yield url
        # What waits to be sent is sent while somebody listens: else this process retries for
        # half a minute when it ends.
        APILogWorker.drain_all(timeout=10)
        EventsWorker.drain_all(timeout=10)
    refresh_global_settings_context()


@pytest.fixture
async def no_blocks(prefect_server: str) -> AsyncIterator[None]:
    """No business is saved on the session's server: neither an earlier test's, nor this one's."""
    await _forget_blocks()
    yield
    await _forget_blocks()


async def _forget_blocks() -> None:
    for origin in ("file", "test"):
        await save_business(Business(store=None), origin=origin)


@pytest.fixture(scope="module", autouse=True)
def collected() -> Iterator[None]:
    """Sockets that Prefect left to the garbage collector are no other module's business."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
async def matrix_shop(tmp_path: Path) -> AsyncIterator[MatrixShop]:
    """A small business and a ledger of its own, without a Prefect server."""
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        async with AsyncExitStack() as servers:
            shop = MatrixShop(tmp_path, ledger, servers)
            shop.fill()
            yield shop


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Prefect leaves sockets of its clients to the garbage collector; ours are still watched."""
    for item in items:
        if item.get_closest_marker("prefect"):
            for category in ("ResourceWarning", "pytest.PytestUnraisableExceptionWarning"):
                item.add_marker(
                    pytest.mark.filterwarnings(f"ignore:.*(<socket|_Selector):{category}")
                )
