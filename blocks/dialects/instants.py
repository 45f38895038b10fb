"""Instants as foreign programs write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_RFC3339 = re.compile(
    "(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](?P<minute>(?:[01][0-9]|2[0-3]):[0-5][0-9]):"
    r"(?P<second>[0-5][0-9]|60)(?P<fraction>\.[0-9]+)?"
    "(?P<offset>[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)


def rfc3339(text: str) -> datetime | None:
    """The instant that a text names, None when it is none in RFC 3339, section 5.6.

    That is less than ISO 8601 knows (no weeks, no basic format, no missing offset), and more than
    ``datetime`` reads: small letters, and leap seconds, where they may be.
    """
    parts = _RFC3339.fullmatch(text)
    if parts is None:
        return None
    leap = parts["second"] == "60"
    fraction = (parts["fraction"] or "")[:7]
    try:
        found = datetime.fromisoformat(
            f"{parts['date']}T{parts['minute']}:{'59' if leap else parts['second']}{fraction}"
            f"{parts['offset'].upper()}"
        )
        if not leap:
            return found
        after = found + timedelta(seconds=1)
        utc = after.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    ends_a_month = (utc.day, utc.hour, utc.minute, utc.second) == (1, 0, 0, 0)
    return after if ends_a_month else None
