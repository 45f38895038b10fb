"""The border: what comes from outside, in any dialect we know, as our messages and events.

Nothing here acts or remembers. A document is read as a whole or refused as a whole, with an
InvalidMessage that says what is wrong, with which value, and what to do.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from blocks.dialects import agent_message, agent_message_v0, alertmanager, cloudevents, plain_json
from blocks.dialects.strict_json import MAX_BYTES, Document, Raw, parse
from blocks.errors import InvalidMessage
from blocks.policy.alert_rules import USUAL, AlertRules
from blocks.text import did_you_mean
from blocks.text.masking import without_passwords
from blocks.vocabulary.messages import AgentMessage, AgentReply, SystemEvent


class Dialect(StrEnum):
    """A form in which messages and events come."""

    AGENT_MESSAGE = "agent-message"
    AGENT_MESSAGE_V0 = "agent-message-v0"
    CLOUDEVENTS = "cloudevents"
    ALERTMANAGER = "alertmanager"
    JSON = "json"


@dataclass(frozen=True)
class Incoming:
    """What one document holds."""

    dialect: Dialect
    messages: list[AgentMessage] = field(default_factory=list)
    events: list[SystemEvent] = field(default_factory=list)


def detect(document: Document, headers: Mapping[str, str] | None = None) -> Dialect:
    """The dialect of a document, by its headers and its keys; plain JSON when it has no other."""
    if cloudevents.is_structured(_lower_case(headers)) or cloudevents.is_one(document):
        return Dialect.CLOUDEVENTS
    if alertmanager.is_one(document):
        return Dialect.ALERTMANAGER
    if agent_message_v0.is_one(document):
        return Dialect.AGENT_MESSAGE_V0
    if agent_message.is_one(document):
        return Dialect.AGENT_MESSAGE
    return Dialect.JSON


def read(
    raw: Raw,
    dialect: str | None = None,
    headers: Mapping[str, str] | None = None,
    rules: AlertRules = USUAL,
) -> Incoming:
    """The messages and events of a document.

    Args:
        raw: The document: bytes, text, or what was parsed from it.
        dialect: What it is written in; detected when None.
        headers: The HTTP headers that it came with, if any.
        rules: What severities and labels mean.

    Raises:
        InvalidMessage: It cannot be read.
    """
    document = parse(_whole(raw, headers))
    return understood(
        document, _known(dialect) if dialect is not None else detect(document, headers), rules
    )


def understood(document: Document, spoken: Dialect, rules: AlertRules = USUAL) -> Incoming:
    """The messages and events of a document that ``strict_json`` has parsed.

    Args:
        document: The document.
        spoken: What it is written in.
        rules: What severities and labels mean.

    Raises:
        InvalidMessage: It cannot be read.
    """
    match spoken:
        case Dialect.AGENT_MESSAGE:
            return Incoming(spoken, [agent_message.read(document)])
        case Dialect.AGENT_MESSAGE_V0:
            return Incoming(spoken, [agent_message_v0.read(document)])
        case Dialect.CLOUDEVENTS:
            return Incoming(spoken, *cloudevents.read(document, rules))
        case Dialect.ALERTMANAGER:
            return Incoming(spoken, events=alertmanager.read(document, rules))
        case Dialect.JSON:
            return Incoming(spoken, *plain_json.read(document, rules))


_ANSWERS = {
    Dialect.AGENT_MESSAGE: agent_message.answer,
    Dialect.AGENT_MESSAGE_V0: agent_message_v0.answer,
    Dialect.CLOUDEVENTS: cloudevents.answer,
    Dialect.JSON: plain_json.answer,
}


def answer(dialect: Dialect, message: AgentMessage, reply: AgentReply) -> dict[str, Any]:
    """The reply to a message, in the dialect that the message came in.

    Args:
        dialect: Any but ``alertmanager``, which sends no messages.
        message: What was asked.
        reply: What the agent answered.
    """
    return _ANSWERS[dialect](message, reply)


def standalone(raw: Raw, headers: Mapping[str, str] | None = None) -> str:
    """The document as text that reads the same without its headers, to be kept.

    Passwords of URLs are masked. Never fails, however broken it is: bytes that are no UTF-8 and
    characters that no database keeps are shown as escapes, and of what is too large the beginning
    is kept.
    """
    whole = _whole(raw, headers)
    if isinstance(whole, bytes):
        text = whole[:MAX_BYTES].decode("utf-8", "backslashreplace")
    elif isinstance(whole, str):
        text = whole[:MAX_BYTES].encode("utf-8", "backslashreplace").decode()
    else:
        text = _dumped(whole)[:MAX_BYTES]
    return without_passwords(text.replace("\x00", "\\x00"))


def _whole(raw: Raw, headers: Mapping[str, str] | None) -> Raw:
    """The document, with what its headers say of it."""
    known = _lower_case(headers)
    if isinstance(raw, bytes | str) and cloudevents.is_binary(known):
        return cloudevents.structured(known, raw if isinstance(raw, bytes) else raw.encode())
    return raw


def _lower_case(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name.lower(): value for name, value in (headers or {}).items()}


def _dumped(parsed: Mapping[str, Any] | list[Any]) -> str:
    try:
        return json.dumps(parsed)
    except (TypeError, ValueError, RecursionError):  # what no text could have held
        return reprlib.repr(parsed)


def _known(dialect: str) -> Dialect:
    try:
        return Dialect(dialect)
    except ValueError:
        hint = did_you_mean(dialect, Dialect)
        raise InvalidMessage(f"There is no dialect {dialect!r}.", hint=hint) from None
