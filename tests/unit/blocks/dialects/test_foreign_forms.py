"""CloudEvents, Alertmanager and plain JSON, by their own published examples."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from blocks.dialects import Dialect, answer, detect, read, standalone
from blocks.errors import InvalidMessage
from blocks.policy.alert_rules import AlertRules
from blocks.vocabulary.messages import BESIDE, AgentReply, MessageType, Outcome, Priority, Severity

# The CloudEvents JSON format, section 3.2, and the HTTP binding, section 3.1.
XML_EVENT = {
    "specversion": "1.0",
    "type": "com.example.someevent",
    "source": "/mycontext",
    "id": "A234-1234-1234",
    "time": "2018-04-05T17:31:00Z",
    "comexampleextension1": "value",
    "comexampleothervalue": 5,
    "datacontenttype": "application/xml",
    "data": '<much wow="xml"/>',
}
OBJECT_EVENT = {
    "specversion": "1.0",
    "type": "com.example.someevent",
    "source": "/mycontext",
    "subject": None,
    "id": "C234-1234-1234",
    "time": "2018-04-05T17:31:00Z",
    "datacontenttype": "application/json",
    "data": {"appinfoA": "abc", "appinfoB": 123, "appinfoC": True},
}
BINARY_DATA_EVENT = {
    "specversion": "1.0",
    "type": "com.example.someevent",
    "source": "/mycontext",
    "id": "D234-1234-1234",
    "datacontenttype": "application/vnd.apache.thrift.binary",
    "data_base64": "AAECAw==",
}
BINARY_MODE = {
    "ce-specversion": "1.0",
    "ce-type": "com.example.someevent",
    "ce-time": "2018-04-05T03:56:24Z",
    "ce-id": "1234-1234-1234",
    "ce-source": "/mycontext/subcontext",
    "Content-Type": "application/json; charset=utf-8",
}

# As Alertmanager 0.27 sends it.
ALERTS: dict[str, Any] = {
    "receiver": "orchestrator",
    "status": "firing",
    "alerts": [
        {
            "status": "firing",
            "labels": {
                "alertname": "HighLatency",
                "instance": "10.0.0.7:9100",
                "service": "checkout",
                "severity": "critical",
            },
            "annotations": {"summary": "p99 above 2 s"},
            "startsAt": "2026-03-01T11:52:26.739266927+01:00",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus:9090/graph?g0.expr=x",
            "fingerprint": "b3c5b5b1d2f0e6a1",
        },
        {
            "status": "resolved",
            "labels": {"alertname": "DiskFull", "instance": "10.0.0.7:9100", "severity": "page"},
            "annotations": {},
            "startsAt": "2026-03-01T10:00:00Z",
            "endsAt": "2026-03-01T11:00:00Z",
            "generatorURL": "",
            "fingerprint": "0a1b2c3d4e5f6071",
        },
    ],
    "groupLabels": {"alertname": "HighLatency"},
    "commonLabels": {},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager:9093",
    "version": "4",
    "groupKey": '{}:{alertname="HighLatency"}',
    "truncatedAlerts": 0,
    "notificationReason": "of a version to come",
}


def test_an_event_of_the_specification_is_read() -> None:
    (event,) = read(OBJECT_EVENT).events
    assert (event.source, event.id, event.type) == (
        "/mycontext",
        "C234-1234-1234",
        "com.example.someevent",
    )
    assert event.time == datetime(2018, 4, 5, 17, 31, tzinfo=UTC)
    assert event.data == {"appinfoA": "abc", "appinfoB": 123, "appinfoC": True}
    assert (event.severity, event.subject) == (Severity.INFO, "")


def test_data_that_is_no_object_is_kept_as_a_value() -> None:
    xml, binary = (read(one).events[0].data for one in (XML_EVENT, BINARY_DATA_EVENT))
    assert xml.pop(BESIDE)["datacontenttype"] == "application/xml"
    assert binary.pop(BESIDE) == {"datacontenttype": "application/vnd.apache.thrift.binary"}
    assert xml == {"value": '<much wow="xml"/>'}
    assert binary == {"data_base64": "AAECAw=="}


def test_attributes_that_we_have_no_use_for_are_kept_beside_the_data() -> None:
    traced = {"traceparent": "00-0af7-b7ad-01", "partitionkey": "order-4711", "retries": 3}
    (event,) = read(OBJECT_EVENT | traced | {"final": True, "absent": None}).events
    assert event.data[BESIDE] == traced | {"final": True}
    assert event.content_hash == read(OBJECT_EVENT).events[0].content_hash, "it says the same"
    (event,) = read(b"{}", headers=BINARY_MODE | {"ce-traceparent": "00%2D1"}).events
    assert event.data == {BESIDE: {"traceparent": "00-1"}}


@pytest.mark.parametrize("name", ["orderId", "order_id", "order-id", "Data", "é"])
def test_a_name_that_no_attribute_may_have_is_refused(name: str) -> None:
    with pytest.raises(InvalidMessage, match="Names are lower-case letters and digits"):
        read(OBJECT_EVENT | {name: "4711"})


def test_json_within_a_text_stays_text_and_that_is_remarked() -> None:
    hidden = '{"severity": "critical", "order": 1}'
    (event,) = read(OBJECT_EVENT | {"data": hidden}).events
    assert (event.severity, event.data["value"]) == (Severity.INFO, hidden)
    assert ["a text that holds JSON" in note for note in event.notes] == [True]
    for plain in ("{no json", "[ ] or so", "critical", ""):
        assert read(OBJECT_EVENT | {"data": plain}).events[0].notes == []
    xml = {"datacontenttype": "text/plain", "data": hidden}
    assert read(OBJECT_EVENT | xml).events[0].notes == []


def test_of_a_batch_the_one_at_fault_is_named_and_what_it_needs() -> None:
    with pytest.raises(InvalidMessage) as caught:
        read([XML_EVENT, {**OBJECT_EVENT, "id": None}])
    assert "[1].id" in caught.value.what
    assert "[1].id" in caught.value.hint


def test_a_batch_is_all_or_nothing() -> None:
    incoming = read(json.dumps([XML_EVENT, OBJECT_EVENT]))
    assert [event.id for event in incoming.events] == ["A234-1234-1234", "C234-1234-1234"]
    assert read("[]").events == []
    with pytest.raises(InvalidMessage, match=r"\[1\]\.id is missing"):
        read([XML_EVENT, {**OBJECT_EVENT, "id": None}])
    with pytest.raises(InvalidMessage, match=r"\[0\] is 7. It must be an object"):
        read([7])


@pytest.mark.parametrize(
    ("content_type", "body", "data"),
    [
        ("application/json; charset=utf-8", b'{"a": 1}', {"a": 1}),
        ("application/vnd.acme+json", b"[1, 2]", {"value": [1, 2]}),
        ("text/plain", "späť".encode(), {"value": "späť"}),
        ("application/octet-stream", b"\x00\xff", {"data_base64": "AP8="}),
        ("application/json", b"", {}),
    ],
)
def test_binary_mode_reads_the_same_from_what_is_kept_of_it(
    content_type: str, body: bytes, data: Any
) -> None:
    headers = BINARY_MODE | {"Content-Type": content_type, "ce-subject": "service%3Acaf%C3%A9"}
    incoming = read(body, headers=headers)
    (event,) = incoming.events
    assert incoming.dialect is Dialect.CLOUDEVENTS
    assert (event.id, event.subject) == ("1234-1234-1234", "service:café")
    assert {name: said for name, said in event.data.items() if name != BESIDE} == data
    assert read(standalone(body, headers)).events == [event]


def test_the_media_type_decides_where_the_keys_do_not() -> None:
    structured = {"content-type": "application/cloudevents+json; charset=UTF-8"}
    with pytest.raises(InvalidMessage, match="specversion is missing"):
        read({"type": "x"}, headers=structured | {"ce-specversion": "1.0"})
    assert read(json.dumps(XML_EVENT), headers={"content-type": "text/plain"}).events


def test_an_event_may_name_the_action_of_an_agent() -> None:
    asked = OBJECT_EVENT | {"recipient": "sre-reliability", "action": "look", "priority": "high"}
    incoming = read(asked | {"sender": "billing"})
    (message,) = incoming.messages
    assert incoming.events == []
    assert (message.id, message.sender, message.recipient, message.action) == (
        "C234-1234-1234",
        "billing",
        "sre-reliability",
        "look",
    )
    assert message.payload == OBJECT_EVENT["data"]
    assert message.priority is Priority.HIGH
    reply = AgentReply(message_id=message.id, sender="sre-reliability", outcome=Outcome.SUCCEEDED)
    answered = answer(incoming.dialect, message, reply)
    assert answered["subject"] == message.id
    assert read(answered).events[0].data == {"outcome": "succeeded"}
    with pytest.raises(InvalidMessage, match="sender is 'Bill Ing'"):
        read(asked | {"sender": "Bill Ing"})


@pytest.mark.parametrize(
    ("change", "severity"),
    [
        ({"severity": "fatal"}, Severity.CRITICAL),
        ({"data": {"severity": "Error"}}, Severity.ERROR),
        ({"severity": "low", "data": {"severity": "error"}}, Severity.INFO),
        ({"severity": "purple"}, Severity.WARNING),
    ],
)
def test_severity_may_stand_beside_the_data_or_in_them(
    change: dict[str, Any], severity: Severity
) -> None:
    assert read(OBJECT_EVENT | change).events[0].severity is severity


def test_a_word_for_a_severity_that_nobody_knows_is_told() -> None:
    for form in (OBJECT_EVENT, {"type": "x"}):
        (event,) = read(form | {"severity": "purple"}).events
        assert event.notes == [
            "severity is 'purple', a word that is not known: it counts as warning."
        ]
    house = AlertRules(severities={"purple": Severity.CRITICAL})
    (event,) = read(OBJECT_EVENT | {"severity": "Purple"}, rules=house).events
    assert (event.severity, event.notes) == (Severity.CRITICAL, [])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"specversion": "0.3"}, "specversion is '0.3'. It must be 1.0"),
        ({"id": ""}, "id is ''"),
        ({"source": None}, "source is missing"),
        ({"type": None}, "type is missing"),
        ({"time": "2018-04-05T17:31:00"}, "time is '2018-04-05T17:31:00'.*offset"),
        ({"time": "noon"}, "time is 'noon'"),
        ({"time": "2018-W14-4T17:31:00Z"}, "time is '2018-W14"),
        ({"time": "20180405T173100Z"}, "RFC 3339"),
        ({"subject": ""}, "subject is ''"),
        ({"data_base64": "AAECAw=="}, "data and data_base64 are both there"),
        ({"data": None, "data_base64": "?"}, "data_base64 is '\\?'. It must be base64"),
        ({"data": None, "data_base64": 7}, "data_base64 is 7"),
        ({"data": None, "data_base64": "AP8="}, "Byte 1 of the document is no UTF-8"),
        ({"subject": "a\nb"}, r"subject is 'a\\nb'"),
        ({"source": "x" * 501}, "source is 'xxx.*1 to 500 characters"),
    ],
)
def test_a_broken_event_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidMessage, match=said):
        read(OBJECT_EVENT | change)


def test_each_alert_is_an_event() -> None:
    firing, resolved = read(json.dumps(ALERTS)).events
    assert firing.type == "alert.HighLatency"
    assert (firing.subject, firing.severity) == ("service:checkout", Severity.CRITICAL)
    assert firing.time == datetime(2026, 3, 1, 10, 52, 26, 739266, tzinfo=UTC)
    assert firing.data["annotations"] == {"summary": "p99 above 2 s"}
    assert firing.data["externalURL"] == "http://alertmanager:9093"
    assert (firing.status, firing.data["fingerprint"]) == ("firing", "b3c5b5b1d2f0e6a1")
    assert firing.data["labels"]["service"] == "checkout"
    assert firing.data["group_key"] == '{}:{alertname="HighLatency"}'
    assert firing.notes == []
    assert (resolved.subject, resolved.severity) == ("instance:10.0.0.7:9100", Severity.INFO)
    assert resolved.time == datetime(2026, 3, 1, 11, tzinfo=UTC)


def _alert(**change: Any) -> dict[str, Any]:
    return ALERTS | {"alerts": [ALERTS["alerts"][0] | change]}


def test_an_alert_is_known_by_its_fingerprint_and_by_nothing_else() -> None:
    known = read(ALERTS).events[0]
    assert known.tells_how_it_stands
    for same in (
        _alert(annotations={}, generatorURL="other"),
        _alert() | {"externalURL": "http://peer"},
        _alert(startsAt="2026-03-01T12:00:00Z"),
        _alert(status="resolved"),
        _alert() | {"groupKey": "other"},
    ):
        assert read(same).events[0].id == known.id
    assert read(_alert(fingerprint="another")).events[0].id != known.id
    unnamed, other = (
        read(_alert(fingerprint=None, labels={"alertname": name})).events[0] for name in "AB"
    )
    assert unnamed.tells_how_it_stands
    assert unnamed.id != other.id


@pytest.mark.parametrize(
    ("labels", "subject", "severity"),
    [
        ({"alertname": "A", "instance": "i", "service": "s"}, "service:s", Severity.ERROR),
        ({"alertname": "A", "supplier": "acme", "severity": "warn"}, "supplier:acme", "warning"),
        ({"alertname": "A", "severity": "info"}, "alert:A", Severity.INFO),
        ({}, "alert:unnamed", Severity.ERROR),
    ],
)
def test_labels_say_what_an_alert_is_about(labels: Any, subject: str, severity: str) -> None:
    (event,) = read(_alert(labels=labels)).events
    assert (event.subject, event.severity) == (subject, severity)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (ALERTS | {"alerts": [7]}, r"alerts\[0\] is 7"),
        (_alert(status="pending"), r"alerts\[0\].status is 'pending'"),
        (_alert(labels=[]), r"alerts\[0\].labels is \[\]"),
        (_alert(labels={"alertname": "a\u202eb"}), r"labels.alertname is 'a\\u202eb'"),
    ],
)
def test_a_broken_notification_is_refused(document: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidMessage, match=said):
        read(document)
    with pytest.raises(InvalidMessage, match="alerts is missing"):
        read({"version": "4"}, "alertmanager")


def test_a_plain_object_is_a_message_when_it_says_to_whom_and_what() -> None:
    incoming = read('{"to": "sre-reliability", "action": "look", "params": {"hours": 1}}')
    (message,) = incoming.messages
    assert incoming.dialect is Dialect.JSON
    assert (message.sender, message.type) == ("outside", MessageType.REQUEST)
    assert (message.payload, message.priority) == ({"hours": 1}, Priority.NORMAL)
    full = {"to": "a", "action": "b", "id": "i", "type": "alert", "priority": "critical"}
    (message,) = read(full | {"timestamp": "2026-03-01T12:00:00Z"}).messages
    assert (message.id, message.type, message.priority) == (
        "i",
        MessageType.ALERT,
        Priority.CRITICAL,
    )
    reply = AgentReply(
        message_id="i", sender="a", outcome=Outcome.SUCCEEDED, payload={"result": [1]}
    )
    assert answer(Dialect.JSON, message, reply) == {
        "id": "i",
        "outcome": "succeeded",
        "result": [1],
    }


def test_a_plain_object_with_a_type_is_an_event() -> None:
    (event,) = read(
        {"type": "delivery.late", "resource": "supplier:acme", "severity": "warn", "days": 3}
    ).events
    assert (event.source, event.subject) == ("outside", "supplier:acme")
    assert (event.severity, event.data) == (Severity.WARNING, {"days": 3})
    (event,) = read({"type": "x", "data": [1], "note": "n", "id": "7", "source": "erp"}).events
    assert (event.source, event.id, event.data) == ("erp", "7", {"value": [1], "note": "n"})


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, r"keys \[\].*neither a message nor an event.*\"to\" and \"action\""),
        ({"to": "a"}, "neither"),
        ({"to": "a", "type": "x"}, "neither"),
        ({"to": "a", "action": "b", "deadlin": 1}, "There is no field 'deadlin'"),
        ({"to": "a", "action": "b", "params": {}, "payload": {}}, "both there"),
        ({"to": "a", "action": "b", "priority": "asap"}, "priority is 'asap'"),
        ({"to": "a", "action": "b", "priority": True}, "priority is True"),
        ({"to": "A", "action": "b"}, "to is 'A'"),
        ({"type": "x", "id": 5}, "id is 5"),
    ],
)
def test_a_plain_object_that_says_too_little_is_refused(document: Any, said: str) -> None:
    with pytest.raises(InvalidMessage, match=said):
        read(document)


@pytest.mark.parametrize(
    ("document", "dialect"),
    [
        (OBJECT_EVENT, Dialect.CLOUDEVENTS),
        ([], Dialect.CLOUDEVENTS),
        (ALERTS, Dialect.ALERTMANAGER),
        ({"alerts": []}, Dialect.JSON),
        ({"alerts": [{"labels": {"alertname": "A"}}]}, Dialect.ALERTMANAGER),
        ({"alerts": [{"name": "A"}], "type": "x"}, Dialect.JSON),
        ({"from_agent": "a"}, Dialect.AGENT_MESSAGE_V0),
        ({"from": "a", "to": "b"}, Dialect.AGENT_MESSAGE),
        ({"to": "b"}, Dialect.JSON),
    ],
)
def test_the_keys_tell_the_dialect(document: Any, dialect: Dialect) -> None:
    assert detect(document) is dialect


def test_a_dialect_can_be_named_and_an_unknown_one_is_not() -> None:
    assert read({"from": "a", "to": "b", "action": "c"}, "json").dialect is Dialect.JSON
    with pytest.raises(InvalidMessage, match=r"'cloudevent'\. Did you mean cloudevents"):
        read({}, "cloudevent")
