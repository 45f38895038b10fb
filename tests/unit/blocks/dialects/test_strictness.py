"""Whatever comes: a valid result, or a refusal that says what is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.dialects import Dialect, Incoming, read, standalone
from blocks.dialects.strict_json import MAX_BYTES, MAX_DEPTH, parse, shown
from blocks.errors import InvalidMessage

BAD: dict[str, tuple[Any, str]] = {
    "nothing": (b"", "no JSON"),
    "no object": (b"17", "The document is 17"),
    "no JSON": (b'{"a": 1,}', "line 1, column 9"),
    "invalid UTF-8": (b'{"a": "\xff"}', "Byte 7 of the document is no UTF-8"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "no UTF-8"),
    "too large": (b'"' + b"x" * MAX_BYTES + b'"', "262,146 bytes"),
    "too large as text": ("é" * (MAX_BYTES // 2 + 1), "262,146 bytes"),
    "endlessly deep lists": (b"[" * 100_000, "levels deep"),
    "endlessly deep": (b'{"a":' * 40_000 + b"1" + b"}" * 40_000, "levels deep"),
    "too deep": (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "64 levels deep"),
    "a key twice": (b'{"to": "a", "b": {"to": 1, "to": 2}}', "The key 'to' is there twice"),
    "NaN": (b'{"a": NaN}', "NaN is no number"),
    "Infinity": (b'{"a": -Infinity}', "-Infinity is no number"),
    "1e309": (b'{"a": 1e309}', "The number '1e309' is out of range"),
    "a huge integer": (b'{"a": ' + b"9" * 5000 + b"}", "out of range"),
    "half a pair": (b'{"a": "\\ud800"}', r"'\\ud800' holds half of a surrogate pair"),
    "half a pair as key": (b'{"\\ud800": 1}', "surrogate"),
    "half a pair as text": ('{"a": "\ud800"}', "surrogate"),
    "NUL": (b'{"a": ["x\\u0000y"]}', r"'x\\x00y' holds a NUL"),
    "a control character": (b'{"a": "\n"}', r"no JSON: Invalid control character"),
    "NaN in a dict": ({"a": float("nan")}, "NaN is no number"),
    "a set": ({"a": {1}}, "cannot be written as JSON"),
    "keys that become one": ({"1": 1, 1: 2}, "The key '1' is there twice"),
}


@pytest.mark.parametrize(("raw", "said"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_with_its_reason_and_a_way_out(raw: Any, said: str) -> None:
    for dialect in (None, *Dialect):
        with pytest.raises(InvalidMessage, match=said) as refused:
            read(raw, dialect)
        assert refused.value.hint
        assert refused.value.what.isprintable()
        assert len(str(refused.value)) < 400
    kept = standalone(raw)
    assert "\x00" not in kept
    kept.encode()


def test_a_document_that_holds_itself_is_refused() -> None:
    document: dict[str, Any] = {}
    document["a"] = [document]
    with pytest.raises(InvalidMessage, match="Circular"):
        read(document)
    assert standalone(document)


def test_the_limits_themselves_are_allowed() -> None:
    assert parse(b"[" * MAX_DEPTH + b"1" + b"]" * MAX_DEPTH)
    assert parse(json.dumps(["x" * (MAX_BYTES - 4)]))
    assert parse(b'\xef\xbb\xbf{"a": 1e308}') == parse('\ufeff{"a": 1e308}') == {"a": 1e308}
    assert parse(f"[{10**307}]") == [10**307]


def test_a_value_is_shown_short_and_harmless() -> None:
    assert shown("a\x1b[31m\n") == r"'a\x1b[31m\n'"
    assert shown("x" * 100) == "'" + "x" * 58 + "…"


near = st.sampled_from(
    [
        *("id", "timestamp", "from", "to", "type", "action", "payload", "priority", "params"),
        *("message_id", "from_agent", "to_agent", "message_type", "content", "specversion"),
        *("source", "time", "subject", "data", "data_base64", "datacontenttype", "severity"),
        *("alerts", "version", "groupKey", "labels", "startsAt", "endsAt", "status", "recipient"),
    ]
)
said = st.sampled_from(["1.0", "4", "a-b", "request", "high", "2026-03-01T12:00:00Z", "AAA="])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | said,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(near, inner, max_size=6),
    max_leaves=12,
)
documents = st.binary(max_size=60) | st.text(max_size=60) | st.dictionaries(near, anything)
headers = st.none() | st.dictionaries(
    st.sampled_from(["Content-Type", "ce-specversion", "ce-id", "CE-Type", "ce-source", "ce-time"]),
    st.text(max_size=10) | said | st.just("application/cloudevents+json"),
)


@given(
    documents | anything.map(json.dumps) | st.lists(anything),
    st.none() | st.sampled_from(Dialect),
    headers,
)
def test_anything_is_valid_or_refused(raw: Any, dialect: Any, headers: Any) -> None:
    kept = standalone(raw, headers)
    assert "\x00" not in kept
    kept.encode()
    try:
        incoming = read(raw, dialect, headers)
    except InvalidMessage as error:
        refusal = error
    else:
        assert isinstance(incoming, Incoming)
        return
    assert refusal.what.isprintable()
    assert refusal.hint
