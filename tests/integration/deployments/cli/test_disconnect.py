"""A shop is adopted by a stack, and the stack is given back to the sample business."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from blocks.business.business import Business, current_business, save_business
from blocks.business.services import MonitoredService
from blocks.errors import NoBusinessConfigured
from blocks.prefect_api.env import RunningStack
from blocks.store.block import StoreDatabase
from deployments.sample import arrangement
from tests.forked import orchestrator

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("no_blocks")]

SHOP = Business(
    StoreDatabase(
        name="shop",
        url=SecretStr("sqlite:////nowhere/shop.db"),
        frames={"stock": {"table": "stock", "columns": {"sku": "sku", "on_hand": "qty"}}},  # type: ignore[dict-item]
    )
)


async def disconnect(server: str, folder: Path, **environment: str) -> str:
    ended = await asyncio.to_thread(
        orchestrator,
        "disconnect",
        PREFECT_API_URL=server,
        ORCHESTRATOR_STATE_DIR=str(folder),
        **environment,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


async def test_the_business_of_a_file_is_forgotten_and_a_persons_blocks_stay(
    prefect_server: str, tmp_path: Path
) -> None:
    await save_business(SHOP, origin="file")
    till = MonitoredService(name="till", health_url="https://till.example/health")
    await save_business(Business(store=None, services=(till,)), origin="test")

    told = await disconnect(prefect_server, tmp_path)

    assert "The next ./orchestrator up starts the sample business." in told
    left = await current_business()
    assert [block.name for block in left.blocks()] == ["till"]


async def test_a_sample_that_still_runs_takes_its_place_at_once(
    prefect_server: str, tmp_path: Path
) -> None:
    folder = arrangement.open_folder(tmp_path)
    access = arrangement.save_access(folder, "127.0.0.1", 4310)
    arrangement.write_business_file(folder, tmp_path, access, f"sqlite:///{folder / 'shop.db'}")
    port = urlsplit(prefect_server).port or 0  # something that listens, as a stack's control does
    RunningStack(os.getpid(), "a", prefect_server, port, "b", ("checkout",)).announce(tmp_path)
    await save_business(SHOP, origin="file")
    file = tmp_path / "shop.toml"

    told = await disconnect(prefect_server, tmp_path, ORCHESTRATOR_BUSINESS_FILE=str(file))

    assert "looks after the sample business again" in told
    assert f"ORCHESTRATOR_BUSINESS_FILE still names {file}" in told
    store = (await current_business()).store
    assert store
    assert store.name == "sample-shop"
    await save_business(Business(store=None), origin="sample")
    with pytest.raises(NoBusinessConfigured):
        await current_business()
