"""Every addition to what the agents can do, and to who may ask for it, shows up in review.

When a test fails because you added an action, add its line to ``registry.txt``: its path, whether
it has an effect outside, and who may ask for it.
"""

from __future__ import annotations

import inspect
from pathlib import Path, PurePath
from typing import Any, get_args

import pytest
from pydantic import (
    AnyUrl,
    PydanticSchemaGenerationError,
    SecretBytes,
    SecretStr,
    TypeAdapter,
)

from agents.capability import ANYBODY, Asker, tools_of
from agents.registry import ActionSpec, registry

SNAPSHOT = Path(__file__).with_name("registry.txt")

OPEN = [a for a in registry().actions() if Asker.MESSAGE in a.policy.askers]

WORDS = """
address api argv auth authorization bucket cmd code command credential credentials database db
directory dir dsn endpoint environment env executable expr expression file filename folder glob
header headers host hostname ip key module netloc origin password path port program proxy query
redirect regex remote script secret server shell socket sql statement template token uri url user
username webhook
"""
REACHING = frozenset(WORDS.split())
"""Words in a parameter's name by which it takes where to go or what to run."""

FREE_FORM = {
    "analyze_performance.context": "read as a PerformanceContext: figures by connection name",
    "handle_event.event": "read as a SystemEvent; its subject names what is configured",
    "process_event.event": "the same",
    "respond_to_event.event": "the same",
    "verify_against_source.result": "read as a day and figures",
}
"""Parameters that take any JSON, and why nothing in them is an address, a path or a command."""


def parameters(spec: ActionSpec) -> dict[str, Any]:
    signature = inspect.signature(spec.function, eval_str=True)
    return {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if name not in tools_of(spec.function)
    }


def types_in(annotation: Any) -> set[Any]:
    """The annotation, and all types that it is made of."""
    return {annotation}.union(*(types_in(part) for part in get_args(annotation)))


def line(spec: ActionSpec) -> str:
    askers = " ".join(asker for asker in Asker if asker in spec.policy.askers)
    effect = "effect " if spec.policy.effect else ""
    return f"{spec.agent}/{spec.capability}/{spec.name}: {effect}{askers}"


def test_the_registry_is_as_reviewed() -> None:
    found = [line(spec) for spec in registry().actions()]
    assert found == SNAPSHOT.read_text().splitlines()


def test_every_action_says_what_it_does() -> None:
    assert [a.full_name for a in registry().actions() if not a.summary] == []


def test_what_only_computes_is_handed_no_connection() -> None:
    """A plain function runs in a fork, where the ledger has no threads and Prefect no client."""
    plain = [a for a in registry().actions() if not inspect.iscoroutinefunction(a.function)]
    assert [a.full_name for a in plain if tools_of(a.function) & {"ledger", "prefect"}] == []


@pytest.mark.parametrize("spec", OPEN, ids=lambda spec: spec.full_name)
def test_what_messages_may_ask_for_takes_no_address_path_command_or_credential(
    spec: ActionSpec,
) -> None:
    for name, annotation in parameters(spec).items():
        assert not REACHING & set(name.split("_")), f"{name}: by its name"
        for kind in types_in(annotation):
            if isinstance(kind, type):
                reaching = (SecretStr, SecretBytes, PurePath, AnyUrl, bytes)
                assert not issubclass(kind, reaching), f"{name}: by its type"
        if dict in types_in(annotation) or Any in types_in(annotation):
            assert f"{spec.name}.{name}" in FREE_FORM, f"{name} takes anything: say why it may"


@pytest.mark.parametrize("spec", OPEN, ids=lambda spec: spec.full_name)
def test_what_messages_may_ask_for_can_be_said_in_a_message(spec: ActionSpec) -> None:
    for annotation in parameters(spec).values():
        try:
            TypeAdapter(annotation)
        except PydanticSchemaGenerationError:
            pytest.fail(f"{annotation} travels in no message")


def test_what_takes_any_address_is_for_a_person_alone() -> None:
    spec = registry().action("integration-specialist", "propose_mapping")
    assert spec.policy.askers == {Asker.PERSON}


def test_what_events_reach_is_open_to_messages_too() -> None:
    """An event's content comes from outside, so the same holds of who takes events."""
    for agent in registry().agents.values():
        assert registry().action(agent.id, agent.event_action).policy.askers == ANYBODY
