"""Our own messages, today's form and the earlier one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.dialects import Dialect, answer, read
from blocks.dialects.agent_message import write
from blocks.errors import InvalidMessage
from blocks.vocabulary.messages import (
    AgentMessage,
    AgentReply,
    ErrorInfo,
    MessageType,
    Outcome,
    Priority,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WHOLE: dict[str, Any] = {
    "id": "m-17",
    "timestamp": "2026-03-01T12:00:00Z",
    "from": "data-intelligence",
    "to": "sre-reliability",
    "type": "request",
    "action": "collect_metrics",
    "payload": {"hours": 24},
    "priority": 3,
    "run_id": None,
    "task_id": None,
}
V0: dict[str, Any] = {
    "message_id": "m-17",
    "timestamp": 1772366400,
    "from_agent": "data_intelligence",
    "to_agent": "sre_reliability",
    "message_type": "request",
    "content": {"action": "collect_metrics", "hours": 24},
    "priority": "high",
}
MESSAGE = AgentMessage(
    id="m-17",
    timestamp=NOON,
    sender="data-intelligence",
    recipient="sre-reliability",
    action="collect_metrics",
    payload={"hours": 24},
    priority=Priority.HIGH,
)

text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=20)
numbers = st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=10,
)
names = st.from_regex(r"[a-z][a-z0-9]{0,9}(-[a-z0-9]{1,9}){0,2}", fullmatch=True)
printable = st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=40)
messages = st.builds(
    AgentMessage,
    id=printable,
    timestamp=st.datetimes(timezones=st.just(UTC)),
    **{"from": names, "to": names},
    type=st.sampled_from(MessageType),
    action=printable,
    payload=st.dictionaries(text, values, max_size=4),
    priority=st.sampled_from(Priority),
    run_id=st.none() | printable,
    task_id=st.none() | printable,
)


@given(messages)
def test_our_own_form_comes_back_as_it_went(message: AgentMessage) -> None:
    for raw in (write(message), json.dumps(write(message)), json.dumps(write(message)).encode()):
        incoming = read(raw)
        assert incoming.dialect is Dialect.AGENT_MESSAGE
        assert incoming.messages == [message]
        assert incoming.events == []


def test_both_forms_say_the_same() -> None:
    assert read(WHOLE).messages == [MESSAGE]
    old = read(V0)
    assert (old.dialect, old.messages) == (Dialect.AGENT_MESSAGE_V0, [MESSAGE])


def test_what_is_left_out_is_new_and_computed() -> None:
    given = {"from": "a", "to": "b", "action": "c", "type": "alert"}
    one, two = (read(given | {"payload": {"severity": "critical"}}).messages[0] for _ in range(2))
    assert one.id != two.id
    assert one.priority is Priority.CRITICAL
    assert read(given).messages[0].priority is Priority.HIGH  # an alert counts as an error


@pytest.mark.parametrize(
    "timestamp", [1772366400, 1772366400.0, "2026-03-01T12:00:00", "2026-03-01T13:00:00+01:00"]
)
def test_v0_told_the_time_in_seconds_or_in_utc(timestamp: Any) -> None:
    assert read(V0 | {"timestamp": timestamp}).messages[0].timestamp == NOON


@pytest.mark.parametrize(
    ("word", "priority"),
    [("low", 1), ("medium", 2), ("high", 3), ("critical", 4)],
)
def test_v0_had_words_for_priorities(word: str, priority: int) -> None:
    assert read(V0 | {"priority": word}).messages[0].priority == priority


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"approved": True}, "There is no field 'approved'. There are id, timestamp, from, to"),
        ({"pririty": 2}, "'pririty'. Did you mean priority"),
        ({"sender": "x"}, "There is no field 'sender'"),
        ({"from": None}, "from is missing"),
        ({"to": "SRE"}, "to is 'SRE'. It must be a dashed name"),
        ({"to": "sre\n"}, r"to is 'sre\\n'"),
        ({"action": ""}, "action is ''"),
        ({"action": 7}, "action is 7"),
        ({"id": "x" * 201}, "id is 'xxxx.*text of 1 to 200 characters"),
        ({"id": "a\x1b[31m"}, r"id is 'a\\x1b\[31m'. It must have no control characters"),
        ({"id": 17}, "id is 17"),
        ({"priority": "3"}, "priority is '3'"),
        ({"priority": 9}, "priority is 9"),
        ({"type": "order"}, "type is 'order'.*request"),
        ({"payload": []}, r"payload is \[\]"),
        ({"timestamp": "2026-03-01T12:00:00"}, "timestamp is '2026-03-01T12:00:00'.*timezone"),
        ({"timestamp": 1772366400}, "timestamp is 1772366400"),
        ({"timestamp": "0001-01-01T00:00:00+14:00"}, "timestamp is .*years 1 to 9999"),
    ],
)
def test_our_own_form_is_strict(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidMessage, match=said):
        read(WHOLE | change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"to": "x"}, "There is no field 'to'. There are message_id, timestamp"),
        ({"message_id": None}, "message_id is missing"),
        ({"content": {"hours": 24}}, "content.action is missing"),
        ({"content": "collect"}, "content is 'collect'. It must be an object"),
        ({"to_agent": "S R E"}, "to_agent is 'S R E'. It must be a dashed name"),
        ({"message_type": "task"}, "message_type is 'task'"),
        ({"priority": "normal"}, "priority is 'normal'. It must be one of low, medium"),
        ({"priority": 3}, "priority is 3"),
        ({"timestamp": 1772366400000}, "timestamp is 1772366400000.*seconds since 1970"),
        ({"timestamp": True}, "timestamp is True"),
        ({"timestamp": "yesterday"}, "timestamp is 'yesterday'"),
        ({"timestamp": "9999-12-31T23:59:59-14:00"}, "years 1 to 9999"),
    ],
)
def test_version_0_is_strict_too(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidMessage, match=said):
        read(V0 | change)


def test_each_form_is_answered_in_its_own_words() -> None:
    failed = ErrorInfo(code="source-timeout", what="No answer.", retryable=True)
    reply = AgentReply(
        message_id="m-17",
        timestamp=NOON,
        sender="sre-reliability",
        outcome=Outcome.FAILED,
        payload={"result": {"rows": 3}},
        error=failed,
    )
    new = answer(Dialect.AGENT_MESSAGE, MESSAGE, reply)
    assert AgentReply.model_validate(new) == reply
    assert new["from"] == "sre-reliability"
    old = answer(Dialect.AGENT_MESSAGE_V0, MESSAGE, reply)
    assert old == {
        "message_id": "m-17-reply",
        "in_reply_to": "m-17",
        "from_agent": "sre_reliability",
        "to_agent": "data_intelligence",
        "message_type": "response",
        "content": {
            "status": "failed",
            "result": {"rows": 3},
            "error": failed.model_dump(mode="json"),
        },
        "timestamp": 1772366400.0,
    }
