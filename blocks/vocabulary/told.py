"""What a person is told of an event in its sender's words: texts from outside, cut and cleaned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field

from blocks.models import Frozen
from blocks.text import printable
from blocks.vocabulary.messages import SystemEvent

_SUMMARIES = ("summary", "description", "message")
_RUNBOOKS = ("runbook_url", "runbook", "runbookURL")
_LONGEST = 500  # characters of one text
_MOST_LABELS = 20


class Told(Frozen):
    """What the sender says.

    Attributes:
        summary: What is wrong.
        runbook: Address of the page that says what to do.
        labels: What it is about, name to value.
    """

    summary: str = ""
    runbook: str = ""
    labels: dict[str, str] = Field(default_factory=dict)


def told_by(event: SystemEvent) -> Told:
    """Summary, runbook and labels that came with an event, as annotations or as plain data."""
    said = _texts(event.data) | _texts(event.data.get("annotations"))
    labels = sorted(_texts(event.data.get("labels")).items())
    return Told(
        summary=next((_cut(said[name]) for name in _SUMMARIES if name in said), ""),
        runbook=next((said[name] for name in _RUNBOOKS if _is_link(said.get(name, ""))), ""),
        labels={_cut(name): _cut(value) for name, value in labels[:_MOST_LABELS]},
    )


def group_of(event: SystemEvent) -> str:
    """What a person is asked about together: the sender's own group, else the source's type."""
    key = event.data.get("group_key")
    return f"{event.source} {key if isinstance(key, str) and key else event.type}"


def in_words(resource: str) -> str:
    """``service:checkout`` as ``service checkout``."""
    kind, colon, name = resource.partition(":")
    return f"{kind} {name}" if colon and name and not name.startswith("//") else resource


def in_short(kind: str) -> str:
    """The last two parts of an event's type: ``com.acme.disk.full`` as ``disk full``."""
    return " ".join(kind.split(".")[-2:]).replace("_", " ").replace("-", " ")


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        return {}
    return {str(k): v for k, v in value.items() if isinstance(v, str) and v}


def _cut(text: str) -> str:
    text = printable(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _is_link(text: str) -> bool:
    """Whether it is the plain address of a page, short enough to be shown whole."""
    if not text.isprintable() or len(text) > _LONGEST or set(text) & set(" <>`\"'\\"):
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)
