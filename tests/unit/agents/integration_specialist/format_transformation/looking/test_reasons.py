"""What a driver says, in a few words."""

from __future__ import annotations

import pytest

from agents.integration_specialist.format_transformation.looking.reasons import is_late, reason_of


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Could not decode to UTF-8 column 'note' with text 'Gr\ufffd'", "text that is no UTF-8"),
        ("permission denied for schema hr", "this user has no right to read it"),
        (
            "timestamp too large (after year 10K): 'infinity'",
            "a date outside the years 1 to 9999: infinity",
        ),
        (
            "date too small (before year 1): '0044-03-15 BC'",
            "a date outside the years 1 to 9999: 0044-03-15 BC",
        ),
        ("no such table: main.old_prices", "a view over something that is gone"),
        (
            "(1449, \"The user specified as a definer ('gone'@'localhost') does not exist\")",
            "a view whose definer is gone",
        ),
        ("canceling statement due to statement timeout", "it took longer than 3 s"),
        ("division by\n zero.", "division by zero"),
    ],
)
def test_reasons(said: str, reason: str) -> None:
    assert reason_of(RuntimeError(said), 3.0) == reason


def test_being_late_is_told_from_being_wrong() -> None:
    assert is_late(RuntimeError("interrupted"))
    assert not is_late(RuntimeError("no such table: a"))
