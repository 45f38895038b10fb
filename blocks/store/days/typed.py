"""Which values a database itself reads as the contract does, so that it may add them up.

What is not cleanly typed (text with blanks around it, a number as text, a date with a zone) is
left to those who read row by row. So each value comes with a condition: where it holds, the
database's value is the contract's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import CHAR

from blocks.store.compiling import Element

LONGEST = 200
"""Characters of a text in a contract."""

LARGEST = 1e12
"""Numbers from here on are in no contract."""

_BLANKS = "".join(map(chr, [*range(9, 14), *range(28, 33), 0x85, 0xA0, 0x1680]))
_BLANKS += "".join(map(chr, [*range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]))
"""What ``str.strip`` takes away."""

_ISO_DAY = "[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]"
_ISO_MINUTE = _ISO_DAY + "[ T][0-2][0-9]:[0-5][0-9]"
_ISO_SECOND = _ISO_MINUTE + ":[0-5][0-9]"
_ISO = [
    _ISO_SECOND,  # the most usual one first
    _ISO_DAY,
    _ISO_MINUTE,
    *(_ISO_SECOND + "." + "[0-9]" * digits for digits in (3, 6)),
]
"""Dates without a zone, as SQLite's GLOB has them; other ways to write them are read row by row."""


@dataclass(frozen=True)
class Typed:
    """A value, and where it is what the contract makes of it.

    Attributes:
        value: The expression.
        clean: Its condition, which may be neither true nor false: then it is not clean.
    """

    value: Element
    clean: Element


def text(element: Element, dialect: str) -> Typed | None:
    """A text of the contract; None for a type that the databases write in their own ways."""
    kind = element.type
    if dialect == "sqlite":
        return _sqlite_text(element)
    if isinstance(kind, sa.Integer | sa.Uuid) or _is_decimal(kind):
        return Typed(_as_text(element, dialect), element.is_not(None))
    if not isinstance(kind, sa.String):  # an enumeration is one, too
        return None
    value, there = _as_text(element, dialect), element.is_not(None)
    whole = (
        sa.func.btrim(value, _BLANKS) == value
        if dialect == "postgresql"
        else sa.not_(value.regexp_match(f"^[{_BLANKS}]|[{_BLANKS}]$"))
    )
    return Typed(value, sa.and_(there, _has_length(value), whole))


def _sqlite_text(element: Element) -> Typed:
    value: Element = sa.cast(element, sa.Text)
    stored = sa.func.typeof(element)
    # Most have no blank at all, and nothing but ASCII: that is seen at once.
    plain = sa.not_(value.op("GLOB")("*[^!-~]*"))
    whole = sa.or_(plain, sa.func.trim(value, _BLANKS) == value)
    written = sa.and_(stored == "text", _has_length(value), whole)
    return Typed(value, sa.or_(stored == "integer", written))


def _has_length(value: Element) -> Element:
    return sa.func.length(value).between(1, LONGEST)


def number(element: Element, dialect: str) -> Typed | None:
    """A number of the contract; None for a type that is none."""
    inside = sa.and_(element > -LARGEST, element < LARGEST)  # nor is it NaN or infinity
    if dialect == "sqlite":
        return Typed(element, sa.and_(sa.func.typeof(element).in_(("integer", "real")), inside))
    return Typed(element, inside) if isinstance(element.type, sa.Integer | sa.Numeric) else None


def day(
    element: Element, dialect: str, utc: bool, zone: ZoneInfo, first: date, end: date
) -> Typed | None:
    """The store's day of a date or time.

    Args:
        element: The date, in store time, or with a zone of its own.
        dialect: Of the database.
        utc: It is in UTC where it has no zone of its own.
        zone: The store's.
        first: Days from here on are asked for.
        end: Days before this one.

    Returns:
        ISO text or a date; None for a type that is no date.
    """
    if dialect == "sqlite":
        return Typed(_local_day(element, dialect, utc, zone, first, end), _is_iso(element))
    if not isinstance(element.type, sa.Date | sa.DateTime):
        return None
    zoned = bool(getattr(element.type, "timezone", False))
    if zoned:
        element = sa.func.timezone("UTC", element)
    utc = (utc or zoned) and not isinstance(element.type, sa.Date)
    there: Element = element.is_not(None)
    if dialect != "postgresql":  # MySQL may hold the 31st of February, and the 0th of no month
        last = sa.func.dayofmonth(sa.func.last_day(element))
        in_month = sa.func.dayofmonth(element).between(1, last)
        there = sa.and_(there, in_month, sa.func.month(element) > 0, sa.func.year(element) > 0)
    return Typed(_local_day(element, dialect, utc, zone, first, end), there)


def between(element: Element, dialect: str, first: date, end: date) -> Element:
    """Dates from ``first`` on and before ``end``, as they are written: an index can be used."""
    if dialect == "sqlite":
        stored = sa.type_coerce(element, sa.types.NullType())
        return sa.and_(stored >= first.isoformat(), stored < end.isoformat())
    low, high = (datetime.combine(each, time()) for each in (first, end))
    if getattr(element.type, "timezone", False):
        low, high = low.replace(tzinfo=UTC), high.replace(tzinfo=UTC)
    return sa.and_(element >= low, element < high)


