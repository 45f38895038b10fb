"""What must be true of every deployment of ``prefect.yaml``."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.flows import load_flow_from_entrypoint

from deployments.registration.registration import PREFECT_FILE, check_entrypoints, read_work_pools
from flows.orchestrator.runs.deaths import TAG
from flows.orchestrator.runs.queues import SUFFIX

STANZAS: list[dict[str, Any]] = yaml.safe_load(PREFECT_FILE.read_text())["deployments"]
each = pytest.mark.parametrize("stanza", STANZAS, ids=[s["name"] for s in STANZAS])


def load(stanza: dict[str, Any]) -> Flow[..., Any]:
    return load_flow_from_entrypoint(stanza["entrypoint"], use_placeholder_flow=False)


def test_every_entrypoint_loads() -> None:
    names = [stanza["name"] for stanza in STANZAS]
    assert check_entrypoints() == [f"{name.removesuffix(SUFFIX)}/{name}" for name in names]


@each
def test_file_function_flow_and_deployment_share_one_name(stanza: dict[str, Any]) -> None:
    flow, dashed = load(stanza), stanza["name"].removesuffix(SUFFIX)
    name = dashed.replace("-", "_")
    assert flow.name == dashed
    assert flow.fn.__name__ == name
    assert Path(inspect.getfile(inspect.unwrap(flow.fn))).stem == name
    assert flow.isasync, "a sync flow loses up to a second at its end"


@each
def test_what_is_restarted_after_a_crash_is_restarted_when_cut_off_too(
    stanza: dict[str, Any],
) -> None:
    flow = load(stanza)
    assert (inspect.unwrap(flow.fn) is not flow.fn) == (TAG in stanza["tags"])


@each
def test_the_run_form_explains_itself(stanza: dict[str, Any]) -> None:
    flow = load(stanza)
    assert flow.description
    for name, parameter in flow.parameters.properties.items():
        assert parameter.get("description"), f"{name} has no description"
        assert name not in (flow.parameters.required or []), f"{name} has no default"


@each
def test_pool_and_queue_are_ours(stanza: dict[str, Any]) -> None:
    pools = {pool.name: pool for pool in read_work_pools().work_pools}
    pool = pools[stanza["work_pool"]["name"]]
    assert stanza["work_pool"]["work_queue_name"] in pool.queues


def test_priorities_are_unique_within_a_pool_and_leave_no_gap() -> None:
    for pool in read_work_pools().work_pools:
        assert sorted(pool.queues.values()) == list(range(1, len(pool.queues) + 1))
        assert "default" in pool.queues, "every pool has one, so it needs its place"
