"""A run that fails becomes an event, through Prefect's own automations."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prefect import flow, get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId

from blocks.vocabulary.messages import Severity, utc_now
from deployments.registration.automations import FAILED_RUNS
from deployments.registration.registration import register
from flows.event_driven_workflow import event_driven_workflow
from tests.integration.flows.seen import ran

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(240)]


def about(events: list[dict[str, Any]], workflow: str) -> list[dict[str, Any]]:
    """Those about runs of a workflow in this test; other tests' runs may have failed meanwhile."""
    ours = (event for event in events if "no luck" in event["data"]["message"])
    return [event for event in ours if event["data"]["workflow"] == workflow]


async def test_a_failed_run_of_ours_ends_as_an_event_in_the_inbox(no_blocks, shop, ledger):
    assert (await register()).automations == [FAILED_RUNS]

    @flow(name="sequential-workflow")
    async def fails():
        raise ValueError("no luck")

    @flow(name="event-driven-workflow")
    async def would_start_itself():
        raise ValueError("no luck either")

    @flow(name="somebody-elses")
    async def is_not_ours():
        raise ValueError("no luck, and none of our business")

    async with get_client() as client:
        name = "event-driven-workflow/event-driven-workflow"
        deployment = await client.read_deployment_by_name(name)
        those = DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id]))

        async def handed_on():
            runs = await client.read_flow_runs(deployment_filter=those)
            return [run.parameters["event"] for run in runs if run.parameters.get("event")]

        events = []
        while not about(
            events, "sequential-workflow"
        ):  # the triggers begin to listen a moment after the server is ready
            await would_start_itself(return_state=True)
            await is_not_ours(return_state=True)
            state = await fails(return_state=True)
            for _ in range(50):
                if about(events := await handed_on(), "sequential-workflow"):
                    break
                await asyncio.sleep(0.1)
    assert not about(events, "event-driven-workflow")
    assert not about(events, "somebody-elses")
    (event, *_) = about(events, "sequential-workflow")
    assert event["type"] == "prefect.flow-run.Failed"
    assert event["source"] == "prefect"

    await ran(event_driven_workflow, event=event)
    await ran(event_driven_workflow, event=event)
    (incident,) = await ledger.inbox.incidents()
    (kept,) = await ledger.inbox.events(incident.id)
    assert (kept.id, kept.severity) == (event["id"], Severity.ERROR)
    assert kept.subject.startswith("run:")
    assert abs(kept.time - utc_now()).days == 0
    assert state.state_details.flow_run_id


async def test_an_automation_that_a_person_switched_off_stays_off(prefect_server):
    await register()
    async with get_client() as client:
        (made,) = await client.read_automations_by_name(FAILED_RUNS)
        await client.pause_automation(made.id)
        await register()
        (again,) = await client.read_automations_by_name(FAILED_RUNS)
        assert (again.id, again.enabled) == (made.id, False)
        await client.resume_automation(made.id)
