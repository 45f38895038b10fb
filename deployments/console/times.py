"""Times as people write and read them on the command line: ``7d``, an ISO 8601 date, ``4 h``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from blocks.errors import RequestError
from blocks.text.spans import span

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def parse_since(text: str, now: datetime) -> datetime:
    """The instant that ``7d``, ``12h``, ``30m`` or an ISO 8601 text names; without a zone, UTC.

    Raises:
        RequestError: It is neither, or nobody has reckoned so far back.
    """
    return _parse(text, now, -1)


def parse_until(text: str, now: datetime) -> datetime:
    """As ``parse_since``, with spans that lead ahead."""
    return _parse(text, now, 1)


def _parse(text: str, now: datetime, direction: int) -> datetime:
    try:
        if found := re.fullmatch(r"([0-9]+)([mhd])", text.strip()):
            return now + direction * int(found[1]) * _UNITS[found[2]]
        at = datetime.fromisoformat(text.strip())
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        example = (now + direction * timedelta(days=30)).date()
        raise RequestError(
            f"{text!r} is no time.", hint=f"Write for instance 7d, 12h, or {example}."
        ) from None


def ago(instant: datetime) -> str:
    """How long that is past."""
    return f"{span(datetime.now(UTC) - instant)} ago"
