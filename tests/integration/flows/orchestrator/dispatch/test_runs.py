"""A workflow run in Prefect and in the ledger."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect import flow, get_client
from prefect.flow_engine import run_flow_async
from prefect.states import AwaitingRetry

from blocks.ledger import Ledger
from blocks.settings import get_settings
from blocks.vocabulary.messages import Outcome
from flows.orchestrator.dispatch.context import shared_ledger
from flows.orchestrator.team.opening import workflow_run

pytestmark = pytest.mark.prefect


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    monkeypatch.setenv("ORCHESTRATOR_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    get_settings.cache_clear()
    ledger = shared_ledger(get_settings().effective_ledger_url)
    yield ledger
    ledger.close()
    get_settings.cache_clear()


async def test_a_run_that_is_retried_does_not_keep_its_first_outcome(
    prefect_server: str, ledger: Ledger
) -> None:
    tries = []

    @flow
    async def second_time_lucky() -> None:
        async with workflow_run("lucky", with_business=False):
            tries.append(1)
            if len(tries) == 1:
                raise ValueError("no luck")

    flow_run_id = (await second_time_lucky(return_state=True)).state_details.flow_run_id
    async with get_client() as client:  # what a click on "Retry" does
        await client.set_flow_run_state(flow_run_id, AwaitingRetry(), force=True)
        again = await client.read_flow_run(flow_run_id)
    await run_flow_async(second_time_lucky, flow_run=again, return_type="state")

    gc.collect()  # the failed state kept Prefect's client, and its socket, until now
    newest, first = await ledger.runs()
    assert (newest.outcome, first.outcome) == (Outcome.SUCCEEDED, Outcome.FAILED)
    assert first.id == flow_run_id.hex
    assert newest.flow_run_id == first.flow_run_id == str(flow_run_id)
