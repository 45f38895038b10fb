"""Runs of the event-driven workflow that the API asks for: soon, and few, however many came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun

from blocks.ledger import Ledger
from blocks.prefect_api.runs import Runs
from blocks.settings import get_settings
from blocks.vocabulary.messages import Severity, SystemEvent, utc_now
from deployments.api.intake.event_runs import EventRuns
from deployments.cli.watching.events import hand_in
from deployments.registration.automations import FAILED_RUNS, WORKFLOW
from flows.deliver_message import deliver_message
from flows.orchestrator.events.accept import accept_events
from flows.orchestrator.events.wake import BUCKET, bucket_end, run_for_events
from tests.integration.deployments.api.intake import write_business
from tests.waiting import until

pytestmark = pytest.mark.prefect

OURS = DeploymentFilter(name=DeploymentFilterName(any_=[WORKFLOW]))


@pytest_asyncio.fixture
async def client(registered: str) -> AsyncIterator[PrefectClient]:
    """A client of a server on which nobody else starts the workflow, and no worker runs it.

    Of other tests' failed runs the automation starts some.
    """
    async with get_client() as client:
        deployment = await client.read_deployment_by_name(f"{WORKFLOW}/{WORKFLOW}")
        (automation,) = await client.read_automations_by_name(FAILED_RUNS)
        await client.pause_automation(automation.id)
        await client.pause_deployment(deployment.id)  # forgets the scheduled runs
        await forget(client)
        yield client
        await forget(client)
        await client.resume_deployment(deployment.id)
        await client.resume_automation(automation.id)


async def forget(client: PrefectClient) -> None:
    while runs := await client.read_flow_runs(deployment_filter=OURS, limit=100):
        for run in runs:
            await client.delete_flow_run(run.id)


async def asked_for(client: PrefectClient) -> list[FlowRun]:
    return await client.read_flow_runs(
        deployment_filter=OURS,
        flow_run_filter=FlowRunFilter(tags=FlowRunFilterTags(all_=["inbox"])),
    )


async def first_asked_for(client: PrefectClient) -> list[FlowRun]:
    return await until(lambda: asked_for(client), "a run that was asked for")


async def test_however_many_events_come_a_run_that_has_not_begun_will_see_them(
    client: PrefectClient,
) -> None:
    async with Runs.open() as runs, EventRuns.open(runs) as event_runs:
        for _ in range(500):
            event_runs.heed(Severity.ERROR)
        (run,) = await first_asked_for(client)
        due = run.expected_start_time
        assert due is not None
        assert due == bucket_end(due - timedelta(microseconds=1)), "when its bucket is over"
        until_over = 2 * BUCKET
        async with asyncio.timeout(30):
            while utc_now() < due + until_over:
                event_runs.heed(Severity.INFO)
                event_runs.heed(Severity.CRITICAL)
                await asyncio.sleep(0.05)
        # The critical ones had one at once, if the first was not due by then.
        assert len(await asked_for(client)) <= 2


async def test_a_critical_event_waits_for_no_bucket(client: PrefectClient) -> None:
    async with Runs.open() as runs, EventRuns.open(runs) as event_runs:
        event_runs.heed(Severity.CRITICAL)
        (run,) = await first_asked_for(client)
        assert run.expected_start_time != bucket_end(run.expected_start_time)
        assert run.expected_start_time <= run.created


async def test_whoever_asks_within_a_bucket_shares_its_run(client: PrefectClient) -> None:
    async with Runs.open() as runs, EventRuns.open(runs) as event_runs:
        event_runs.heed(Severity.ERROR)
        (run,) = await first_asked_for(client)
        due = run.expected_start_time
        assert due is not None
        await run_for_events(runs, due, urgent=False)
    then = [each for each in await asked_for(client) if each.expected_start_time == due]
    assert [each.id for each in then] == [run.id]


async def test_whoever_accepts_events_a_run_deals_with_them_soon(
    client: PrefectClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    write_business(tmp_path / "business.toml")
    monkeypatch.setenv("ORCHESTRATOR_BUSINESS_FILE", str(tmp_path / "business.toml"))
    get_settings.cache_clear()
    event = SystemEvent(source="shop", type="late", subject="sku:1")

    async def from_python() -> None:
        await accept_events(event)

    async def by_send() -> None:
        await deliver_message(message='{"type": "late", "id": "2", "subject": "sku:2"}')

    async def from_the_command_line() -> None:
        with Ledger.open(get_settings().effective_ledger_url) as ledger:
            handed = await hand_in(ledger, [event.model_copy(update={"id": "3"})])
        (run,) = await client.read_flow_runs(deployment_filter=OURS)
        assert handed.run == run.name

    for way_in in (from_python, by_send, from_the_command_line):
        await forget(client)
        await way_in()
        (run,) = await client.read_flow_runs(deployment_filter=OURS)
        due = run.expected_start_time
        assert due is not None
        assert due == bucket_end(due - timedelta(microseconds=1)), "when its bucket is over"
    await accept_events(event)  # it is known
    assert len(await client.read_flow_runs(deployment_filter=OURS)) == 1
    await forget(client)
    await accept_events(event.model_copy(update={"id": "4", "severity": Severity.CRITICAL}))
    (run,) = await client.read_flow_runs(deployment_filter=OURS)
    assert run.expected_start_time <= run.created, "it waits for no bucket"
    get_settings.cache_clear()
