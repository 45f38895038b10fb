"""Whether the rules of a policy can be followed, seen before any event comes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from blocks.errors import ConfigurationError, OrchestratorError
from blocks.policy.placeholders import Placeholder, has_any, whole
from blocks.policy.policy import Policy
from blocks.policy.trigger_rules import DEFAULT_RULES, Rule
from blocks.prefect_api.templates import refuse_templates
from blocks.prefect_api.workflows import entrypoint_of, load_workflow
from blocks.text import did_you_mean

NEVER = "event-driven-workflow"
"""What no rule may start: events start it anyway, and it would be started by what it does."""

ROUTE_TASK = "route-task"
"""What has a task done, whose types the policy names."""

_JSON_TYPE = {
    "text": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "list": "array",
    "object": "object",
}
_EXAMPLES: dict[str, Any] = {
    "text": "a text",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "list": [],
    "object": {},
}


def check_rules(policy: Policy) -> None:
    """See that each rule names a workflow that is there, and values that it takes.

    Our own rules are left out: a test sees that they can be followed.

    Raises:
        ConfigurationError: Names each fault and the near miss.
    """
    faults = [
        f"rules.{name}: {fault}"
        for name, rule in policy.rules.items()
        if rule != DEFAULT_RULES.get(name)
        for fault in (*_faults(rule), *_unknown_task(rule, policy))
    ]
    if faults:
        raise ConfigurationError(
            f"The policy cannot be used: {' '.join(faults)}",
            hint="./orchestrator rules lists the rules; docs/rules.md says what one may hold.",
        )


def _faults(rule: Rule) -> Iterator[str]:
    if rule.workflow == NEVER:
        yield f"{NEVER} deals with every event anyway; no rule starts it."
        return
    try:
        entrypoint_of(rule.workflow)
        refuse_templates(rule.parameters)
    except OrchestratorError as error:
        yield f"{error.what} {error.hint}"
        return
    flow = load_workflow(rule.workflow)
    schema = flow.parameters
    for name, value in rule.parameters.items():
        if name not in schema.properties:
            known = list(schema.properties)
            takes = f"It takes {', '.join(known) or 'none'}."
            yield f"{rule.workflow} has no parameter {name!r}. {did_you_mean(name, known, takes)}"
        elif fault := _unfit(value, schema.properties[name], schema.definitions or {}):
            yield f"{name}: {fault}"
    for name in schema.required or ():
        if name not in rule.parameters:
            yield f"{rule.workflow} needs {name}: give it a value."


def _unknown_task(rule: Rule, policy: Policy) -> Iterator[str]:
    task = rule.parameters.get("task_type", "")
    if rule.workflow == ROUTE_TASK and not has_any(task) and task not in policy.task_types:
        hint = did_you_mean(str(task), sorted(policy.task_types))
        yield f"task_type: there is no type of task {task!r}. {hint}"


def _unfit(value: Any, wanted: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """Why a parameter's value can never be taken; empty when it may be."""
    import jsonschema

    if isinstance(value, str) and (place := whole(value)) is not None:
        return _wrong_type(place, wanted, definitions)
    # What a text comes to be is known when the event is; that it is a text is known now.
    schema = {"type": _types_of(wanted, definitions)} if has_any(value) else wanted
    root = {**schema, "definitions": dict(definitions)}
    fault = next(iter(jsonschema.Draft202012Validator(root).iter_errors(_sample(value))), None)
    return f"{json.dumps(value)[:80]} is not taken: {fault.message[:200]}." if fault else ""


def _sample(value: Any) -> Any:
    """The value with an example in place of what is only known when an event comes."""
    if isinstance(value, str):
        place = whole(value)
        return value if place is None else _EXAMPLES[place.type]
    if isinstance(value, dict):
        return {name: _sample(each) for name, each in value.items()}
    return [_sample(each) for each in value] if isinstance(value, list) else value


def _wrong_type(
    place: Placeholder, wanted: Mapping[str, Any], definitions: Mapping[str, Any]
) -> str:
    kind = _JSON_TYPE[place.type]
    takes = _types_of(wanted, definitions)
    if kind in takes or (kind == "integer" and "number" in takes):
        return ""
    fitting = [ours for ours, theirs in _JSON_TYPE.items() if theirs in takes]
    meant = f"; write {{{place.path}:{fitting[0]}}}" if fitting else ""
    return f"{{{place.path}}} is a {place.type}, and it takes {' or '.join(takes)}{meant}."


def _types_of(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> list[str]:
    """The JSON types that a schema takes; all of them where it does not say."""
    return sorted(set(_types(schema, definitions))) or sorted(_JSON_TYPE.values())


def _types(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[str]:
    """The JSON types that a schema takes; none where it takes anything."""
    if "$ref" in schema:
        yield from _types(definitions.get(schema["$ref"].rpartition("/")[2], {}), definitions)
    for either in ("anyOf", "oneOf", "allOf"):
        for each in schema.get(either, ()):
            yield from _types(each, definitions)
    kind = schema.get("type", ())
    yield from [kind] if isinstance(kind, str) else kind
