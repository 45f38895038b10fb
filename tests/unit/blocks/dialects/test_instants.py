"""Instants in RFC 3339: its own examples, and what is ISO 8601 but not RFC 3339."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.dialects.instants import rfc3339


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1985-04-12T23:20:50.52Z", datetime(1985, 4, 12, 23, 20, 50, 520_000, UTC)),
        ("1996-12-19T16:39:57-08:00", datetime(1996, 12, 20, 0, 39, 57, 0, UTC)),
        ("1937-01-01T12:00:27.87+00:20", datetime(1937, 1, 1, 11, 40, 27, 870_000, UTC)),
        ("2026-11-29t04:00:00z", datetime(2026, 11, 29, 4, tzinfo=UTC)),
        ("2026-11-29 04:00:00Z", datetime(2026, 11, 29, 4, tzinfo=UTC)),
        ("2026-11-29T04:00:00-00:00", datetime(2026, 11, 29, 4, tzinfo=UTC)),
        ("2026-11-29T04:00:00.123456789+01:00", datetime(2026, 11, 29, 3, 0, 0, 123_456, UTC)),
    ],
)
def test_what_the_standard_allows_is_read(text: str, instant: datetime) -> None:
    assert rfc3339(text) == instant


@pytest.mark.parametrize(
    "text", ["1990-12-31T23:59:60Z", "1990-12-31T15:59:60-08:00", "1990-12-31T23:59:60.0Z"]
)
def test_a_leap_second_is_the_instant_after_it(text: str) -> None:
    assert rfc3339(text) == datetime(1991, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-29T04:00:00",
        "2026-11-29",
        "2026-W48-7T04:00:00Z",
        "20261129T040000Z",
        "2026-333T04:00:00Z",
        "2026-11-29T04:00Z",
        "2026-11-29T04:00:00+0100",
        "2026-11-29T04:00:00+01",
        "2026-11-29T04:00:00+24:00",
        "2026-11-29T04:00:00,5Z",
        "2026-11-29T04:00:00.Z",
        "2026-11-29T24:00:00Z",
        "2026-11-29T04:60:00Z",
        "2026-11-29T04:00:61Z",
        "2026-11-29T12:00:60Z",
        "2026-11-15T23:59:60Z",
        "9999-12-31T23:59:60Z",
        "2026-02-29T04:00:00Z",
        "0000-01-01T00:00:00Z",
        "٢٠٢٦-11-29T04:00:00Z",
        "2026-11-29T04:00:00Z\n",
        "",
    ],
)
def test_what_it_does_not_allow_is_none(text: str) -> None:
    assert rfc3339(text) is None


@given(
    st.datetimes(timezones=st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m))))
)
def test_every_instant_that_python_writes_comes_back(instant: datetime) -> None:
    assert rfc3339(instant.isoformat()) == instant
