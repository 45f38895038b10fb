"""Passwords in URLs are masked, whatever they stand in, and what is no password stays."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.text.masking import without_passwords
from blocks.vocabulary.messages import SystemEvent

SECRET = "S3cr3t-canary"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"postgresql://shop:{SECRET}@db/shop", "postgresql://shop:***@db/shop"),
        (f"(https://u:{SECRET}@host:8443/x?y=1, a)", "(https://u:***@host:8443/x?y=1, a)"),
        (f"redis://:{SECRET}@cache:6379/0", "redis://:***@cache:6379/0"),
        (f"mysql+pymysql://u:{SECRET}@h/a and ftp://v:{SECRET}@i", "mysql+pymysql://u:***@h/a and ftp://v:***@i"),
        (f"postgresql://u:{SECRET}@x@host/db?mail=a@b.c", "postgresql://u:***@host/db?mail=a@b.c"),
        (f"postgresql://u:a/{SECRET}@host/db", "postgresql://u:***@host/db"),
        (f"https://{SECRET}@git.example/x", "https://***@git.example/x"),
        (f"HTTPS://{SECRET}@git.example/x", "HTTPS://***@git.example/x"),
        (f'{{"u": "https:\\/\\/u:{SECRET}@h\\/"}}', '{"u": "https:\\/\\/u:***@h\\/"}'),
        (f"https://h/x?token={SECRET}&y=1", "https://h/x?token=***&y=1"),
        (f"https://h/x?a=1&X-Amz-Signature={SECRET}", "https://h/x?a=1&X-Amz-Signature=***"),
        (f"https://h/x?a=1\\u0026api_key={SECRET}", "https://h/x?a=1\\u0026api_key=***"),
        (f"https://h/x?a=1&amp;client_secret={SECRET}#f", "https://h/x?a=1&amp;client_secret=***#f"),
        (f"https://h/x#access_token={SECRET}", "https://h/x#access_token=***"),
        (f"/x?key={SECRET}", "/x?key=***"),
        (f"host=db user=u password={SECRET} dbname=d", "host=db user=u password=*** dbname=d"),
        (f"jdbc:mysql://h:3306/d?user=u&password={SECRET}", "jdbc:mysql://h:3306/d?user=u&password=***"),
    ],
)  # fmt: skip
def test_a_password_is_masked(text: str, masked: str) -> None:
    assert without_passwords(text) == masked
    assert without_passwords(masked) == masked
    assert SECRET not in json.dumps(without_passwords({text: [{"a": [text, 1]}]}))


@pytest.mark.parametrize(
    "text",
    [
        "http://host:8080/mail?to=a@b.c",
        "http://[::1]:8080/a@b",
        "(http://host:80),(a@b.c)",
        "ssh://git@example.com/x.git",
        "https://host/@user:name@x",
        "kafka://a:9092,b:9092/topic@x",
        "mail a:b@c.d // a comment",
        "pass=3 fail=2 key=4",
        "max_tokens=100",
        "https://host/x?page=2&monkey=1",
        "https://user.example",
        "",
    ],
)
def test_what_is_no_password_stays(text: str) -> None:
    assert without_passwords(text) == text


def test_what_is_no_text_stays() -> None:
    value = {"a": [1, None, 2.5, True], 3: b"https://u:p@h"}
    assert without_passwords(value) == value


@given(st.text(alphabet='a:/@?&=#\\[] "%0', max_size=80))
def test_masking_twice_is_masking_once(text: str) -> None:
    once = without_passwords(text)
    assert without_passwords(once) == once


@pytest.mark.parametrize("piece", ["a", "a://", "a://a:", "@", "a://a:@", "&token", "token", "://"])
def test_no_text_takes_long(piece: str) -> None:
    # Seconds or hours where the time grows with the square of the length: the run's limit ends it.
    without_passwords(piece * (4_000_000 // len(piece)))


def test_an_event_has_one_identity_and_holds_no_password() -> None:
    def event(password: str) -> SystemEvent:
        url = f"https://u:{password}@shop"
        return SystemEvent(
            id=f"{url}/1", source=url, type="t", subject=f"service:{url}", data={"a": [url]}
        )

    one, same = event(SECRET), event("another")
    assert SECRET not in one.model_dump_json()
    assert (
        (one.id, one.source)
        == (same.id, same.source)
        == ("https://u:***@shop/1", "https://u:***@shop")
    )
    assert one.content_hash == same.content_hash
    assert one.fingerprint == same.fingerprint
