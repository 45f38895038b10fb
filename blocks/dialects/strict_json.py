"""JSON from outside, read once and strictly: what two readers could take for two things is refused.

Limits keep a document from costing more than it is worth; they are checked before anything is
built from it, as far as that can be known.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from itertools import count
from typing import Any, NoReturn

from blocks.errors import Malformed
from blocks.text.masking import without_passwords

MAX_BYTES = 256 * 1024
"""Largest document, in bytes of UTF-8. CloudEvents asks for at least 64 KiB."""

MAX_DEPTH = 64
"""Most objects and lists within each other."""

SHOWN = 60
"""Characters of a value that an error shows."""

Document = dict[str, Any] | list[Any]
Raw = bytes | str | Mapping[str, Any] | list[Any]
"""What comes from outside: text, or what somebody has parsed already."""

_MOST_DIGITS = 308  # a double reaches no further, and readers of JSON hold no larger number


def shown(value: Any) -> str:
    """A value for an error message: short, without passwords, its control characters visible."""
    text = without_passwords(repr(value))
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def parse(raw: Raw, most: int = MAX_BYTES) -> Document:
    """The object or list that a document of at most so many bytes holds.

    Raises:
        Malformed: As ``parse_value``, or it is neither.
    """
    document = parse_value(raw, most)
    if not isinstance(document, dict | list):
        raise Malformed(
            f"The document is {shown(document)}.", hint="Send a JSON object, or a list of them."
        )
    return document


def parse_value(raw: Raw, most: int = MAX_BYTES) -> Any:
    """Any JSON value of at most so many bytes.

    Raises:
        Malformed: It is too large or too deep, no UTF-8, no JSON, says a key twice, holds
            NaN or a number beyond the range of a double, or text that no database keeps.
    """
    text = _text(raw, most)
    value = _loaded(text)
    if not (isinstance(raw, bytes) and _needs_no_check(text)):
        _check(value)
    return value


def _text(raw: Raw, most: int) -> str:
    if isinstance(raw, Mapping | list):
        raw = _dumped(raw)
    size = len(raw) if isinstance(raw, bytes) else len(raw.encode(errors="replace"))
    if size > most:
        raise Malformed(
            f"The document has {size:,} bytes.",
            hint=f"Send at most {most:,} bytes at once.",
        )
    if isinstance(raw, str):
        return raw.removeprefix("\ufeff")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Malformed(
            f"Byte {error.start} of the document is no UTF-8: {shown(raw[error.start :][:8])}.",
            hint="Send JSON in UTF-8.",
        ) from None


def _dumped(value: Mapping[str, Any] | list[Any]) -> str:
    # A parsed document takes the same way as text, so that one set of rules holds for both.
    try:
        return json.dumps(dict(value) if isinstance(value, Mapping) else value)
    except RecursionError:
        _too_deep()
    except (TypeError, ValueError) as error:  # a set, an instant, a cycle
        raise Malformed(
            f"The document cannot be written as JSON: {error}.",
            hint="Use objects, lists, text, numbers, true, false and null.",
        ) from None


def _loaded(text: str) -> Any:
    try:
        return _decoder().decode(text)
    except RecursionError:
        _too_deep()
    except json.JSONDecodeError as error:
        near = shown(text[max(0, error.pos - 10) : error.pos + 20])
        raise Malformed(
            f"The document is no JSON: {error.msg} at line {error.lineno}, column {error.colno}, "
            f"near {near}.",
            hint="Correct it there.",
        ) from None


@cache
def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_without_repeats,
        parse_constant=_no_constant,
        parse_float=_finite,
        parse_int=_moderate,
    )


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Malformed(f"The key {shown(name)} is there twice.", hint="Say it once.")
        found[name] = value
    return found


def _no_constant(word: str) -> NoReturn:
    raise Malformed(f"{word} is no number in JSON.", hint="Send a finite number, or null.")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        _out_of_range(digits)
    return number


def _moderate(digits: str) -> int:
    if len(digits.lstrip("-")) > _MOST_DIGITS:
        _out_of_range(digits)
    return int(digits)


def _out_of_range(digits: str) -> NoReturn:
    raise Malformed(
        f"The number {shown(digits)} is out of range.", hint="Send numbers up to 1e308."
    )


def _too_deep() -> NoReturn:
    raise Malformed(
        f"The document is nested more than {MAX_DEPTH} levels deep.",
        hint="Flatten it, or send the deep part as text.",
    )


def _needs_no_check(text: str) -> bool:
    """Whether a text that came as UTF-8 can hold nothing that ``_check`` refuses.

    What it looks for in texts has to be escaped there, and what is nested has to be opened.
    """
    return "\\u" not in text and text.count("[") + text.count("{") <= MAX_DEPTH


def _check(document: Any) -> None:
    """See to the depth, and to all text, without recursion."""
    level = [document]
    for depth in count():
        if depth >= MAX_DEPTH and any(isinstance(value, dict | list) for value in level):
            _too_deep()
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below += [*value.keys(), *value.values()]
            elif isinstance(value, list):
                below += value
            elif isinstance(value, str):
                _check_text(value)
        if not below:
            return
        level = below


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise Malformed(f"The text {shown(text)} holds a NUL character.", hint="Send it without.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Malformed(
            f"The text {shown(text)} holds half of a surrogate pair.",
            hint="Send whole characters.",
        ) from None
