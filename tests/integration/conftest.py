"""A session's server without what earlier tests left on it, and a shop that needs none."""

from __future__ import annotations

import gc
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from blocks.business.business import Business, save_business
from blocks.ledger import Ledger
from tests.integration.matrix_shop import MatrixShop


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
