"""No parameter of a run is anything but data to Prefect."""

from __future__ import annotations

from typing import Any

import pytest
from prefect.utilities.schema_tools import hydration

from blocks.errors import InvalidMessage
from blocks.prefect_api.templates import refuse_templates
from blocks.settings import PROJECT_ROOT

KINDS = {"none", "json", "jinja", "workspace_variable"}
OWN = ("agents", "blocks", "flows", "deployments")


def test_prefect_knows_no_other_kind_of_parameter():
    # When an upgrade brings one: see that its mark is among those that are refused.
    assert set(hydration._handlers) == KINDS


@pytest.mark.parametrize("kind", [*sorted(KINDS), "one that comes"])
@pytest.mark.parametrize(
    ("wrap", "place"),
    [
        (lambda it: {"params": it}, "params"),
        (lambda it: {"params": {"lines": [1, {"sku": it}]}}, r"params\.lines\[1\]\.sku"),
        (lambda it: {"params": (it,)}, r"params\[0\]"),
        (lambda it: it, "The parameters"),
    ],
)
def test_what_prefect_would_act_upon_is_refused_at_any_depth(kind: str, wrap: Any, place: str):
    template = {
        "__prefect_kind": kind,
        "template": "{{ 7*7 }}",
        "value": "{}",
        "variable_name": "orchestrator_policy",
    }
    with pytest.raises(InvalidMessage, match=f"^{place} has the key '__prefect_kind'"):
        refuse_templates(wrap(template))


def test_a_reference_to_a_block_is_refused():
    with pytest.raises(InvalidMessage, match=r"params\.a has the key '\$ref'"):
        refuse_templates({"params": {"a": {"$ref": {"block_document_id": "0" * 32}}}})


def test_however_deep_it_lies_looking_for_it_is_no_recursion():
    deep: Any = {"__prefect_kind": "jinja"}
    for _ in range(2_000):
        deep = [deep]
    with pytest.raises(InvalidMessage):
        refuse_templates({"deep": deep})


def test_data_passes():
    refuse_templates({"a": [{"b": "{{ 7*7 }}"}, None, 1.5], "text": '{"__prefect_kind": "jinja"}'})


def test_runs_are_made_in_one_place():
    makers = ("create_flow_run_from_deployment", "run_deployment(", "create_flow_runs_from")
    found = {
        str(file.relative_to(PROJECT_ROOT))
        for folder in OWN
        for file in (PROJECT_ROOT / folder).rglob("*.py")
        if any(maker in file.read_text() for maker in makers)
    }
    assert found == {"blocks/prefect_api/runs.py"}
