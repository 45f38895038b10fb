"""The registry finds what is in the folders, and helps who asks for what is not."""

from __future__ import annotations

import inspect
import sys
from types import ModuleType

import pytest

from agents.calls import Toolbox
from agents.capability import TOOLS, action, policy_of, tools_of
from agents.registry import ActionSpec, AgentSpec, Registry, _actions_in, registry
from blocks.business.business import Business
from blocks.errors import UnknownAction
from tests.effects import ANY


def test_every_agent_folder_is_found_with_its_capabilities():
    assert sorted(registry().agents) == [
        "data-intelligence",
        "integration-specialist",
        "sre-reliability",
    ]
    assert registry().capabilities("sre-reliability") == [
        "automation",
        "capacity_planning",
        "incident_response",
        "performance_optimization",
        "system_monitoring",
    ]


@pytest.mark.parametrize("spec", registry().actions(), ids=lambda spec: spec.full_name)
def test_every_action_explains_itself_and_can_be_called_by_message(spec):
    assert spec.summary.endswith((".", "?")), "the first line of its docstring, a sentence"
    assert Toolbox(None, Business(None)).time_limit(spec, {}) > 0
    assert registry().action(spec.agent, spec.name) is spec
    parameters = inspect.signature(spec.function).parameters
    assert not any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters.values())
    assert all(p.annotation is not p.empty for p in parameters.values())
    assert tools_of(spec.function) <= TOOLS


def test_an_action_belongs_to_the_module_that_defines_it_not_to_those_that_import_it():
    here = sys.modules[__name__]
    assert [spec.function for spec in _actions_in(here, "bench")] == [act]
    elsewhere = ModuleType("elsewhere")
    elsewhere.act = act
    assert _actions_in(elsewhere, "bench") == []


def test_actions_are_listed_by_agent_capability_and_name():
    listed = [(s.agent, s.capability, s.name) for s in registry().actions()]
    assert listed == sorted(listed)


@pytest.mark.parametrize(
    ("agent", "name", "hint"),
    [
        ("sre-reliability", "restart_servce", "Did you mean sre-reliability.restart_service"),
        ("sre", "restart_service", "sre-reliability.restart_service"),
        ("data-intelligence", "validate_dat", "data-intelligence.validate_data"),
        ("nobody", "xyz", "See ./orchestrator agents."),
    ],
)
def test_an_unknown_action_names_what_was_probably_meant(agent, name, hint):
    with pytest.raises(UnknownAction, match=rf"No action {agent}\.{name}\.") as told:
        registry().action(agent, name)
    assert hint in told.value.hint


def test_a_registry_cannot_be_changed_once_built():
    with pytest.raises(TypeError):
        registry().agents["new"] = AgentSpec("new", "New", "")


@action(timeout=5, effect=ANY)
def act(target: str, now: object) -> None:
    """Do it."""


def test_the_marker_leaves_the_function_as_it_is():
    assert act(target="x", now=None) is None
    assert tools_of(act) == {"now"}
    policy = policy_of(act)
    assert policy is not None
    assert (policy.timeout, policy.retries, policy.effect) == (5, 0, ANY)
    assert policy_of(len) is None


def test_an_effect_is_only_retried_when_it_says_so():
    assert policy_of(action()(lambda: None)).retries == 2
    assert policy_of(action(effect=ANY)(lambda: None)).retries == 0
    assert policy_of(action(effect=ANY, retries=1)(lambda: None)).retries == 1


def test_a_custom_team_is_looked_up_the_same_way():
    spec = ActionSpec("bench", "tests", "act", act, policy_of(act))
    team = Registry({"bench": AgentSpec("bench", "Bench", "Tests.")}, [spec])
    assert team.action("bench", "act").full_name == "bench.act"
    assert team.actions("nobody") == []
    assert team.capabilities("bench") == ["tests"]


def test_every_agent_takes_events_with_an_action_of_its_own():
    for agent, spec in registry().agents.items():
        function = registry().action(agent, spec.event_action).function
        parameters = inspect.signature(function).parameters
        assert "event" in parameters
        assert {p for p in parameters if p not in TOOLS} == {"event"}
