"""What a person is told of an event: its sender's words, and nothing that could do harm."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.vocabulary.messages import SystemEvent
from blocks.vocabulary.told import Told, group_of, told_by


def event(**data: Any) -> SystemEvent:
    return SystemEvent(source="s", type="t", data=data)


def test_annotations_and_labels_are_told_and_plain_data_too() -> None:
    annotations = {"summary": "It is down.", "runbook_url": "https://rb.example/x?y=1"}
    told = told_by(event(annotations=annotations, labels={"pod": "a", "n": 3}))
    assert told == Told(
        summary="It is down.", runbook="https://rb.example/x?y=1", labels={"pod": "a"}
    )
    assert told_by(event(description="Late.", runbook="http://rb/")) == Told(
        summary="Late.", runbook="http://rb/"
    )
    assert told_by(event(summary=7, annotations="x", labels=[1])) == Told()


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//rb.example/x",
        "rb.example/x",
        "https://",
        "https://[",
        "https://a/ b",
        'https://a/"onclick=x',
        "https://a/>x",
        "https://a/\u202ex",
        f"https://a/{'x' * 600}",
    ],
)
def test_only_the_plain_address_of_a_page_is_a_runbook(address: str) -> None:
    assert told_by(event(runbook_url=address)).runbook == ""


@given(st.dictionaries(st.text(), st.text() | st.dictionaries(st.text(), st.text())))
def test_whatever_was_sent_it_is_short_and_printable(data: dict[str, Any]) -> None:
    told = told_by(
        event(**data | {"summary": "a\x1b[31m\n" * 200, "labels": dict.fromkeys("abc", "\x00")})
    )
    for text in (told.summary, told.runbook, *told.labels, *told.labels.values()):
        assert text.isprintable()
        assert len(text) <= 500


def test_the_senders_group_is_asked_about_together_else_the_type() -> None:
    assert group_of(event(group_key="{}:{a}")) == "s {}:{a}"
    assert group_of(event()) == group_of(event(group_key=7)) == "s t"
