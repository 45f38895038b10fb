"""Rate limits read from headers as partners write them, and from what is no such header."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.partners.rate_limits import LONGEST, RateLimit

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())


def free_after(status: int, skew_s: float = 0.0, **headers: str) -> float | None:
    """Seconds until a partner that answered so may be called again; None when at once."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    free_at = RateLimit().learn(status, named, NOW, skew_s).free_at(NOW)
    return None if free_at is None else (free_at - NOW).total_seconds()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"ratelimit": '"default";r=0;t=30'}, 30),
        ({"ratelimit": '"default";r=5;t=30'}, None),
        ({"ratelimit": '"a";r=5;t=30, "b";r=0;t=3600'}, 3600),
        ({"ratelimit": '"a";r=0;t=30, "b";r=0;t=3600'}, 3600),
        ({"ratelimit": '"a";r=0', "ratelimit_policy": '"a";q=100;w=60,"b";q=9;w=7'}, 60),
        ({"ratelimit": "limit=100, remaining=0, reset=50"}, 50),
        ({"ratelimit_limit": "10", "ratelimit_remaining": "0", "ratelimit_reset": "7"}, 7),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "12"}, 12),
        ({"x_ratelimit_remaining": "3", "x_ratelimit_reset": "12"}, None),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(EPOCH + 90)}, 90),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": f"{EPOCH + 90}500"}, 90.5),
        (
            {"x_rate_limit_remaining": "0", "x_rate_limit_reset": "Mon, 02 Mar 2026 09:01:00 GMT"},
            60,
        ),
        ({"x_ratelimit_remaining": "0"}, None),  # until when is not told
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "soon"}, None),
        ({"ratelimit": "0;30"}, None),
        ({"ratelimit": '"a";r=-1;t=5'}, None),
        ({"retry_after": "9"}, None),  # of an answer that was given
    ],
)
def test_what_an_answer_tells(headers: dict[str, str], seconds: float | None) -> None:
    assert free_after(200, **headers) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("0", None),
        ("1.5", 1.5),
        ("Mon, 02 Mar 2026 09:02:00 GMT", 120),
        ("Mon, 02 Mar 2026 08:00:00 GMT", None),
        ("99999999", LONGEST.total_seconds()),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST.total_seconds()),
        ("Fri, 31 Dec 99999999999 23:59:59 GMT", None),
        ("-5", None),
        ("nan", None),
        ("1e9", None),
        ("later", None),
        ("٣", 3),
        ("9" * 400, None),
    ],
)
def test_when_a_refusal_wants_to_be_called_again(value: str, seconds: float | None) -> None:
    assert free_after(429, retry_after=value) == free_after(503, retry_after=value) == seconds


def test_instants_are_by_the_partners_clock() -> None:
    assert free_after(503, 40.0, retry_after="Mon, 02 Mar 2026 09:02:00 GMT") == 80
    told = {"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(EPOCH + 90)}
    assert free_after(200, 40.0, **told) == 50


def test_what_remains_is_used_up_by_calls_until_more_is_there() -> None:
    limit = RateLimit().learn(200, {"ratelimit": '"a";r=2;t=30'}, NOW, 0.0)
    for _ in range(2):
        assert limit.free_at(NOW) is None
        limit = limit.take(NOW)
    assert limit.free_at(NOW) == NOW + timedelta(seconds=30)
    later = NOW + timedelta(seconds=30)
    assert (limit.free_at(later), limit.take(later).remaining) == (None, None)


def test_an_answer_without_a_word_changes_nothing() -> None:
    limit = RateLimit().learn(429, {"retry-after": "5"}, NOW, 0.0)
    assert limit.learn(200, {}, NOW, 0.0) == limit


def test_a_clock_that_was_set_back_makes_nobody_wait_for_days() -> None:
    limit = RateLimit().learn(429, {"retry-after": "5"}, NOW, 0.0)
    assert limit.free_at(NOW - timedelta(days=30)) is None


NAMES = ["ratelimit", "ratelimit-policy", "ratelimit-remaining", "ratelimit-reset"]
NAMES += ["x-ratelimit-remaining", "x-rate-limit-reset", "retry-after"]
VALUES = st.text(max_size=60) | st.text('0123456789rtqw=;," .-', max_size=60)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES), st.floats(-1e9, 1e9))
def test_whatever_stands_there_nobody_waits_longer_than_a_day(
    headers: dict[str, str], skew_s: float
) -> None:
    free_at = RateLimit().learn(503, headers, NOW, skew_s).free_at(NOW)
    assert free_at is None or NOW < free_at <= NOW + LONGEST
