"""Which events a rule is about, and what it takes from them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from blocks.policy.placeholders import NoValue, at, filled
from blocks.policy.policy import Policy
from blocks.policy.trigger_rules import Test, When
from blocks.vocabulary.messages import SystemEvent

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
DATA = {
    "labels": {"team": "shop", "app.kubernetes.io/name": "checkout", "count": "12"},
    "amount": 99.5,
    "items": [{"sku": "A"}, {"sku": "B"}],
    "urgent": True,
    "nothing": None,
}


def event(**more: Any) -> SystemEvent:
    given = {"source": "till", "type": "payment.refused", "time": NOW, "data": DATA}
    return SystemEvent(**{"subject": "service:checkout", "severity": "error", **given, **more})


@pytest.mark.parametrize(
    ("test", "value", "holds"),
    [
        ("shop", "shop", True),
        ("shop", "shops", False),
        (1, True, False),
        (1, 1.0, True),
        (True, True, True),
        ({"differs": "shop"}, "other", True),
        ({"differs": "shop"}, None, False),
        ({"any_of": ["a", "b"]}, "b", True),
        ({"any_of": ["a", "b"]}, "c", False),
        ({"contains": "ho"}, "shop", True),
        ({"contains": "x"}, ["x", "y"], True),
        ({"contains": "x"}, {"x": 1}, True),
        ({"contains": "x"}, 5, False),
        ({"like": "sh*"}, "shop", True),
        ({"like": "sh*"}, 5, False),
        ({"at_least": 10}, "12", True),  # labels are texts
        ({"at_least": 10}, "many", False),
        ({"at_least": 10}, float("nan"), False),
        ({"below": 10, "at_least": 5}, 7, True),
        ({"below": 10, "at_least": 5}, 10, False),
        ({"at_least": 0}, True, False),
        ({"exists": True}, "", True),
        ({"exists": True}, None, False),
        ({"exists": False}, None, True),
        ({"exists": False}, 0, False),
    ],
)
def test_what_a_value_must_be_like(test: Any, value: Any, holds: bool) -> None:
    assert Test.model_validate(test).holds(value) is holds
    again = Test.model_validate(Test.model_validate(test).model_dump())
    assert again.holds(value) is holds, "as the ledger has kept it"


@pytest.mark.parametrize(
    ("when", "fits"),
    [
        ({"type": "payment.refused"}, True),
        ({"type": "payment.*"}, True),
        ({"type": ["stock.*", "payment.*"]}, True),
        ({"type": "Payment.*"}, False),
        ({"type": "*", "subject": "service:*"}, True),
        ({"type": "*", "subject": "sku:*"}, False),
        ({"type": "*", "source": "shop"}, False),
        ({"type": "*", "severity": "error"}, True),
        ({"type": "*", "severity": "critical"}, False),
        ({"type": "*", "data": {"labels.team": "shop", "amount": {"at_least": 50}}}, True),
        ({"type": "*", "data": {"labels.app.kubernetes.io/name": "checkout"}}, True),
        ({"type": "*", "data": {"items.1.sku": "B"}}, True),
        ({"type": "*", "data": {"items.2.sku": {"exists": False}}}, True),
        ({"type": "*", "data": {"nothing": {"exists": False}}}, True),
        ({"type": "*", "data": {"labels": "shop"}}, False),
    ],
)
def test_which_events_are_meant(when: dict[str, Any], fits: bool) -> None:
    assert When.model_validate(when).fits(event()) is fits


def test_the_end_of_an_alert_fires_only_what_asks_for_it() -> None:
    firing = event(data={"status": "firing", "fingerprint": "x"})
    ended = event(data={"status": "resolved", "fingerprint": "x"}, severity="info")
    for status, expected in (("firing", (True, False)), ("resolved", (False, True))):
        rule = When.model_validate({"type": "*", "status": status})
        assert (rule.fits(firing), rule.fits(ended)) == expected
    either = When.model_validate({"type": "*", "status": "any"})
    assert either.fits(firing)
    assert either.fits(ended)


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        ("{subject}", "service:checkout"),
        ("about {name}, {severity}", "about checkout, error"),
        ("{data.amount:number}", 99.5),
        ("{data.labels.count:integer}", 12),
        ("{data.gone:integer=7}", 7),
        ("{data.gone:text=}", ""),
        ("{data.urgent:boolean}", True),
        ("{data.items:list}", DATA["items"]),
        ("{data.items.0.sku}", "A"),
        ("{data.amount}", "99.5"),
        ({"a": ["{kind}", 5, None]}, {"a": ["service", 5, None]}),
        ("{{subject}}", "{subject}"),
    ],
)
def test_what_a_parameter_becomes(value: Any, becomes: Any) -> None:
    from flows.orchestrator.rules.judging import fields_of

    assert filled(value, fields_of(event())) == becomes


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("{data.gone}", "the event has no data.gone"),
        ("{data.nothing}", "the event has no data.nothing"),
        ("{data.amount:integer}", "data.amount is 99.5, not an integer"),
        ("{data.labels.team:number}", 'data.labels.team is "shop", not a number'),
        ("{data.urgent:integer}", "data.urgent is true, not an integer"),
    ],
)
def test_what_an_event_does_not_give_is_said(value: str, why: str) -> None:
    from flows.orchestrator.rules.judging import fields_of

    with pytest.raises(NoValue) as told:
        filled(value, fields_of(event()))
    assert str(told.value) == why


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"parameters": {"a": "{subjct}"}}, "Did you mean subject"),
        ({"parameters": {"a": "{data.x:int}"}}, "Did you mean integer"),
        ({"parameters": {"a": ["{"]}}, "a lone {"),
        ({"parameters": {"a": "{subject.x}"}}, "subject has no parts"),
        ({"parameters": {"a": "{data.x:integer=soon}"}}, "not an integer"),
        ({"when": {"type": []}}, "fits nothing"),
        ({"when": {"type": "*", "status": "resolved", "severity": "error"}}, "no severity fits"),
        ({"when": {"type": "*", "data": {"x": {}}}}, "it says nothing"),
        ({"limit_per_hour": 0}, "greater than or equal to 1"),
    ],
)
def test_what_can_never_be_meant_is_refused_when_it_is_written(
    rule: dict[str, Any], why: str
) -> None:
    whole = {"when": {"type": "*"}, "workflow": "system-status", **rule}
    with pytest.raises(ValidationError) as told:
        Policy.extended({"rules": {"mine": whole}})
    assert why in str(told.value)


def test_a_rule_that_is_there_is_changed_field_by_field() -> None:
    policy = Policy.extended({"rules": {"stock-low": {"enabled": False}}})
    assert not policy.rules["stock-low"].enabled
    assert policy.rules["stock-low"].workflow == "critical-inventory"


def test_what_an_earlier_release_called_starts_are_rules_now() -> None:
    starts = {"stock.low": "critical-inventory", "1.odd": "system-status"}
    old = {"events": {"starts": starts, "starts_wait_seconds": 30.0, "window_seconds": 5}}
    policy = Policy.extended(old)
    assert {n: (r.when.types, r.workflow, r.share_seconds) for n, r in policy.rules.items()} == {
        "stock-low": (["stock.low"], "critical-inventory", 30.0),
        "on-1-odd": (["1.odd"], "system-status", 30.0),
    }
    assert policy.events.window_seconds == 5
    assert Policy.extended({"events": {"starts": {}}}).rules == {}
    body = Policy().model_dump(mode="json")
    body["events"] |= {"starts": {}, "starts_wait_seconds": 60.0}
    del body["rules"]
    assert Policy.model_validate(body).rules == {}, "as the ledger has kept it"


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda x: st.dictionaries(st.text(), x) | st.lists(x)
    ),
    st.text(),
)
def test_whatever_stands_in_an_event_a_place_in_it_is_found_or_not(data: Any, path: str) -> None:
    at(data, path, None)
