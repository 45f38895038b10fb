"""Values taken from an event into the parameters of the workflow that it starts.

``{subject}`` is a text; ``{data.days:integer}`` what stands at that place of its data, as a whole
number; ``{data.days:integer=7}`` the same, or 7 where the event has nothing there. Within a longer
text each becomes text. Doubled braces are braces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from blocks.text import did_you_mean

TYPES = ("text", "integer", "number", "boolean", "list", "object")
"""What a value may be declared to be; text where nothing is said."""

FIELDS = ("id", "source", "type", "time", "severity", "subject", "kind", "name", "status", "data")
"""Of an event; ``kind`` and ``name`` are the two parts of its subject."""

_PARTS = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_PLACE = re.compile(r"([a-z]+)((?:\.[^:=]+)?)(?::([a-z]+))?(?:=(.*))?", re.DOTALL)
_NOTHING = object()


class NoValue(Exception):
    """An event lacks what a parameter is taken from, or has something of another type there."""


@dataclass(frozen=True)
class Placeholder:
    """A place in an event, and what is to stand there.

    Attributes:
        path: Dotted, from the event's own fields on.
        type: One of ``TYPES``.
        otherwise: What counts where the event has nothing there; ``None`` as text: nothing does.
    """

    path: str
    type: str = "text"
    otherwise: str | None = None

    def of(self, fields: Mapping[str, Any]) -> Any:
        """The value in an event's fields.

        Raises:
            NoValue: It is not there, or of another type.
        """
        value = at(fields, self.path)
        if value is _NOTHING or value is None:
            if self.otherwise is None:
                raise NoValue(f"the event has no {self.path}")
            value = self.otherwise
        return self._typed(value)

    def _typed(self, value: Any) -> Any:
        """A text may spell a number, as labels do; nothing else is turned into another type."""
        if self.type == "text":
            return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if isinstance(value, str):
            value = _spelled(value)
        fits = {
            "integer": isinstance(value, int) and not isinstance(value, bool),
            "number": isinstance(value, int | float) and not isinstance(value, bool),
            "boolean": isinstance(value, bool),
            "list": isinstance(value, list),
            "object": isinstance(value, dict),
        }
        if not fits[self.type]:
            article = "an" if self.type[0] in "io" else "a"
            raise NoValue(f"{self.path} is {json.dumps(value)[:60]}, not {article} {self.type}")
        return value


def at(fields: Any, path: str, otherwise: Any = _NOTHING) -> Any:
    """What stands at a dotted path; keys may hold dots themselves, lists go by number."""
    if isinstance(fields, Mapping):
        if path in fields:
            return fields[path]
        for cut in (n for n, letter in enumerate(path) if letter == "."):
            if path[:cut] in fields:
                found = at(fields[path[:cut]], path[cut + 1 :])
                if found is not _NOTHING:
                    return found
    elif isinstance(fields, list):
        head, _, rest = path.partition(".")
        if head.isascii() and head.isdigit() and int(head) < len(fields):
            return at(fields[int(head)], rest, otherwise) if rest else fields[int(head)]
    return otherwise


def whole(text: str) -> Placeholder | None:
    """The placeholder that a text is, if it is nothing else.

    Raises:
        ValueError: It is none that can be meant; says why.
    """
    found = list(_split(text))
    return found[0] if len(found) == 1 and isinstance(found[0], Placeholder) else None


def has_any(value: Any) -> bool:
    """Whether an event is needed to know what a value comes to be."""
    if isinstance(value, str):
        return any(isinstance(part, Placeholder) for part in _split(value))
    if isinstance(value, Mapping):
        return any(has_any(each) for each in value.values())
    return isinstance(value, list) and any(has_any(each) for each in value)


def check(value: Any) -> None:
    """See that all placeholders in a value can be meant.

    Raises:
        ValueError: One cannot; says why.
    """
    if isinstance(value, str):
        list(_split(value))
    elif isinstance(value, Mapping):
        for each in value.values():
            check(each)
    elif isinstance(value, list):
        for each in value:
            check(each)


def filled(value: Any, fields: Mapping[str, Any]) -> Any:
    """A value with its placeholders replaced by what an event has there.

    Raises:
        NoValue: The event lacks something, or has it in another type.
    """
    if isinstance(value, str):
        if (place := whole(value)) is not None:
            return place.of(fields)
        return "".join(_as_text(part, fields) for part in _split(value))
    if isinstance(value, Mapping):
        return {name: filled(each, fields) for name, each in value.items()}
    if isinstance(value, list):
        return [filled(each, fields) for each in value]
    return value


def _as_text(part: str | Placeholder, fields: Mapping[str, Any]) -> str:
    if isinstance(part, str):
        return part
    value = part.of(fields)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _split(text: str) -> Iterator[str | Placeholder]:
    end = 0
    for found in _PARTS.finditer(text):
        if before := text[end : found.start()]:
            yield before
        end = found.end()
        if found[0] in ("{{", "}}"):
            yield found[0][0]
        elif found[1] is None:
            raise ValueError(f"{text!r} has a lone {found[0]}; a brace itself is written {{{{")
        else:
            yield _read(found[1])
    if rest := text[end:]:
        yield rest


def _read(inner: str) -> Placeholder:
    parts = _PLACE.fullmatch(inner)
    if parts is None:
        raise ValueError(f"{{{inner}}} is no placeholder; write for instance {{subject}}")
    head, rest, kind, otherwise = parts.groups()
    if head not in FIELDS:
        raise ValueError(f"{{{inner}}}: an event has no {head!r}. {did_you_mean(head, FIELDS)}")
    if rest and head != "data":
        raise ValueError(f"{{{inner}}}: {head} has no parts; only data has, as in {{data.sku}}")
    if kind is not None and kind not in TYPES:
        raise ValueError(f"{{{inner}}}: there is no type {kind!r}. {did_you_mean(kind, TYPES)}")
    place = Placeholder(head + rest, kind or "text", otherwise)
    if otherwise is not None:
        try:
            place._typed(otherwise)
        except NoValue as fault:
            raise ValueError(f"{{{inner}}}: {fault}") from None
    return place


def _spelled(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
