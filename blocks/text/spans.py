"""How long something is, as people say it."""

from __future__ import annotations

from datetime import timedelta

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def span(length: timedelta, units: int = 1) -> str:
    """``3 d``, ``42 min``; with two units ``1 h 12 min``. What is below zero is ``0 s``.

    Args:
        length: How long it is.
        units: In how many units at most. In one it is rounded: four hours less a moment are 4 h.
    """
    seconds = max(0, int(length.total_seconds()))
    largest = next((i for i, (size, _) in enumerate(_UNITS) if seconds + 30 >= size), 3)
    if _UNITS[largest][0] == 1 or seconds < 30:
        return f"{seconds} s"
    smallest = min(largest + units - 1, len(_UNITS) - 1)
    # A half of the smallest unit, but no more than half a minute: 90 min are 1 h, not 2.
    seconds += min(30, _UNITS[smallest][0] // 2)
    parts = []
    for size, unit in _UNITS[largest : smallest + 1]:
        number, seconds = divmod(seconds, size)
        parts += [f"{number} {unit}"] if number else []
    return " ".join(parts)
