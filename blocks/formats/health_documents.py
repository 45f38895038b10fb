"""What a health document says: its own words for well, not quite well, and ill.

There is no one form. Spring Boot says ``{"status": "UP", "components": {...}}``, the IETF's
draft-inadarei-api-health-check ``pass``, ``warn`` or ``fail`` with ``checks``, search clusters
``green``, ``yellow`` or ``red``, others ``{"healthy": false}``, a bare word, or nothing but status
200. A word that is not known here, and a document that is no JSON, say nothing against a service.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

EXCERPT = 64 * 1024
"""Bytes of an answer that are looked at: no health document is longer."""

_ILL = frozenset(
    [
        "fail",
        "failed",
        "failing",
        "failure",
        "error",
        "down",
        "unhealthy",
        "critical",
        "red",
        "dead",
        "offline",
        "unavailable",
        "outage",
        "out_of_service",
    ]
)
_WARNED = frozenset(
    ["warn", "warning", "warned", "yellow", "degraded", "amber", "partial", "impaired"]
)
_VERDICTS = ("status", "health", "state", "healthy", "ok", "up", "alive")
"""Keys under which a service, or a part of it, says how it is."""

_PARTS = ("components", "checks", "details", "indicators", "results", "entries", "dependencies")
"""Keys under which it lists its parts."""

_DEPTH = 4  # parts of parts
_LISTED = 3  # parts that are named


class Level(IntEnum):
    """How a service calls itself; the greater, the worse."""

    WELL = 0
    WARNED = 1
    ILL = 2


@dataclass(frozen=True)
class OwnWord:
    """What a service says of itself.

    Attributes:
        level: How bad it is by its own account.
        said: Its words, for people: ``it reports status 'red'``; "" when it is well.
    """

    level: Level = Level.WELL
    said: str = ""


def read_health(body: bytes) -> OwnWord:
    """The service's own word; that it is well when it has none.

    Its own verdict counts. A part of it that is ill while the whole does not say so is worth a
    warning and no more: it answered 200, and knows best what it can do without.
    """
    text = body.decode("utf-8-sig", errors="replace").strip()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = text  # some answer with a bare word
    own = _verdict(document) or OwnWord()
    bad = [f"{name!r} {word.said}" for name, word in _parts(document, _DEPTH) if word.level]
    parts = f"its part {', '.join(bad[:_LISTED])}" if bad else ""
    if own.level:
        return OwnWord(own.level, f"it {own.said}{f' ({parts})' if parts else ''}")
    return OwnWord(Level.WARNED, parts) if parts else OwnWord()


def _verdict(document: Any) -> OwnWord | None:
    """What a document, or a part of one, says of itself: the worst; None when it says nothing."""
    if isinstance(document, str):
        return _judge("", document)
    if not isinstance(document, dict):
        return None
    said = [_judge(key, value) for key, value in _items(document) if key in _VERDICTS]
    return max((word for word in said if word), key=lambda word: word.level, default=None)


def _judge(key: str, value: Any) -> OwnWord | None:
    shown = f"reports {f'{key} ' if key else ''}{_shown(value)}"
    match value:
        case bool():
            level = Level.WELL if value else Level.ILL
        case int() | float():
            # 0 is "down" to some and "no error" to others; 5xx is what HTTP would have said.
            ill = key == "status" and 500 <= value < 600
            level = Level.ILL if ill else Level.WELL if value else Level.WARNED
        case str():
            word = value.strip().lower().replace(" ", "_").replace("-", "_")
            ill = word in _ILL or (bool(key) and word == "false")
            level = Level.ILL if ill else Level.WARNED if word in _WARNED else Level.WELL
        case _:
            return None
    return OwnWord(level, shown)


def _parts(document: Any, depth: int) -> Iterator[tuple[str, OwnWord]]:
    """Each part that says how it is, by its name; of one that does not, its parts."""
    if not depth:
        return
    groups = [document] if isinstance(document, list) else []
    if isinstance(document, dict):
        groups = [value for key, value in _items(document) if key in _PARTS]
    for group in groups:
        for name, part in _named(group):
            if word := _verdict(part):
                yield name, word
            else:
                yield from _parts(part, depth - 1)


def _named(group: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(group, dict):
        for name, part in group.items():
            # The IETF's draft lists the measurements of one part.
            yield from ((name[:40], each) for each in (part if isinstance(part, list) else [part]))
    elif isinstance(group, list):
        for place, part in enumerate(group, start=1):
            name = dict(_items(part)).get("name") if isinstance(part, dict) else None
            yield str(name or place)[:40], part


def _items(document: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(key.lower(), value) for key, value in document.items()]


def _shown(value: Any) -> str:
    return repr(value[:40]) if isinstance(value, str) else json.dumps(value)[:40]
