"""Rules on a real Prefect server: one run for a burst, each event once, whatever dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from prefect import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, FlowRun
from prefect.states import Completed, Running
from prefect.variables import Variable

from agents.registry import registry
from blocks.errors import ConfigurationError
from blocks.ledger import Ledger
from blocks.ledger.firings.firings import FiringOutcome
from blocks.policy.policy import Policy
from blocks.policy.trigger_rules import DEFAULT_RULES
from blocks.vocabulary.messages import SystemEvent, utc_now
from deployments.registration.registration import register
from flows.event_driven_workflow import event_driven_workflow
from flows.orchestrator.dispatch.policy import VARIABLE, forget_policy, read_policy, write_changes
from flows.orchestrator.dispatch.rule_checks import check_rules
from flows.orchestrator.events.accept import accept_events
from flows.orchestrator.rules.firing import fire, start_due
from tests.integration.flows.seen import ran
from tests.integration.flows.shop import Shop

pytestmark = pytest.mark.prefect

INVENTORY = "critical-inventory/critical-inventory"


@pytest.fixture
async def rules(prefect_server: str) -> AsyncIterator[Any]:
    """Changes the rule about low stock for a test; nobody runs what is started."""

    async def change(events: dict[str, Any] | None = None, **changes: Any) -> None:
        body = {"rules": {"stock-low": changes}, "events": events or {}}
        await write_changes(body, registry())

    await register()
    await end(await started())
    await change(share_seconds=3600)
    yield change
    await end(await started())
    await Variable.aunset(VARIABLE)
    forget_policy()


async def started(workflow: str = "critical-inventory") -> list[FlowRun]:
    """Runs that events started and that have not ended, the first one first."""
    named = DeploymentFilter(name=DeploymentFilterName(any_=[workflow]))
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


def asking(**rule: Any) -> Policy:
    """A policy whose only rule has a status made of what a till says."""
    rule = {
        "when": {"type": "till.asks"},
        "workflow": "system-status",
        "parameters": {"hours": "{data.hours:integer}"},
        **rule,
    }
    changes = {"rules": {"stock-low": {"enabled": False}, "till-asks": rule}}
    return read_policy(changes, registry())


def asks(hours: Any = 3, **more: Any) -> SystemEvent:
    return SystemEvent(source="till", type="till.asks", data={"hours": hours}, **more)


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
    fired = await ledger.firings.recent(since=utc_now() - timedelta(hours=1))
    assert len(fired) == 52
    assert {(each.outcome, each.run_id) for each in fired} == {(FiringOutcome.STARTED, run.id.hex)}

    async with get_client() as client:
        await client.set_flow_run_state(run.id, Running(), force=True)
        deployment = await client.read_deployment_by_name(INVENTORY)
    await rules(share_seconds=2777)  # another bucket, as after an hour
    await accept_events(*low("54"))
    await ran(event_driven_workflow)
    assert len(await started()) == 2
    assert deployment.global_concurrency_limit is not None
    assert deployment.global_concurrency_limit.limit == 1
    options = deployment.concurrency_options
    assert options is not None
    assert options.collision_strategy is ConcurrencyLimitStrategy.ENQUEUE


async def test_each_event_that_is_summarised_in_a_storm_fires(
    shop: Shop, ledger: Ledger, rules: Any
) -> None:
    storm = {"storm_waiting": 5, "calm_waiting": 1, "calm_seconds": 0.1}
    await rules(storm, share_seconds=2999)
    await accept_events(*low(*map(str, range(30)), severity="info"))
    _, report = await ran(event_driven_workflow)
    assert "summar" in report.headline
    assert len(await started()) == 1
    assert len(await ledger.firings.recent(since=utc_now() - timedelta(hours=1))) == 30


async def test_other_events_start_nothing_and_what_can_never_be_started_is_refused_when_saved(
    shop: Shop, ledger: Ledger, rules: Any
) -> None:
    await accept_events(*low("1", type="stock.counted"))
    await ran(event_driven_workflow)
    assert await started() == []
    with pytest.raises(ConfigurationError, match="no workflow 'critical-inventry'") as told:
        await rules(workflow="critical-inventry")
    assert "Did you mean critical-inventory" in str(told.value)


async def test_our_own_rules_can_be_followed() -> None:
    check_rules(Policy(rules={f"copy-of-{name}": rule for name, rule in DEFAULT_RULES.items()}))


async def test_a_run_has_what_the_event_says_and_what_does_not_fit_is_told(
    ledger: Ledger, rules: Any
) -> None:
    policy, now = asking(), utc_now()
    await fire(ledger, policy, [asks(5, id="a"), asks("6", id="b"), asks("many", id="c")], now)
    await fire(ledger, policy, [asks(900, id="d")], now)  # a whole number, but too many hours
    told = await start_due(ledger, policy, now)
    runs = await started("system-status")
    assert sorted(run.parameters["hours"] for run in runs) == [5, 6]
    assert all("rule:till-asks" in run.tags for run in runs)
    came = {f.event_id: f for f in await ledger.firings.recent(since=now)}
    assert came["a"].run_id in {run.id.hex for run in runs}
    assert came["c"].outcome is FiringOutcome.REFUSED
    assert came["c"].detail == 'It cannot be filled in: data.hours is "many", not an integer.'
    assert came["d"].outcome is FiringOutcome.REFUSED
    assert [line for line in told if line.startswith("system-status was not started")]
    await end(runs)


async def test_of_two_that_drain_at_once_and_one_that_died_each_event_starts_one_run(
    ledger: Ledger, rules: Any
) -> None:
    policy, now = asking(), utc_now()
    events = [asks(n, id=f"twice-{n}") for n in range(1, 6)]
    await asyncio.gather(*(fire(ledger, policy, events, now) for _ in range(4)))
    # Whoever kept them died; two others find what is to be started.
    await asyncio.gather(start_due(ledger, policy, now), start_due(ledger, policy, now))
    await fire(ledger, policy, events, now)
    await start_due(ledger, policy, now)
    runs = await started("system-status")
    assert sorted(run.parameters["hours"] for run in runs) == [1, 2, 3, 4, 5]
    assert await ledger.firings.to_start() == []
    await end(runs)


async def test_a_rule_that_led_to_an_event_does_not_fire_on_it(ledger: Ledger, rules: Any) -> None:
    policy, now = asking(parameters={}), utc_now()
    await fire(ledger, policy, [asks(id="first")], now)
    await start_due(ledger, policy, now)
    (run,) = await started("system-status")
    again = [
        asks(id="failed", subject=f"run:{run.id.hex}"),
        SystemEvent(
            id="handed-in-by",
            source="till",
            type="till.asks",
            data={"_beside": {"flow_run": str(run.id)}},
        ),
    ]
    fired = await fire(ledger, policy, again, now)
    assert [each.outcome for each in fired] == [FiringOutcome.LOOP, FiringOutcome.LOOP]
    assert fired[0].detail == "The rule led to this event itself (till-asks → till-asks)."
    await end([run])
