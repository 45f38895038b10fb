"""The workflows on a healthy business, with a bug among the agents, with nothing to go by."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import replace

import pytest
from prefect import flow, get_client, task
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.schedules import CronSchedule
from prefect.flow_engine import run_flow_async
from prefect.states import Scheduled

from agents.registry import Registry, registry
from blocks.errors import NoBusinessConfigured
from blocks.vocabulary.messages import Outcome, new_id
from flows.orchestrator.team.opening import workflow_run
from flows.orchestrator.team.outcome import NothingAchieved
from flows.parallel_workflow import parallel_workflow
from flows.sequential_workflow import sequential_workflow
from tests.integration.flows.seen import (
    WORKFLOWS,
    artifacts_of,
    assert_nothing_half_written,
    ran,
    task_runs_of,
)
from tests.integration.flows.shop import SICK
from tests.waiting import until

pytestmark = pytest.mark.prefect

FETCHED = ["integration-specialist.fetch_data"] * 3  # the store and two suppliers
CALLS = {
    "daily-health-check": [
        "data-intelligence.analyze_daily_metrics",
        "data-intelligence.assess_stock_risk",
        "data-intelligence.fit_demand",
        "data-intelligence.validate_data",
        *FETCHED,
        "integration-specialist.validate_all_integrations",
        "sre-reliability.comprehensive_health_check",
    ],
    "parallel-workflow": [
        "data-intelligence.fit_demand",
        "data-intelligence.run_analysis",
        "integration-specialist.check_integrations",
        *FETCHED,
        "sre-reliability.assess_health",
    ],
    "critical-inventory": [
        "data-intelligence.fit_demand",
        "data-intelligence.identify_critical_stock",
        "data-intelligence.propose_orders",
        *FETCHED,
        "integration-specialist.check_supplier_inventory",
    ],
    "sequential-workflow": [
        "data-intelligence.analyze",
        "data-intelligence.fit_demand",
        *FETCHED,
        "sre-reliability.optimize",
    ],
}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow.name)
async def test_a_healthy_business_is_reported_on_and_everything_is_on_record(
    workflow, shop, ledger, caplog
):
    state, report = await ran(workflow)
    assert (state.name, state.message) == ("Completed", report.headline)
    assert report.outcome is Outcome.SUCCEEDED
    assert report.missing == []
    assert report.currency == "GBP"
    assert "Traceback" not in caplog.text

    flow_run_id = state.state_details.flow_run_id
    run = await ledger.run(flow_run_id.hex)
    assert (run.workflow, run.trigger, run.outcome) == (workflow.name, "ad hoc", Outcome.SUCCEEDED)
    assert run.flow_run_id == str(flow_run_id)
    assert report.run_id == run.id
    await assert_nothing_half_written(ledger, report)

    calls = await ledger.calls(run_id=run.id)
    assert sorted(f"{call.agent}.{call.action}" for call in calls) == sorted(CALLS[workflow.name])
    for call in calls:
        assert (call.sender, call.outcome, call.attempts) == (
            "system-orchestrator",
            Outcome.SUCCEEDED,
            1,
        )
        assert call.reply["result"]
    asked_with_data = next(call for call in calls if call.agent == "data-intelligence")
    assert "sales" in str(asked_with_data.payload["snapshot"])

    (artifact,) = await artifacts_of(flow_run_id)
    assert (artifact.key, artifact.type) == (workflow.name, "markdown")
    assert artifact.description == report.headline
    charts = sum(len(section.charts) for section in report.sections)
    assert artifact.data.count("](data:image/svg+xml;base64,") == charts > 0

    shown = await task_runs_of(flow_run_id, len(calls))
    assert sorted(each.name.partition("(")[0] for each in shown) == sorted(CALLS[workflow.name])
    assert {each.name for each in shown if "acme" in each.name} == {
        "integration-specialist.fetch_data(acme)"
    }
    for each in shown:
        agent, action = each.name.partition("(")[0].split(".")
        assert {agent, registry().action(agent, action).capability} <= set(each.tags)


async def test_a_table_is_as_long_as_was_asked_for(shop):
    _, report = await ran(parallel_workflow, top=2)
    tables = [table for section in report.sections for table in section.tables]
    (best_sellers,) = (table for table in tables if "Share" in table.columns)
    assert len(best_sellers.rows) == 2


@flow
async def busy():
    await asyncio.gather(*(task(asyncio.sleep)(0) for _ in range(8)))


async def test_runs_that_start_together_do_not_trip_over_each_other(prefect_server):
    states = await asyncio.gather(*(busy(return_state=True) for _ in range(8)))
    assert all(state.is_completed() for state in states)


@flow
async def opening():
    async with workflow_run("opening", with_business=False) as team:
        return team.run


async def test_the_ledger_tells_what_started_a_run(prefect_server, ledger):
    ad_hoc = await opening()
    assert (await ledger.run(ad_hoc.id)).trigger == "ad hoc"
    async with get_client() as client:
        deployment = await client.create_deployment(
            await client.create_flow(opening),
            f"opening-{new_id()}",
            schedules=[DeploymentScheduleCreate(schedule=CronSchedule(cron="0 7 * * *"))],
        )
        try:
            for flow_run, trigger in (
                (await client.create_flow_run_from_deployment(deployment), "deployment"),
                (await _scheduled_run(client, deployment), "schedule"),
            ):
                run = await run_flow_async(opening, flow_run=flow_run)
                kept = await ledger.run(run.id)
                assert (kept.trigger, kept.flow_run_id) == (trigger, str(flow_run.id))
        finally:
            await client.delete_deployment(deployment)


async def _scheduled_run(client, deployment):
    """A run that the server's own scheduler made."""
    mine = DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))

    async def look():
        runs = await client.read_flow_runs(deployment_filter=mine)
        return next((run for run in runs if run.auto_scheduled), None)

    scheduled = await until(look, "a scheduled run")
    await client.set_flow_run_state(scheduled.id, Scheduled())  # now rather than at 07:00
    return await client.read_flow_run(scheduled.id)


