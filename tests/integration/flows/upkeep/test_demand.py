"""Demand is learned once, by night or where it is missing, and read by every run."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from agents.data_intelligence.predictive_analytics.demand.rates import LONGEST_DAYS, Rates
from blocks.settings import get_settings
from blocks.vocabulary.messages import Outcome
from flows.daily_health_check import daily_health_check
from flows.orchestrator.team.demand import KEPT_DEMAND
from flows.parallel_workflow import parallel_workflow
from flows.sequential_workflow import sequential_workflow
from flows.upkeep.fit_demand import fit_demand
from tests.integration.flows.seen import assert_nothing_half_written, ran

pytestmark = pytest.mark.prefect


async def fits(ledger) -> int:
    """How often demand was learned."""
    calls = await ledger.calls(limit=500)
    return sum(call.action == "fit_demand" for call in calls)


def kept():
    (file,) = (get_settings().state_dir / KEPT_DEMAND).rglob("rates.npz")
    return file


async def test_what_a_nightly_run_learned_serves_the_runs_of_the_day(shop, ledger):
    state, report = await ran(fit_demand)
    assert (state.name, report.outcome, report.missing) == ("Completed", Outcome.SUCCEEDED, [])
    (chart,) = (chart for section in report.sections for chart in section.charts)
    assert len(chart.x) == len(chart.series["sold"]) == len(chart.series["expected"])
    rates = Rates.load(kept())
    assert rates is not None
    assert len(rates.skus) == 12

    for workflow in (daily_health_check, sequential_workflow, parallel_workflow):
        _, report = await ran(workflow)
        assert report.outcome is Outcome.SUCCEEDED
    assert await fits(ledger) == 1
    asked = [call for call in await ledger.calls(limit=500) if "learned" in call.payload]
    assert sorted(call.action for call in asked) == ["analyze", "assess_stock_risk", "run_analysis"]
    assert all(call.payload["learned"] for call in asked)
    await assert_nothing_half_written(ledger, report)


async def test_runs_that_start_together_learn_once(shop, ledger):
    reports = await asyncio.gather(*(ran(w) for w in (parallel_workflow, sequential_workflow)))
    assert [report.outcome for _, report in reports] == [Outcome.SUCCEEDED] * 2
    assert await fits(ledger) == 1


@pytest.mark.parametrize("fault", ["damaged", "old", "of the future"])
async def test_what_cannot_be_used_is_learned_anew(shop, ledger, fault):
    await ran(fit_demand)
    rates = Rates.load(kept())
    if fault == "damaged":
        kept().write_bytes(kept().read_bytes()[:-200])
    else:
        days = LONGEST_DAYS + 1 if fault == "old" else -1
        replace(rates, fitted_on=rates.fitted_on - timedelta(days=days)).save(kept())
    _, report = await ran(sequential_workflow)
    assert report.outcome is Outcome.SUCCEEDED
    assert await fits(ledger) == 2
    assert Rates.load(kept()).fitted_on == rates.fitted_on


async def test_a_folder_that_cannot_be_made_costs_time_alone(shop, ledger):
    (get_settings().state_dir / KEPT_DEMAND).write_text("no folder")
    try:
        for _ in range(2):
            _, report = await ran(sequential_workflow)
            assert "learned again by every run" in " ".join(report.missing)
        assert await fits(ledger) == 2
    finally:
        (get_settings().state_dir / KEPT_DEMAND).unlink()


async def test_a_store_without_sales_is_judged_without_learning(shop, ledger):
    frames = shop.description["store"]["frames"]
    shop.description["store"]["frames"] = {k: v for k, v in frames.items() if k != "sale_lines"}
    shop.configure()
    _, report = await ran(daily_health_check)
    assert report.outcome is Outcome.PARTIAL
    assert await fits(ledger) == 0
