"""Each form of health document that real services answer, in its own words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks.formats.health_documents import Level, OwnWord, read_health


def said(document: Any) -> OwnWord:
    return read_health(json.dumps(document).encode())


@pytest.mark.parametrize(
    "document",
    [
        {"status": "UP"},
        {"status": "ok"},
        {"status": "pass"},
        {"status": "green"},
        {"Status": "Healthy"},
        {"status": 1},
        {"status": 200},
        {"status": True},
        {"health": "true"},
        {"healthy": True},
        {"status": "a word of its own"},
        {"status": {"code": "down"}},
        {"status": None},
        {"state": "running", "up": 512},
        {"message": "error"},
        {"status": "UP", "components": {"db": {"status": "UP", "details": {"free": 0}}}},
        [],
        {},
        None,
        "OK",
        "pong",
    ],
)
def test_what_says_nothing_against_the_service_is_well(document: Any) -> None:
    assert said(document) == OwnWord()


@pytest.mark.parametrize(
    "word", ["fail", "failed", "failing", "error", "down", "unhealthy", "critical", "red"]
)
def test_words_for_ill_are_known_in_any_case_and_as_the_whole_answer(word: str) -> None:
    for each in (word, word.upper(), f" {word.capitalize()} "):
        assert said({"status": each}) == OwnWord(Level.ILL, f"it reports status {each!r}")
    assert read_health(f"{word}\n".encode()) == OwnWord(Level.ILL, f"it reports {word!r}")


@pytest.mark.parametrize("word", ["yellow", "degraded", "warn", "Warning", "DEGRADED"])
def test_words_for_not_quite_well_are_a_warning(word: str) -> None:
    assert said({"status": word}) == OwnWord(Level.WARNED, f"it reports status {word!r}")


@pytest.mark.parametrize(
    ("document", "level", "words"),
    [
        ({"status": "Out of Service"}, Level.ILL, "it reports status 'Out of Service'"),
        ({"healthy": False}, Level.ILL, "it reports healthy false"),
        ({"ok": False}, Level.ILL, "it reports ok false"),
        ({"health": "false", "reason": ""}, Level.ILL, "it reports health 'false'"),
        ({"status": 503}, Level.ILL, "it reports status 503"),
        ({"status": "pass", "ok": False}, Level.ILL, "it reports ok false"),
        ({"status": 0}, Level.WARNED, "it reports status 0"),  # down to some, no error to others
    ],
)
def test_numbers_and_booleans_have_a_meaning_too(document: Any, level: Level, words: str) -> None:
    assert said(document) == OwnWord(level, words)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (  # Spring Boot
            {"status": "UP", "components": {"db": {"status": "DOWN"}, "disk": {"status": "UP"}}},
            "its part 'db' reports status 'DOWN'",
        ),
        (  # the IETF's draft
            {"status": "pass", "checks": {"db:time": [{"status": "pass"}, {"status": "warn"}]}},
            "its part 'db:time' reports status 'warn'",
        ),
        (  # MicroProfile
            {"status": "UP", "checks": [{"name": "queue", "status": "DOWN"}]},
            "its part 'queue' reports status 'DOWN'",
        ),
        ({"checks": {"db": "down"}}, "its part 'db' reports 'down'"),
        (
            {"components": {"all": {"components": {"db": {"healthy": False}}}}},
            "its part 'db' reports healthy false",
        ),
        ([{"Name": "x", "Status": "critical"}], "its part 'x' reports status 'critical'"),
        (["up", {"status": "down"}], "its part '2' reports status 'down'"),
    ],
)
def test_an_ill_part_of_a_service_that_does_not_call_itself_ill_is_a_warning(
    document: Any, words: str
) -> None:
    assert said(document) == OwnWord(Level.WARNED, words)


def test_the_parts_behind_an_illness_are_told_but_not_all_of_many() -> None:
    parts = {f"p{i}": {"status": "DOWN"} for i in range(9)}
    seen = said({"status": "DOWN", "components": parts})
    assert seen.level is Level.ILL
    assert seen.said.startswith("it reports status 'DOWN' (its part 'p0' reports status 'DOWN',")
    assert "'p2'" in seen.said
    assert "'p3'" not in seen.said


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>down</html>", b"\xff\xfe", b'{"status": "down"', b"[" * 60_000, b"9" * 9000],
)
def test_what_is_no_document_says_nothing(body: bytes) -> None:
    assert read_health(body) == OwnWord()


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["status", "checks", "components", "healthy", "x", "name"]), inner
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_any_document_can_be_read(document: Any) -> None:
    seen = said(document)
    assert bool(seen.said) == bool(seen.level)