@pytest.mark.parametrize("agent", sorted(registry().agents))
async def test_a_bug_in_one_agent_does_not_sink_the_others(
    agent, shop, ledger, caplog, monkeypatch
):
    def crash():
        raise ZeroDivisionError("nobody thought of this")

    team = [
        replace(spec, function=_in_place_of(spec.function, crash)) if spec.agent == agent else spec
        for spec in registry().actions()
    ]
    broken = Registry(registry().agents, team)
    monkeypatch.setattr("flows.orchestrator.team.opening.registry", lambda: broken)
    state, report = await ran(parallel_workflow)
    assert state.name == "Partial"
    assert report.outcome is Outcome.PARTIAL
    assert any(line.startswith(f"{agent}.") and "nobody th" in line for line in report.missing)
    assert "nobody thought of this" in caplog.text, "a bug is for its programmers to see"

    titles = " ".join(section.title for section in report.sections)
    for name, title in (
        ("data-intelligence", "Trade on"),
        ("integration-specialist", "Connections"),
        ("sre-reliability", "Systems"),
    ):
        # Without the integration specialist there are no data to analyze.
        expected = agent not in (name, "integration-specialist") or (
            agent == "integration-specialist" and name == "sre-reliability"
        )
        assert (title in titles) == expected
    calls = await ledger.calls(run_id=report.run_id)
    failed = [call for call in calls if call.outcome is Outcome.FAILED]
    assert {(call.agent, call.error.code) for call in failed} == {(agent, "unexpected")}
    await assert_nothing_half_written(ledger, report)


def _in_place_of(function, replacement):
    """The replacement, called as the function is."""

    async def stand_in(*args, **kwargs):
        return replacement()

    stand_in.__signature__ = inspect.signature(function)
    return stand_in


async def test_a_run_that_achieves_nothing_fails_with_its_reasons_and_leaves_its_report(
    shop, ledger
):
    del shop.description["store"]
    shop.answers |= {"acme": SICK, "globex": SICK}
    shop.configure()
    with pytest.raises(
        NothingAchieved, match=r"Every call failed.*has no store.*'acme' answered HTTP 500"
    ):
        await sequential_workflow()

    (run,) = await ledger.runs()
    assert run.outcome is Outcome.FAILED
    report = (await ledger.report(run.id)).body
    assert report["headline"] == "Nothing could be analyzed."
    assert len(report["missing"]) == 3
    async with get_client() as client:
        flow_run = await client.read_flow_run(run.flow_run_id)
    assert flow_run.state.is_failed()
    assert "has no store" in flow_run.state.message
    assert await artifacts_of(flow_run.id)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow.name)
async def test_without_a_business_the_way_to_one_is_named(workflow, no_blocks, ledger, caplog):
    with pytest.raises(NoBusinessConfigured, match=r"\./orchestrator up"):
        await workflow()
    assert "No business is configured" in caplog.text
    assert "Traceback" not in caplog.text
    assert await ledger.runs() == []
