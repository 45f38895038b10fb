"""What may be promised, and how slips are told."""

import pytest
from pydantic import ValidationError

from blocks.policy.policy import Policy
from blocks.policy.watching.objective_rules import (
    DEFAULT_BURN_RULES,
    BurnRule,
    Objective,
    ObjectiveRules,
)


def test_the_default_rules_spend_the_shares_of_the_workbook():
    month = 30 * 86400
    spent = [round(rule.factor * rule.long_seconds / month, 4) for rule in DEFAULT_BURN_RULES]
    assert spent == [0.02, 0.05, 0.1, 0.1]


def test_shares_are_taken_as_they_are_written():
    promise = Objective(name="a", target="service:a", objective=0.999)
    assert (promise.allowed.numerator, promise.allowed.denominator) == (1, 1000)
    assert DEFAULT_BURN_RULES[0].exact_factor * 5 == 72


@pytest.mark.parametrize(
    "changes",
    [
        {"objective": 1.0},
        {"objective": 0.0},
        {"target": "checkout"},
        {"days": 91},
        {"rules": []},
        {"source": {"kind": "latency"}},
        {"source": {"kind": "magic"}},
        {"objectiv": 0.9},
    ],
)
def test_what_cannot_be_meant_is_refused(changes):
    good = {"name": "a", "target": "service:a", "objective": 0.99}
    Objective.model_validate(good)
    with pytest.raises(ValidationError):
        Objective.model_validate(good | changes)


def test_a_short_window_is_shorter():
    with pytest.raises(ValidationError, match="less than long_seconds"):
        BurnRule(loudness="page", factor=2, long_seconds=60, short_seconds=60)


def test_two_objectives_of_one_name_are_refused():
    one = {"name": "a", "target": "service:a", "objective": 0.99}
    with pytest.raises(ValidationError, match="two objectives are named 'a'"):
        ObjectiveRules.model_validate({"own": [one, one]})


def test_a_person_adds_one_and_keeps_the_rest():
    own = {"name": "a", "target": "service:a", "objective": 0.99}
    policy = Policy.extended({"objectives": {"own": [own]}})
    assert policy.objectives.own[0].name == "a"
    assert policy.objectives.services == 0.995
