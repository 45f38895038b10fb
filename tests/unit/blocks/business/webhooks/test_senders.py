"""What a webhook means: its type, its severity, what it is about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from blocks.business.webhooks.senders import WebhookSource
from blocks.business.webhooks.signatures import Signed, key_of, new_secret
from blocks.errors import InvalidMessage
from blocks.vocabulary.messages import Severity

SENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def source(**fields: Any) -> WebhookSource:
    return WebhookSource(**{"name": "shop", "secret": new_secret()} | fields)


def event(payload: Any, **fields: Any) -> Any:
    return source(**fields).event(payload, Signed("msg_1", SENT))


def test_a_payload_with_type_and_data_says_its_own_type() -> None:
    told = event(
        {"type": "order.late", "timestamp": "2026-03-01T11:00:00+01:00", "data": {"sku": "A"}},
        subject="sku:{data.sku}",
    )
    assert (told.source, told.id, told.type, told.subject) == (
        "shop",
        "msg_1",
        "order.late",
        "sku:A",
    )
    assert (told.severity, told.data) == (Severity.INFO, {"sku": "A"})
    assert told.time == datetime(2026, 3, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("payload", "data"),
    [
        ({"type": "x"}, {"type": "x"}),
        ({"sku": "A", "timestamp": "yesterday"}, {"sku": "A", "timestamp": "yesterday"}),
        ([1, 2], {"value": [1, 2]}),
        (None, {"value": None}),
    ],
)
def test_any_other_payload_is_data_of_the_usual_type(payload: Any, data: dict[str, Any]) -> None:
    told = event(payload, event_type="shop.told", severity="warning")
    assert (told.type, told.severity, told.data) == ("shop.told", Severity.WARNING, data)
    assert (told.subject, told.time) == ("", SENT)


def test_data_may_say_how_bad_it_is() -> None:
    assert event({"type": "x", "data": {"severity": "fatal"}}).severity is Severity.CRITICAL
    assert event({"severity": "high"}).severity is Severity.ERROR


@pytest.mark.parametrize(
    "data", [{}, {"sku": None}, {"sku": True}, {"sku": {"a": 1}}, {"sku": "a\nb"}, {"sku": " "}]
)
def test_a_subject_of_which_a_part_is_missing_is_none(data: dict[str, Any]) -> None:
    assert event({"type": "x", "data": data}, subject="sku:{data.sku}").subject == ""


def test_a_value_of_the_payload_is_no_path() -> None:
    payload = {"a": "{b}", "b": "secret"}
    assert event(payload, subject="{a}:{b}").subject == "{b}:secret"
    assert event({"a": 7}, subject="order:{a}").subject == "order:7"


@pytest.mark.parametrize("kind", [7, "", "x" * 201, "a\nb", None])
def test_a_type_that_is_none_is_refused(kind: Any) -> None:
    with pytest.raises(InvalidMessage, match=r"^type is"):
        event({"type": kind, "data": {}})


def test_keys_are_those_of_both_secrets() -> None:
    old, new = new_secret(), new_secret()
    assert source(secret=new, previous_secret=old).keys == (key_of(new), key_of(old))


@pytest.mark.parametrize(
    "fields",
    [
        {"secret": SecretStr("whsec_c2hvcnQ=")},
        {"previous_secret": SecretStr("whsec_c2hvcnQ=")},
        {"subject": "sku:{data sku}"},
        {"subject": "sku:{}"},
        {"severity": "dreadful"},
        {"event_type": ""},
    ],
)
def test_a_source_that_cannot_work_is_refused_without_its_secret(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        source(**fields)
    assert "c2hvcnQ" not in str(caught.value)
