"""A work pool of a test's own, whose worker reports as a real one does, and runs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectNotFound

from blocks.prefect_api.calls import WORKER_LIMITS, save_variable
from blocks.prefect_api.client import PoolInfo, PrefectApi
from blocks.prefect_api.worker_names import worker_name
from blocks.vocabulary.messages import utc_now


@asynccontextmanager
async def reporting_pool(limit: int | None = None, *, worker_limit: int = 1) -> AsyncIterator[str]:
    """The pool's name; it is gone afterwards.

    Args:
        limit: Its own limit.
        worker_limit: What its worker takes of itself, as registration tells.
    """
    name = f"pool-{uuid4().hex[:8]}"
    async with get_client() as client:
        await client.create_work_pool(
            WorkPoolCreate(name=name, type="process", concurrency_limit=limit)
        )
        await save_variable(client, WORKER_LIMITS, {name: worker_limit})
        await client.send_worker_heartbeat(name, worker_name(name), 30)
        reports = asyncio.create_task(_report(client, name))
        try:
            yield name
        finally:
            reports.cancel()
            await asyncio.gather(reports, return_exceptions=True)
            with suppress(ObjectNotFound):
                await client.delete_work_pool(name)


async def _report(client: PrefectClient, name: str) -> None:
    while True:
        await asyncio.sleep(0.05)
        await client.send_worker_heartbeat(name, worker_name(name), 30)


async def pool_named(name: str) -> PoolInfo:
    """The pool as Prefect tells it."""
    return next(pool for pool in await PrefectApi().pools(utc_now()) if pool.name == name)


async def own_limit(name: str) -> int | None:
    """The pool's own limit now."""
    return (await pool_named(name)).concurrency_limit
