"""Waiting for runs: many at once, in vain, and with preferences that make no sense."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from prefect import get_client
from prefect.states import Completed

from blocks.prefect_api.runs import Runs
from tests.integration.deployments.api.conftest import Api

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(300)]


async def test_hundreds_wait_at_once(registered: str) -> None:
    """More than Prefect lists at once; they are looked at together."""
    async with Runs.open() as runs, get_client() as client:
        started = [
            await runs.start("system-status/system-status", key=uuid4().hex) for _ in range(4)
        ]
        ids = [run.id for run in started]
        unknown = [uuid4() for _ in range(300)]
        waiting = [asyncio.create_task(runs.wait(each, 60)) for each in [*unknown, *ids]]
        left = asyncio.create_task(runs.wait(ids[0], 60))
        await asyncio.sleep(0.3)
        left.cancel()
        for run_id in ids:
            await client.set_flow_run_state(run_id, Completed(), force=True)
        ended = await asyncio.gather(*waiting[-4:])
        assert [each and each.id for each in ended] == ids
        for each in waiting[:-4]:
            each.cancel()
        await asyncio.gather(*waiting[:-4], return_exceptions=True)
        assert await runs.wait(ids[0], 30) is not None, "looked at anew"


async def test_who_waits_in_vain_is_told_that_it_was_accepted(api: Api) -> None:
    answer = await api.post(
        "/orchestrate/workflow", {"workflow": "system-status"}, Prefer="wait=1, respond-async"
    )
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "wait=1"


@pytest.mark.parametrize("prefer", ["wait=0", "wait=-1", "wait=soon", "return=minimal", "x" * 999])
async def test_a_preference_that_makes_no_sense_is_passed_over(api: Api, prefer: str) -> None:
    answer = await api.post("/orchestrate/workflow", {"workflow": "system-status"}, Prefer=prefer)
    assert answer.status_code == 202
    assert "preference-applied" not in answer.headers
