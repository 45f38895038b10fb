"""How urgent work is, by hand-computed values and by law."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from blocks.vocabulary.messages import AgentMessage, MessageType, priority_of
from blocks.vocabulary.severity import Priority, Severity
from blocks.vocabulary.urgency import PriorityRules, Urgency, urgency

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
INFO, WARNING, ERROR, CRITICAL = Severity


@pytest.mark.parametrize(
    ("severity", "facts", "priority", "score"),
    [
        (INFO, {}, Priority.LOW, 0),
        (WARNING, {}, Priority.NORMAL, 25),
        (ERROR, {}, Priority.HIGH, 50),
        (CRITICAL, {}, Priority.CRITICAL, 75),
        # Money: 25 · ln(1 + x) / ln(1 + 1000), at most 25; ln(101) / ln(1001) = 0.66802.
        (INFO, {"impact_per_hour": 100.0}, Priority.LOW, 16.70),
        (INFO, {"impact_per_hour": 1000.0}, Priority.NORMAL, 25),
        (INFO, {"impact_per_hour": 1e9}, Priority.NORMAL, 25),
        # Waiting: 4 an hour, at most 25.
        (INFO, {"since": NOON - 90 * MINUTE}, Priority.LOW, 6),
        (INFO, {"since": NOON - 10 * HOUR}, Priority.NORMAL, 25),
        # A deadline: 25 · 60 / (60 + minutes).
        (INFO, {"deadline": NOON + HOUR}, Priority.LOW, 12.5),
        (INFO, {"deadline": NOON + 4 * HOUR}, Priority.LOW, 5),
        (INFO, {"deadline": NOON}, Priority.NORMAL, 25),
        (INFO, {"deadline": NOON - HOUR}, Priority.NORMAL, 25),
        # 25 + 16.70 + 6 + 5 = 52.70; and all that there is: 50 + 25 + 25 + 25.
        (
            WARNING,
            {
                "impact_per_hour": 100.0,
                "since": NOON - 90 * MINUTE,
                "deadline": NOON + 4 * HOUR,
            },
            Priority.HIGH,
            52.70,
        ),
        (
            ERROR,
            {"impact_per_hour": 1e9, "since": NOON - 10 * HOUR, "deadline": NOON},
            Priority.HIGH,
            125,
        ),
    ],
)
def test_values_computed_by_hand(
    severity: Severity, facts: dict[str, Any], priority: Priority, score: float
) -> None:
    found = urgency(severity, NOON, **facts)
    assert (found.priority, found.score) == (priority, score)


def test_the_reasons_are_told_and_small_ones_left_out() -> None:
    found = urgency(
        ERROR,
        NOON,
        impact_per_hour=1234.0,
        since=NOON - 5 * MINUTE,  # 0.33 points
        deadline=NOON + HOUR,
    )
    assert found.reasons == (
        "severity error: 50",
        "1,234 per hour at risk: 25",
        "due in 60 min: 12",
    )


def test_what_is_due_says_so() -> None:
    assert "due now: 25" in urgency(INFO, NOON, deadline=NOON).reasons


def test_the_rules_say_how_much_each_reason_counts() -> None:
    rules = PriorityRules(
        great_loss_per_hour=10, points_per_hour_waited=10, most_for_waiting=15,
        near_deadline_minutes=30,
    )  # fmt: skip
    assert urgency(INFO, NOON, impact_per_hour=10, rules=rules).score == 25
    assert urgency(INFO, NOON, since=NOON - HOUR, rules=rules).score == 10
    assert urgency(INFO, NOON, since=NOON - 9 * HOUR, rules=rules).score == 15
    assert urgency(INFO, NOON, deadline=NOON + 30 * MINUTE, rules=rules).score == 12.5


# Laws.

MONEY = st.one_of(
    st.none(),
    st.floats(),
    st.integers(-(10**18), 10**18),
    st.sampled_from([math.nan, math.inf, -math.inf, -1.0, 0.0, 5e-324]),
)
INSTANTS = st.none() | st.datetimes(timezones=st.just(UTC))
FACTS = st.fixed_dictionaries({"impact_per_hour": MONEY, "since": INSTANTS, "deadline": INSTANTS})
SEVERITIES = st.sampled_from(Severity)


def assert_no_less(more: Urgency, less: Urgency) -> None:
    assert more.score >= less.score
    assert more.priority >= less.priority


@given(SEVERITIES, FACTS)
def test_any_facts_have_a_finite_score_and_only_what_is_critical_is_treated_so(
    severity: Severity, facts: dict[str, Any]
) -> None:
    found = urgency(severity, NOON, **facts)
    assert severity.rank * 25 <= found.score <= severity.rank * 25 + 75
    assert (found.priority is Priority.CRITICAL) == (severity is CRITICAL)
    assert found.priority >= severity.priority


@given(SEVERITIES, SEVERITIES, FACTS)
def test_worse_is_never_less_urgent(one: Severity, two: Severity, facts: dict[str, Any]) -> None:
    less, more = sorted((one, two))
    assert_no_less(urgency(more, NOON, **facts), urgency(less, NOON, **facts))


@given(SEVERITIES, FACTS, st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_more_money_is_never_less_urgent(
    severity: Severity, facts: dict[str, Any], one: float, two: float
) -> None:
    less, more = sorted((one, two))
    assert_no_less(
        urgency(severity, NOON, **facts | {"impact_per_hour": more}),
        urgency(severity, NOON, **facts | {"impact_per_hour": less}),
    )


@given(
    SEVERITIES, FACTS, st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC))
)
def test_waiting_longer_or_being_due_sooner_is_never_less_urgent(
    severity: Severity, facts: dict[str, Any], one: datetime, two: datetime
) -> None:
    earlier, later = sorted((one, two))
    for name in ("since", "deadline"):
        assert_no_less(
            urgency(severity, NOON, **facts | {name: earlier}),
            urgency(severity, NOON, **facts | {name: later}),
        )


@given(SEVERITIES, FACTS, st.sampled_from([math.nan, -math.inf, -1.0, 0.0]))
def test_money_that_means_nothing_counts_as_unknown(
    severity: Severity, facts: dict[str, Any], money: float
) -> None:
    assert urgency(severity, NOON, **facts | {"impact_per_hour": money}) == urgency(
        severity, NOON, **facts | {"impact_per_hour": None}
    )


@pytest.mark.parametrize("name", PriorityRules.model_fields)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_rules_are_finite(name: str, value: float) -> None:
    with pytest.raises(ValidationError, match=name):
        PriorityRules.model_validate({name: value})


# The priority of a message.

REQUEST, ALERT = MessageType.REQUEST, MessageType.ALERT


@pytest.mark.parametrize(
    ("kind", "payload", "priority"),
    [
        (REQUEST, {}, Priority.NORMAL),
        (MessageType.EVENT, {}, Priority.NORMAL),
        (ALERT, {}, Priority.HIGH),
        (ALERT, {"severity": "info"}, Priority.LOW),
        (REQUEST, {"severity": "critical"}, Priority.CRITICAL),
        (REQUEST, {"severity": Severity.ERROR}, Priority.HIGH),
        (REQUEST, {"impact_per_hour": 1000}, Priority.HIGH),
        (REQUEST, {"deadline": "2026-03-01T12:00:00+00:00"}, Priority.HIGH),
        (REQUEST, {"deadline": "2026-03-01T12:00:00Z"}, Priority.HIGH),
        (REQUEST, {"deadline": NOON}, Priority.HIGH),
        # What cannot be read counts as absent.
        (ALERT, {"severity": "terrible"}, Priority.HIGH),
        (ALERT, {"severity": None}, Priority.HIGH),
        (REQUEST, {"severity": ["critical"]}, Priority.NORMAL),
        (REQUEST, {"deadline": "2026-03-01T12:00:00"}, Priority.NORMAL),
        (REQUEST, {"deadline": "tomorrow"}, Priority.NORMAL),
        (REQUEST, {"deadline": 7}, Priority.NORMAL),
        (REQUEST, {"impact_per_hour": "1000"}, Priority.NORMAL),
        (REQUEST, {"impact_per_hour": None}, Priority.NORMAL),
        (REQUEST, {"impact_per_hour": 10**400}, Priority.NORMAL),
    ],
)
def test_a_message_is_as_urgent_as_what_it_says(
    kind: MessageType, payload: dict[str, Any], priority: Priority
) -> None:
    assert priority_of(kind, payload, NOON) is priority


def test_true_is_no_amount_of_money() -> None:
    # Due in 6 minutes a warning has 25 + 22.7 points; 2.5 more, as for 1 an hour, would lift it.
    nearly = {"deadline": (NOON + 6 * MINUTE).isoformat(), "impact_per_hour": True}
    without = {"deadline": (NOON + 6 * MINUTE).isoformat()}
    assert priority_of(REQUEST, nearly, NOON) is priority_of(REQUEST, without, NOON)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.just(10**400),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(
    st.sampled_from(MessageType),
    st.fixed_dictionaries(
        {}, optional={"severity": ANYTHING, "impact_per_hour": ANYTHING, "deadline": ANYTHING}
    ),
)
def test_no_payload_is_too_strange(kind: MessageType, payload: dict[str, Any]) -> None:
    assert priority_of(kind, payload, NOON) in Priority


def test_a_sender_who_names_a_priority_is_believed() -> None:
    alert = {"to": "sre-reliability", "action": "look", "type": "alert"}
    assert AgentMessage.model_validate(alert).priority is Priority.HIGH
    assert AgentMessage.model_validate(alert | {"priority": 1}).priority is Priority.LOW