def nowhere(element: Element, dialect: str, end: date) -> Element:
    """Dates that lie on no day before ``end``: none at all, unreadable ones, and those to come."""
    if dialect == "sqlite":
        stored = sa.type_coerce(element, sa.types.NullType())
        iso = stored.op("GLOB")("[0-9][0-9][0-9][0-9]-*")
        return sa.or_(stored >= end.isoformat(), sa.not_(iso), stored.is_(None))
    low = datetime.combine(end, time())
    if getattr(element.type, "timezone", False):
        low = low.replace(tzinfo=UTC)
    found: Element = sa.or_(element >= low, element.is_(None))
    return found if dialect == "postgresql" else sa.or_(found, sa.func.year(element) == 0)


def _is_decimal(kind: sa.types.TypeEngine[Any]) -> bool:
    return isinstance(kind, sa.Numeric) and not isinstance(kind, sa.Float)


def _as_text(element: Element, dialect: str) -> Element:
    if dialect == "postgresql":
        return sa.cast(element, sa.Text)
    # Else texts that differ in case alone, or in an accent, would be one group.
    return sa.cast(element, CHAR(charset="utf8mb4")).collate("utf8mb4_bin")


def _is_iso(element: Element) -> Element:
    """Whether SQLite holds an ISO date without a zone, of a day that there is."""
    stored = sa.type_coerce(element, sa.types.NullType())
    shaped = sa.or_(*(stored.op("GLOB")(shape) for shape in _ISO))
    in_month = sa.or_(  # to look up a calendar takes longer than to look at two digits
        sa.func.substr(element, 9, 2).between("01", "28"),
        sa.func.date(element) == sa.func.substr(element, 1, 10),
    )
    month = sa.func.substr(element, 6, 2).between("01", "12")
    hour = sa.or_(sa.func.length(element) == 10, sa.func.substr(element, 12, 2) < "24")
    return sa.and_(sa.func.typeof(element) == "text", shaped, month, in_month, hour)


def _local_day(
    element: Element, dialect: str, utc: bool, zone: ZoneInfo, first: date, end: date
) -> Element:
    """The day of a time; of one in UTC, that of the store's clock, as Python knows its zone."""
    steps = _offsets(zone, first, end) if utc else [(datetime.min, 0)]  # noqa: DTZ901
    moved = [seconds for _, seconds in steps if seconds]
    if dialect == "sqlite":
        if not moved:
            return sa.func.substr(element, 1, 10)
        plain: Element = sa.func.datetime(element)
        at = [(sa.literal(until.isoformat(" ")), f"{by:+} seconds") for until, by in steps]
        return sa.func.date(element, _stepped(plain, at))
    if moved:
        plain = element
        if dialect == "postgresql":
            steps_sql = [
                (sa.literal(until), sa.cast(sa.literal(f"{by} seconds"), sa.Interval))
                for until, by in steps
            ]
            element = element + _stepped(plain, steps_sql)
        else:
            whole = [(sa.literal(until), sa.literal(by)) for until, by in steps]
            second: Element = sa.literal_column("SECOND")
            element = sa.func.timestampadd(second, _stepped(plain, whole), element)
    return sa.cast(element, sa.Date)


def _stepped(plain: Element, steps: Sequence[tuple[Element, Any]]) -> Any:
    """The value of the first step that ends after a time, and else the last."""
    *earlier, (_, last) = steps
    if not earlier:
        return last
    return sa.case(*((plain < until, by) for until, by in earlier), else_=last)


def _offsets(zone: ZoneInfo, first: date, end: date) -> list[tuple[datetime, int]]:
    """Seconds that a zone's clock is ahead of UTC, each with the instant (UTC) when it ends.

    Clocks change at a full minute.
    """
    begin = datetime.combine(first, time(), UTC) - timedelta(days=2)
    last = datetime.combine(end, time(), UTC) + timedelta(days=2)
    steps: list[tuple[datetime, int]] = []
    while begin < last:
        ahead = begin.astimezone(zone).utcoffset()
        next_day = begin + timedelta(days=1)
        if next_day.astimezone(zone).utcoffset() != ahead:
            low, high = 0, 24 * 60
            while low < high:
                middle = (low + high) // 2
                changed = (begin + timedelta(minutes=middle)).astimezone(zone).utcoffset() != ahead
                low, high = (low, middle) if changed else (middle + 1, high)
            until = begin + timedelta(minutes=low)
            steps.append((until.replace(tzinfo=None), _seconds(ahead)))
        begin = next_day
    steps.append((datetime.max, _seconds(last.astimezone(zone).utcoffset())))  # noqa: DTZ901
    return steps


def _seconds(ahead: timedelta | None) -> int:
    return int((ahead or timedelta()).total_seconds())
