"""Payloads as parameters: the right names, the right types, and no tools from outside."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas as pd
import pytest

from agents.capability import ActionPolicy
from agents.registry import ActionSpec
from blocks.errors import InvalidMessage
from blocks.vocabulary.findings import Remedy
from flows.orchestrator.dispatch.parameters import fitting


def do_it(remedy: Remedy, now: datetime, hours: float = 1.0, skus: list[str] | None = None) -> None:
    """Do it."""


def take_frame(frame: pd.DataFrame) -> None:
    """Take a frame."""


def spec(function: Any) -> ActionSpec:
    return ActionSpec("agent", "capability", function.__name__, function, ActionPolicy())


REMEDY = {"agent": "sre-reliability", "action": "restart_service"}


def test_values_come_in_the_types_that_the_action_asks_for() -> None:
    assert fitting(spec(do_it), {"remedy": REMEDY, "hours": 2}) == {
        "remedy": Remedy(agent="sre-reliability", action="restart_service"),
        "hours": 2.0,
    }


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({}, "agent.do_it needs remedy"),
        ({"remedy": REMEDY, "hour": 1}, "no parameter 'hour'. Did you mean hours"),
        ({"remedy": REMEDY, "zzz": 1}, "no parameter 'zzz'. It takes remedy, hours, skus"),
        ({"remedy": REMEDY, "now": "2026-01-01T00:00:00Z"}, "no parameter 'now'"),
        ({"remedy": REMEDY, "hours": "many"}, "hours is 'many'. Input should be a valid number"),
        ({"remedy": REMEDY, "skus": [1]}, r"skus.0 is 1"),
        ({"remedy": {"agent": "sre-reliability"}}, "remedy.action is"),
    ],
)
def test_what_does_not_fit_is_named(payload: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidMessage, match=said):
        fitting(spec(do_it), payload)


def test_what_only_a_workflow_has_travels_in_no_message() -> None:
    with pytest.raises(InvalidMessage, match="takes frame only within a workflow"):
        fitting(spec(take_frame), {"frame": {}})
