"""Asking for what cannot be done is no incident, wherever it is asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from prefect import get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName

from blocks.errors import InvalidMessage, NoAgentAvailable, RequestError
from blocks.prefect_api.calls import REFUSED
from blocks.prefect_api.client import PrefectApi
from blocks.vocabulary.messages import Outcome, utc_now
from deployments.cli.workflows import run_here
from deployments.registration.automations import FAILED_RUNS
from deployments.registration.registration import register
from flows.deliver_message import deliver_message
from flows.event_driven_workflow import event_driven_workflow
from flows.orchestrator.team.outcome import NothingAchieved
from flows.route_task import route_task

pytestmark = pytest.mark.prefect


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["task_type=inventry_sync"], "Did you mean inventory_sync"),
        (["task_typ=inventory_sync"], "Did you mean task_type"),
        (["task_type=inventory_sync", 'params={"sku": 1}'], "Did you mean skus"),
        ([], "No task type is given"),
        (["task_type=inventory_sync", "severity=grave"], "severity"),
        (['params={"a": [{"__prefect_kind": "jinja"}]}'], "'__prefect_kind'"),
    ],
)
async def test_a_typo_on_the_command_line_leaves_no_run(
    typed: list[str], told: str, shop: Any, ledger: Any
) -> None:
    before = await runs_of_tasks()
    with pytest.raises(RequestError) as refused:
        await run_here("route-task", typed)
    assert told in str(refused.value)
    assert await ledger.runs() == []
    assert await runs_of_tasks() == before


async def runs_of_tasks() -> set[Any]:
    async with get_client() as client:
        of_tasks = FlowFilter(name=FlowFilterName(any_=["route-task"]))
        return {run.id for run in await client.read_flow_runs(flow_filter=of_tasks)}


async def ended(flow: Any, *given: Any, **named: Any) -> Any:
    return await flow(*given, **named, return_state=True)


async def test_a_run_that_was_asked_for_wrongly_ends_as_refused(shop: Any, ledger: Any) -> None:
    before = utc_now()
    states = [
        (await ended(route_task, "inventry_sync"), NoAgentAvailable),
        (await ended(route_task, "inventory_sync", {"sku": 1}), InvalidMessage),
        (await ended(deliver_message, letter="123456"), RequestError),
        (
            await ended(deliver_message, {"to": "sre-reliability", "action": "dance"}),
            NothingAchieved,
        ),
        (
            await ended(
                deliver_message,
                {
                    "to": "integration-specialist",
                    "action": "diagnose_connection",
                    "payload": {"connection": "acmee"},
                },
            ),
            NothingAchieved,
        ),
        (await ended(event_driven_workflow, {"no": "event"}), InvalidMessage),
    ]
    for state, error in states:
        assert (state.type.value, state.name) == ("FAILED", REFUSED), state
        assert isinstance(await state.aresult(raise_on_failure=False), error)
    runs = await ledger.runs()
    assert {run.outcome for run in runs} == {Outcome.REFUSED}
    # Prefect counts runs by the second, and refuses less.
    window = max(utc_now() - before, timedelta(seconds=1))
    health = await PrefectApi().health(utc_now(), window=window)
    assert [run for run in health.failures if run.flow in ("route-task", "deliver-message")] == []


async def test_the_same_run_fails_when_it_is_ours(shop: Any, ledger: Any) -> None:
    shop.description["services"] = []
    shop.business_file.unlink()
    state = await ended(deliver_message, {"to": "sre-reliability", "action": "assess_health"})
    assert state.name == "Failed"


async def test_no_event_is_made_of_a_refusal(prefect_server: str) -> None:
    await register()
    async with get_client() as client:
        (automation,) = await client.read_automations_by_name(FAILED_RUNS)
    assert f"prefect.flow-run.{REFUSED}" not in automation.trigger.expect
