"""Times as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from blocks.errors import RequestError
from deployments.console.times import parse_since, parse_until

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("7d", NOON - timedelta(days=7)),
        (" 12h ", NOON - timedelta(hours=12)),
        ("30m", NOON - timedelta(minutes=30)),
        ("2026-02-01", datetime(2026, 2, 1, tzinfo=UTC)),
        ("2026-02-01T12:00:00+02:00", datetime(2026, 2, 1, 10, tzinfo=UTC)),
    ],
)
def test_a_time_is_a_span_or_an_instant(text: str, instant: datetime) -> None:
    assert parse_since(text, NOON) == instant


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "7", "-7d", "7.5d", "9999999999999d", "7d7d", "0001-01-01T00:00+05:00"],
)
def test_what_is_no_time_is_said(text: str) -> None:
    for parse in (parse_since, parse_until):
        with pytest.raises(RequestError, match="is no time"):
            parse(text, NOON)


def test_a_span_leads_back_or_ahead() -> None:
    assert parse_until("30d", NOON) == NOON + timedelta(days=30)
    assert parse_until("2026-04-01", NOON) == datetime(2026, 4, 1, tzinfo=UTC)
