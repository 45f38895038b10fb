"""Runs that a worker carries out: waited for, looked at, and what they came to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
from prefect import get_client
from prefect.states import Completed

from blocks.ledger import Ledger
from deployments.api.client import AsyncOrchestrator, Run, run, task, workflow
from deployments.api.runs import Runs
from tests.integration.api.conftest import Api, api_settings, serving, working

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest_asyncio.fixture
async def worked(registered: str, tmp_path: Path) -> AsyncIterator[Api]:
    """The API, and a worker that shares its ledger."""
    settings = api_settings(tmp_path)
    with serving(settings) as url, Ledger.open(settings.effective_ledger_url) as ledger:
        async with httpx.AsyncClient(base_url=url, timeout=90, trust_env=False) as client:
            with working(settings, tmp_path / "worker.log", "operations", "critical"):
                yield Api(settings, client, ledger)


async def test_a_run_is_seen_from_acceptance_to_its_report(worked: Api, tmp_path: Path) -> None:
    async with AsyncOrchestrator(str(worked.client.base_url), timeout=60) as api:
        call = workflow("system-status", {"hours": 2})
        accepted = await api.send(call)
        ended = await api.wait(accepted.id, timeout=200)
        assert ended.state.type == "COMPLETED", (tmp_path / "worker.log").read_text()[-2000:]
        assert ended.report is not None
        assert ended.report["title"] == "System status"
        assert ended.report == (await worked.ledger.report(UUID(accepted.id).hex)).body  # type: ignore[union-attr]
        assert ended.finished_at is not None

        # Who prefers to wait gets the result, and so does who asks again.
        waited = await worked.post(
            "/orchestrate/workflow", {"workflow": "system-status"}, Prefer="wait=60"
        )
        assert waited.status_code == 200, waited.text
        assert waited.headers["preference-applied"] == "wait=60"
        assert waited.json()["state"]["is_final"]
        again = await api.send(workflow("system-status", {"hours": 2}, key=key_of(call), wait=5))
        assert isinstance(again, Run)
        assert again.report == ended.report

        # Without a business the task fails, and the answer says why.
        failed = await api.wait((await api.send(task("inventory_sync"))).id, timeout=200)
        assert failed.state.type == "FAILED"
        assert "business" in failed.state.message + str(failed.result)
        assert (await api.send(run(failed.id))).state == failed.state


def key_of(call: Any) -> str:
    return str(call.headers["Idempotency-Key"])


async def test_hundreds_wait_at_once(registered: str) -> None:
    """More than Prefect lists at once; they are looked at together."""
    async with Runs.open() as runs, get_client() as client:
        ids = [
            await runs.start("system-status/system-status", {}, key=uuid4().hex) for _ in range(4)
        ]
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
