"""Makes any value fit to be stored: JSON and text that both databases take."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import date, time
from typing import Any

from pydantic import BaseModel

from blocks.text.masking import without_passwords

MAX_DEPTH = 100
"""Deeper nesting is cut: PostgreSQL and most JSON readers refuse it, and cycles end here."""

_MAX_BITS = 1024  # as far as a double reaches; readers of JSON hold no larger integer
_TO_BE_CHANGED = ("\\u0000", "//", "\\/", "=", '"null"', '"true"', '"false"')
"""NUL, what passwords may stand in, and keys that were no text: Python spells them differently."""
_LONG_NUMBER = re.compile(r"\d{300}")
_REPLACEMENT = "\ufffd"
_ENCODE = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode  # dumps would make it anew


def clean_text(text: str) -> str:
    """The text without passwords of URLs; NUL characters and lone surrogates become U+FFFD."""
    text = without_passwords(text)
    if text.isascii() and "\x00" not in text:  # almost all of it, and known at once
        return text
    text = text.replace("\x00", _REPLACEMENT)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = "".join(_REPLACEMENT if "\ud800" <= c <= "\udfff" else c for c in text)
    return text


def to_json(value: Any) -> str:
    """JSON text of any value; never fails, so a strange payload cannot stop the record.

    NaN, infinities and integers beyond the range of a double become null, as in Pydantic;
    models, sets, dates and numpy scalars become their JSON likeness; anything else its ``str``.
    Keys become text. Nesting is cut at ``MAX_DEPTH``.
    """
    try:
        text = _ENCODE(value)
    except (TypeError, ValueError, RecursionError):
        return _ENCODE(_plain(value, MAX_DEPTH))
    return text if _is_harmless(text) else _ENCODE(_plain(value, MAX_DEPTH))


def _is_harmless(text: str) -> bool:
    """Whether JSON as it was encoded holds nothing that has to be changed: almost all does not."""
    return (
        text.isascii()
        and not any(part in text for part in _TO_BE_CHANGED)
        and text.count("[") + text.count("{") <= MAX_DEPTH
        and _LONG_NUMBER.search(text) is None
    )


def finite(number: float) -> float | None:
    """The number, None when it is NaN or infinite."""
    return float(number) if math.isfinite(number) else None


def _plain(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int):
        return int(value) if value.bit_length() <= _MAX_BITS else None
    if isinstance(value, float):
        return finite(value)
    if depth == 0:
        return "(nested too deep)"
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(), depth)
    if isinstance(value, Mapping):
        return {clean_text(str(k)): _plain(v, depth - 1) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(v, depth - 1) for v in value]
    if isinstance(value, date | time):
        return value.isoformat()
    if callable(tolist := getattr(value, "tolist", None)):  # numpy, without importing it
        return _plain(tolist(), depth - 1)
    return clean_text(str(value))
