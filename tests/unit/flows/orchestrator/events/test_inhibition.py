"""What explains what: diamonds, circles, unknown nodes, and why the order does not matter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from blocks.ledger.events.records import IncidentRecord
from blocks.policy.event_rules import EventRules
from blocks.vocabulary.severity import Severity
from flows.orchestrator.events.inhibition import explained
from flows.orchestrator.events.topology import tree

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
DIAMOND = {"top": ["left", "right"], "left": ["base"], "right": ["base"]}
CIRCLE = {"a": ["b"], "b": ["c"], "c": ["a"]}


def incident(resource: str, minutes: float = 0, severity: str = "error") -> IncidentRecord:
    at = NOW + timedelta(minutes=minutes)
    return IncidentRecord(
        id=f"of {resource}",
        need_key=resource,
        resource=resource,
        severity=Severity(severity),
        title=resource,
        opened_at=at,
        updated_at=at,
    )


def causes(topology: dict[str, list[str]], *incidents: IncidentRecord) -> dict[str, str]:
    rules = EventRules(topology=topology)
    answers = [
        {name[3:]: cause.resource for name, cause in explained(order, rules).items()}
        for order in list(permutations(incidents))[:24]
    ]
    assert all(answer == answers[0] for answer in answers), "whatever the order"
    return answers[0]


@pytest.mark.parametrize(
    ("topology", "incidents", "expected"),
    [
        pytest.param({}, "top base", {}, id="nothing is known of them"),
        pytest.param({"x": ["y"]}, "top base", {}, id="others are"),
        pytest.param({"top": ["gone"]}, "top", {}, id="nobody reports what it depends on"),
        pytest.param({"top": ["top"]}, "top", {}, id="on itself"),
        pytest.param(DIAMOND, "top left right", {"top": "left"}, id="two causes: one by order"),
        pytest.param(
            DIAMOND,
            "top left right base",
            {"top": "base", "left": "base", "right": "base"},
            id="the lowest of a diamond",
        ),
        pytest.param(DIAMOND, "top base", {"top": "base"}, id="through what is well"),
        pytest.param(CIRCLE, "a b c", {"b": "a", "c": "a"}, id="a circle has one cause"),
        pytest.param(
            CIRCLE | {"top": ["a"]}, "top b", {"top": "b"}, id="what stands above a circle"
        ),
    ],
)
def test_the_lowest_that_is_in_trouble_explains_it(
    topology: dict[str, list[str]], incidents: str, expected: dict[str, str]
) -> None:
    assert causes(topology, *map(incident, incidents.split())) == expected


def test_of_several_the_gravest_then_the_first_explains_it() -> None:
    topology = {"top": ["left", "right"]}
    top = incident("top")
    graver = incident("right", 5, "critical")
    assert causes(topology, top, incident("left"), graver) == {"top": "right"}
    assert causes(topology, top, incident("left", 9), incident("right", 8)) == {"top": "right"}


def test_what_is_mild_explains_nothing_and_may_be_explained() -> None:
    topology = {"top": ["base"]}
    assert causes(topology, incident("top"), incident("base", severity="warning")) == {}
    assert causes(topology, incident("top", severity="critical"), incident("base")) == {
        "top": "base"
    }


def test_two_incidents_of_one_resource_do_not_explain_each_other() -> None:
    first, second = incident("a"), incident("a", 1).model_copy(update={"id": "second"})
    assert explained([first, second], EventRules(topology=CIRCLE)) == {}


def test_a_topology_as_a_tree_unfolds_each_once_and_ends_in_circles() -> None:
    assert tree(DIAMOND) == [
        (0, "top"),
        (1, "left"),
        (2, "base"),
        (1, "right"),
        (2, "base"),
    ]
    assert tree(CIRCLE) == [(0, "a"), (1, "b"), (2, "c"), (3, "a")]
    assert tree({"b": ["x"], "x": ["y"], "a": ["x"]}) == [
        (0, "a"),
        (1, "x"),
        (2, "y"),
        (0, "b"),
        (1, "x"),
    ]
