"""Low stock starts critical-inventory: one run for a burst, and one more for what comes later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from prefect import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, FlowRun
from prefect.states import Completed, Running
from prefect.variables import Variable

from agents.registry import registry
from blocks.ledger import Ledger
from blocks.vocabulary.messages import SystemEvent
from deployments.registration.registration import register
from flows.event_driven_workflow import event_driven_workflow
from flows.orchestrator.dispatch.policy import VARIABLE, forget_policy, write_changes
from flows.orchestrator.events.accept import accept_events
from tests.integration.flows.seen import ran
from tests.integration.flows.shop import Shop

pytestmark = pytest.mark.prefect

INVENTORY = "critical-inventory/critical-inventory"


@pytest.fixture
async def rules(prefect_server: str) -> AsyncIterator[Any]:
    """Changes the rules of events for a test; nobody runs what is started."""

    async def change(**changes: Any) -> None:
        await write_changes({"events": changes}, registry())

    await register()
    await end(await started())
    await change(starts_wait_seconds=3600)
    yield change
    await end(await started())
    await Variable.aunset(VARIABLE)
    forget_policy()


async def started() -> list[FlowRun]:
    """Runs that events started and that have not ended, the first one first."""
    named = DeploymentFilter(name=DeploymentFilterName(any_=["critical-inventory"]))
    async with get_client() as client:
        runs = await client.read_flow_runs(deployment_filter=named)
    ours = [run for run in runs if "events" in run.tags and not (run.state or Running()).is_final()]
    return sorted(ours, key=lambda run: run.created or run.expected_start_time)  # type: ignore[arg-type, return-value]


async def end(runs: list[FlowRun]) -> None:
    async with get_client() as client:
        for run in runs:
            await client.set_flow_run_state(run.id, Completed(), force=True)


def low(*skus: str, **more: Any) -> list[SystemEvent]:
    given = {"source": "till", "type": "stock.low", "severity": "warning", **more}
    return [SystemEvent(subject=f"sku:{sku}", **given) for sku in skus]


async def test_a_burst_starts_one_run_and_what_comes_while_it_runs_one_after_it(
    shop: Shop, ledger: Ledger, rules: Any
) -> None:
    await accept_events(*low(*map(str, range(50))))
    await ran(event_driven_workflow)
    (run,) = await started()
    await accept_events(*low("51", "52"), *low("53", type="stock.counted"))
    _, report = await ran(event_driven_workflow)
    assert [each.id for each in await started()] == [run.id]
    assert not [line for line in report.missing if "critical-inventory" in line]

    async with get_client() as client:
        await client.set_flow_run_state(run.id, Running(), force=True)
        deployment = await client.read_deployment_by_name(INVENTORY)
    await rules(starts_wait_seconds=2777)  # another bucket, as after an hour
    await accept_events(*low("54"))
    await ran(event_driven_workflow)
    assert len(await started()) == 2
    assert deployment.global_concurrency_limit is not None
    assert deployment.global_concurrency_limit.limit == 1
    options = deployment.concurrency_options
    assert options is not None
    assert options.collision_strategy is ConcurrencyLimitStrategy.ENQUEUE


async def test_what_is_summarised_in_a_storm_starts_it_too(
    shop: Shop, ledger: Ledger, rules: Any
) -> None:
    await rules(starts_wait_seconds=2999, storm_waiting=5, calm_waiting=1, calm_seconds=0.1)
    await accept_events(*low(*map(str, range(30)), severity="info"))
    _, report = await ran(event_driven_workflow)
    assert "summar" in report.headline
    assert len(await started()) == 1


async def test_other_events_start_nothing_and_what_cannot_be_started_is_told(
    shop: Shop, ledger: Ledger, rules: Any
) -> None:
    await accept_events(*low("1", type="stock.counted"))
    await ran(event_driven_workflow)
    assert await started() == []
    await rules(starts={"stock.low": "nothing-of-ours"})
    await accept_events(*low("1"))
    _, report = await ran(event_driven_workflow)
    assert [line for line in report.missing if line.startswith("nothing-of-ours")] == [
        "nothing-of-ours was not started for what happened: "
        "Prefect has no deployment nothing-of-ours/nothing-of-ours."
    ]
