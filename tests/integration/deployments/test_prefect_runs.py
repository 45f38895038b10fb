"""Runs on a real Prefect server, for whoever looks after them."""

from __future__ import annotations

import pytest
from prefect import flow, get_client
from prefect.states import Crashed

from deployments.services.prefect_runs import PrefectRuns

pytestmark = pytest.mark.prefect


async def test_what_was_deleted_meanwhile_is_not_as_it_was_seen(prefect_server: str) -> None:
    @flow(name="deleted")
    async def deleted() -> None:
        pass

    async with get_client() as client:
        kept, gone = [await client.create_flow_run(deleted) for _ in range(2)]
        await client.delete_flow_run(gone.id)
        runs = PrefectRuns(client, [])
        assert not await runs.propose(gone, Crashed())
        await runs.forget_process(gone)
        assert await runs.propose(kept, Crashed(), force=True)
        assert not await runs.propose(kept, Crashed(), force=True), "it is no longer as it was"
