"""Which plan a task follows, who can play it, and what a role is handed."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from agents.capability import ANYBODY, Asker, action, policy_of
from agents.registry import ActionSpec, AgentSpec, Registry, registry
from blocks.errors import ConfigurationError, InvalidMessage, NoAgentAvailable
from blocks.policy.policy import DEFAULT_MATRIX, Instance, Play, Policy, Role
from flows.orchestrator.dispatch.policy import read_policy
from flows.orchestrator.dispatch.routing import check_policy, instances_of, params_for, plan_for


@action(askers=ANYBODY)
def mend(now, what: str, hard: bool = False):
    """Mend something."""


@action()
def open_up(command: str):
    """Something that nobody outside may ask for."""


TEAM = Registry(
    {"fixer": AgentSpec("fixer", "Fixer", "Mends.", capacity=3)},
    [ActionSpec("fixer", "mending", f.__name__, f, policy_of(f)) for f in (mend, open_up)],
)
REPAIR = {"roles": {"primary": {"agent": "fixer", "action": "mend"}}}


def only_repair(**changes) -> Policy:
    return Policy.model_validate({"task_types": {"repair": REPAIR}, **changes})


def test_the_default_matrix_is_the_one_that_is_promised():
    matrix = {
        kind: {role.value: play.agent for role, play in plan.roles.items()}
        for kind, plan in Policy().task_types.items()
    }
    integration, data, sre = "integration-specialist", "data-intelligence", "sre-reliability"
    assert matrix == {
        "inventory_sync": {"primary": integration, "secondary": data, "monitor": sre},
        "performance_issue": {"primary": sre, "secondary": data, "support": integration},
        "data_anomaly": {"primary": data, "secondary": sre, "validate": integration},
        "api_failure": {"primary": integration, "secondary": sre, "analyze": data},
    }


def test_an_unknown_type_names_its_near_misses():
    with pytest.raises(NoAgentAvailable) as refused:
        plan_for(Policy(), "inventory_sink")
    assert refused.value.what == "No agent available for task type: inventory_sink"
    assert "inventory_sync" in refused.value.hint
    assert not refused.value.retryable
    with pytest.raises(NoAgentAvailable, match=r"There are api_failure, data_anomaly"):
        plan_for(Policy(), "zzz")


def test_a_type_is_added_by_configuration_and_the_others_stay():
    extended = Policy.extended({"task_types": {"repair": REPAIR}})
    assert plan_for(extended, "repair").roles[Role.PRIMARY] == Play(agent="fixer", action="mend")
    assert set(extended.task_types) == {*Policy().task_types, "repair"}
    assert extended.recovery == Policy().recovery


def test_a_version_follows_the_content_alone():
    assert Policy().version == Policy.extended({}).version
    changed = Policy.extended({"recovery": {"approval_hours": 1}})
    assert changed.version != Policy().version
    assert changed.recovery.wait_for_slot_seconds == Policy().recovery.wait_for_slot_seconds
    assert changed.version == Policy.extended({"recovery": {"approval_hours": 1.0}}).version


def test_a_role_that_nobody_can_play_is_refused_with_the_near_miss():
    broken = only_repair().model_dump(mode="json")
    broken["task_types"]["repair"]["roles"]["analyze"] = {"agent": "fixer", "action": "mind"}
    with pytest.raises(ConfigurationError, match=r"repair, analyze: No action fixer\.mind") as told:
        check_policy(Policy.model_validate(broken), TEAM)
    assert "Did you mean fixer.mend" in told.value.what


def test_an_instance_of_nobody_is_refused():
    stray = only_repair(instances=[{"name": "x", "agent": "nobody"}])
    with pytest.raises(ConfigurationError, match=r"Instance x: there is no agent 'nobody'"):
        check_policy(stray, TEAM)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"task_types": {"repair": {"roles": {}}}}, "a plan needs a primary"),
        ({"task_types": {"Repair!": REPAIR}}, "task_types.Repair!"),
        ({"recovery": {"aproval_hours": 1}}, "recovery.aproval_hours"),
        ({"recovery": {"approval_hours": -1}}, "recovery.approval_hours"),
        ({"selection": "fast"}, "selection"),
        ({"approved": True}, "approved"),
        ([1], r"no table of changes, but \[1\]"),
    ],
)
def test_changes_that_cannot_be_read_name_the_key(changes, told):
    with pytest.raises(ConfigurationError, match=told):
        read_policy(changes, TEAM)


def test_two_instances_of_one_name_are_refused():
    twice = [{"name": "a", "agent": "fixer"}] * 2
    with pytest.raises(ValidationError, match="two instances are named 'a'"):
        only_repair(instances=twice)


def test_an_agent_has_one_local_instance_and_those_that_are_configured():
    more = only_repair(instances=[{"name": "fixer/2", "agent": "fixer", "capacity": 1}])
    assert [(i.name, i.capacity) for i in instances_of(more, TEAM, "fixer")] == [
        ("fixer", 3),
        ("fixer/2", 1),
    ]
    smaller = only_repair(instances=[{"name": "fixer", "agent": "fixer", "capacity": 2}])
    assert instances_of(smaller, TEAM, "fixer") == [
        Instance(name="fixer", agent="fixer", capacity=2)
    ]


def test_the_primary_is_handed_everything_and_the_others_what_they_know():
    spec = TEAM.action("fixer", "mend")
    given = {"what": "roof", "why": "rain"}
    assert params_for(spec, Role.PRIMARY, {"what": "roof"}) == {"what": "roof"}
    assert params_for(spec, Role.SECONDARY, given) == {"what": "roof"}
    assert params_for(spec, Role.SECONDARY, {"now": "never"}) == {}


def test_our_agents_can_play_the_default_matrix():
    for plan in Policy().task_types.values():
        for play in plan.roles.values():
            registry().action(play.agent, play.action)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"what": "roof", "why": "rain"}, "no parameter 'why'"),
        ({"what": "roof", "now": "2026-01-01T00:00:00Z"}, "no parameter 'now'"),
        ({"what": {"a": 1}}, "what is"),
        ({}, "needs what"),
    ],
)
def test_what_does_not_fit_the_primary_is_refused(given, said):
    with pytest.raises(InvalidMessage, match=said):
        params_for(TEAM.action("fixer", "mend"), Role.PRIMARY, given)


@pytest.mark.parametrize("role", ["primary", "support"])
def test_a_plan_names_no_action_that_messages_may_not_ask_for(role):
    plan = only_repair().model_dump(mode="json")
    plan["task_types"]["repair"]["roles"][role] = {"agent": "fixer", "action": "open_up"}
    with pytest.raises(
        ConfigurationError, match=rf"repair, {role}: fixer\.open_up may not"
    ) as told:
        check_policy(Policy.model_validate(plan), TEAM)
    assert "for the workflows themselves only" in told.value.what


def test_our_own_matrix_can_be_played_by_who_may_be_asked():
    for plan in DEFAULT_MATRIX.values():
        for play in plan.roles.values():
            registry().action(play.agent, play.action).check_asker(Asker.MESSAGE)


def test_only_what_lasts_for_a_while_has_a_time_to_last():
    lasts = "sre-reliability.raise_pool_limit"
    policy = read_policy({"effects": {"lasts_minutes": {lasts: 30}}}, registry())
    assert policy.effects.lasts_minutes == {lasts: 30}
    with pytest.raises(ConfigurationError, match=r"'sre-reliability\.restart_service' is wanted"):
        read_policy(
            {"effects": {"lasts_minutes": {"sre-reliability.restart_service": 30}}}, registry()
        )
    with pytest.raises(ConfigurationError, match="greater than 0"):
        read_policy({"effects": {"lasts_minutes": {lasts: 0}}}, registry())
