"""How long something is, in words."""

from __future__ import annotations

from datetime import timedelta

import pytest

from blocks.text.spans import span


@pytest.mark.parametrize(
    ("seconds", "one", "two"),
    [
        (-5, "0 s", "0 s"),
        (0.4, "0 s", "0 s"),
        (29, "29 s", "29 s"),
        (59, "1 min", "59 s"),
        (60, "1 min", "1 min"),
        (150, "3 min", "2 min 30 s"),
        (4 * 3600 - 1, "4 h", "4 h"),
        (4320, "1 h", "1 h 12 min"),
        (86400 * 3 + 7200, "3 d", "3 d 2 h"),
    ],
)
def test_a_span_is_told_in_one_unit_or_two(seconds: float, one: str, two: str) -> None:
    assert span(timedelta(seconds=seconds)) == one
    assert span(timedelta(seconds=seconds), 2) == two
