"""A business for the workflows to look after, and short waits."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from prefect import get_client

from agents.sre_reliability.automation import refetch, restart
from agents.tasks import _task_for
from blocks.ledger import Ledger
from blocks.ledger.receipts.faults import FaultKind
from blocks.settings import get_settings
from deployments.sample.store import fill_store, shop_today
from flows.orchestrator.dispatch.context import shared_ledger
from flows.orchestrator.dispatch.policy import VARIABLE, forget_policy, write_changes
from flows.orchestrator.team.demand import KEPT_DEMAND
from tests.integration.flows.bench import MATRIX, Bench
from tests.integration.flows.shop import Shop, open_shop

# The best sellers of the last months of a real shop.
_CUT = """
DELETE FROM products WHERE sku NOT IN
    (SELECT sku FROM sale_lines GROUP BY sku ORDER BY COUNT(*) DESC LIMIT 12);
DELETE FROM stock WHERE sku NOT IN (SELECT sku FROM products);
DELETE FROM purchase_orders WHERE sku NOT IN (SELECT sku FROM products);
DELETE FROM sale_lines WHERE sku NOT IN (SELECT sku FROM products)
    OR sold_at < (SELECT date(MAX(sold_at), '-120 days') FROM sale_lines);
VACUUM;
"""


@pytest.fixture(scope="session")
def filled_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small cut of the sample's store, filled up to yesterday; not to be changed."""
    file = tmp_path_factory.mktemp("store") / "shop.db"
    fill_store(f"sqlite:///{file}", shop_today())
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(_CUT)
    return file


@pytest.fixture(autouse=True)
def short_waits() -> Iterator[None]:
    """Retries and remedies wait for milliseconds; what they do stays the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agents.tasks.RETRY_DELAYS", [0.01] * 5)
        patch.setattr(refetch, "PAUSE", 0.01)
        patch.setattr(restart, "GAP", 0.02)
        patch.setattr(restart, "SETTLING", 0.2)
        _task_for.cache_clear()
        yield
    _task_for.cache_clear()


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """The ledger that workflows of this test use: their own. Each call in it has its receipt."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORCHESTRATOR_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
        get_settings.cache_clear()
        ledger = shared_ledger(get_settings().effective_ledger_url)
        yield ledger
        faults = (await ledger.receipts.verify()).faults
        assert [fault for fault in faults if fault.kind is FaultKind.GONE] == []
        ledger.close()
    get_settings.cache_clear()


@pytest.fixture
async def shop(
    prefect_server: str, ledger: Ledger, filled_store: Path, tmp_path: Path
) -> AsyncIterator[Shop]:
    """A healthy business, configured through its file; nothing was learned of its demand yet."""
    shutil.rmtree(get_settings().state_dir / KEPT_DEMAND, ignore_errors=True)
    shutil.copy(filled_store, tmp_path / "shop.db")
    async with open_shop(tmp_path) as shop:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ORCHESTRATOR_BUSINESS_FILE", str(shop.business_file))
            get_settings.cache_clear()
            yield shop
    get_settings.cache_clear()


@pytest.fixture
async def bench(prefect_server: str, ledger: Ledger, tmp_path: Path) -> AsyncIterator[Bench]:
    """A small team that fails on purpose, and a policy that knows its tasks."""
    bench = Bench(tmp_path)
    await write_changes({"task_types": MATRIX}, bench.registry)
    yield bench
    async with get_client() as client:
        await client.delete_variable_by_name(VARIABLE)
    forget_policy()
