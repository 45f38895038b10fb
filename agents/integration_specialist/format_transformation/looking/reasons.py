"""Why something in a database cannot be read, in a few words and without the statement."""

from __future__ import annotations

import re

NO_UTF8 = "text that is no UTF-8"

_SIGNS = (
    ("utf-8", NO_UTF8),
    ("utf8", NO_UTF8),
    ("invalid byte sequence", NO_UTF8),
    ("denied", "this user has no right to read it"),
    ("no such table", "a view over something that is gone"),
    ("no such column", "a view over something that is gone"),
    ("no such function", "a view that needs a function of another program"),
    ("references invalid", "a view over something that is gone"),
    ("definer", "a view whose definer is gone"),
    ("has not been populated", "a materialized view that was never filled"),
)
_LATE = ("timeout", "timed out", "interrupted", "max_statement_time", "maximum statement")
_DATE = re.compile(r"(?:timestamp|date|time) too (?:large|small).*?(?:'([^']{1,40})'|$)", re.DOTALL)


def reason_of(error: Exception, seconds: float) -> str:
    """An error of a database in a few words.

    Args:
        error: As SQLAlchemy or the driver raised it.
        seconds: What the statement was allowed to take.
    """
    said = _said(error)
    lower = said.lower()
    if is_late(error):
        return f"it took longer than {seconds:g} s"
    if date := _DATE.search(said):
        return f"a date outside the years 1 to 9999{': ' + date[1] if date[1] else ''}"
    known = next((words for sign, words in _SIGNS if sign in lower), "")
    return known or said[:120].rstrip(".")


def is_late(error: Exception) -> bool:
    """Whether a statement was cut off since it took too long."""
    said = _said(error).lower()
    return any(sign in said for sign in _LATE)


def _said(error: Exception) -> str:
    return " ".join(str(getattr(error, "orig", None) or error).split())
