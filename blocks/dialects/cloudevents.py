"""CloudEvents 1.0 in JSON: one event, a batch of them, or binary mode by its HTTP headers.

An event is a SystemEvent; one whose extension attributes ``recipient`` and ``action`` name an
agent's action is a message (``sender`` and ``priority`` may stand beside them). The extension
attribute ``severity``, else a ``severity`` in the data, says how bad it is. Data that is no JSON
object is kept under ``value``. All other extension attributes of an event, such as ``traceparent``,
are kept beside its data, with ``dataschema`` and a ``datacontenttype`` that is not JSON.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from blocks.dialects import fields as build
from blocks.dialects.fields import LONGEST_ID, OUTSIDE, Fields, refuse
from blocks.dialects.strict_json import Document, parse_value, shown
from blocks.errors import InvalidMessage
from blocks.policy.alert_rules import USUAL, AlertRules
from blocks.vocabulary.messages import (
    BESIDE,
    NOTES,
    AgentMessage,
    AgentReply,
    Severity,
    SystemEvent,
)

SPECVERSION = "1.0"

_STRUCTURED = ("application/cloudevents+json", "application/cloudevents-batch+json")
_PREFIX = "ce-"

_NAME = re.compile("[a-z0-9]+")
_OURS = frozenset(
    {"specversion", "id", "source", "type", "time", "subject", "severity", "data", "data_base64"}
    | {"recipient", "action"}
)


def is_one(document: Document) -> bool:
    """Whether it says which version of CloudEvents it is of, or is a batch."""
    return isinstance(document, list) or "specversion" in document


def is_structured(headers: Mapping[str, str]) -> bool:
    """Whether the headers, by lower-case name, say that the body is an event or a batch."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() in _STRUCTURED


def is_binary(headers: Mapping[str, str]) -> bool:
    """Whether the headers, by lower-case name, hold an event's attributes."""
    return f"{_PREFIX}specversion" in headers and not is_structured(headers)


def structured(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """An event in binary mode as one document, which says the same without the headers.

    Args:
        headers: HTTP headers by lower-case name; values are percent-encoded.
        body: The data.
    """
    document: dict[str, Any] = {
        name.removeprefix(_PREFIX): unquote(value, errors="replace")
        for name, value in headers.items()
        if name.startswith(_PREFIX)
    }
    if "content-type" in headers:
        document["datacontenttype"] = headers["content-type"]
    if body:
        document["data_base64"] = base64.b64encode(body).decode()
    return document


def read(
    document: Document, rules: AlertRules = USUAL
) -> tuple[list[AgentMessage], list[SystemEvent]]:
    """The messages and events that a document holds; all of a batch, or none.

    Args:
        document: An event, or a list of them.
        rules: What severities are called.

    Raises:
        InvalidMessage: A required attribute is missing or does not fit.
    """
    batch = isinstance(document, list)
    several = document if isinstance(document, list) else [document]
    found = [_one(Fields(one, f"[{i}]" if batch else ""), rules) for i, one in enumerate(several)]
    messages = [one for one in found if isinstance(one, AgentMessage)]
    return messages, [one for one in found if isinstance(one, SystemEvent)]


def _one(fields: Fields, rules: AlertRules) -> AgentMessage | SystemEvent:
    version = fields.text("specversion")
    if version != SPECVERSION:
        refuse(fields.path("specversion"), version, f"be {SPECVERSION}")
    _check_names(fields)
    known = {
        "id": fields.text("id", longest=LONGEST_ID),
        "source": fields.text("source"),
        "type": fields.text("type", longest=200),
        "time": fields.instant("time"),
        "subject": fields.text("subject", ""),
    }
    notes: list[str] = []
    data = _data(fields, notes)
    if {"recipient", "action"} <= fields.document.keys():
        return build.message(
            {
                "id": known["id"],
                "timestamp": known["time"],
                "from": fields.text("sender", OUTSIDE),
                "to": fields.text("recipient"),
                "action": fields.text("action"),
                "payload": data,
                "priority": fields.priority("priority"),
            },
            {"id": "id", "timestamp": "time", "from": "sender", "to": "recipient"},
        )
    inside = Fields(data, fields.path("data")).severity("severity", Severity.INFO, notes, rules)
    severity = fields.severity("severity", inside, notes, rules)
    beside = _beside(fields)
    asides = {name: said for name, said in ((BESIDE, beside), (NOTES, notes)) if said}
    return build.event(known | {"data": data | asides, "severity": severity})


def _check_names(fields: Fields) -> None:
    for name in fields.document:
        if not _NAME.fullmatch(name) and name != "data_base64":
            raise InvalidMessage(
                f"The attribute {shown(fields.path(name))} has a name that CloudEvents does not "
                "allow.",
                hint=f"Names are lower-case letters and digits: "
                f"{re.sub('[^a-z0-9]', '', name.lower()) or 'orderid'}.",
            )


def _beside(fields: Fields) -> dict[str, Any]:
    """The attributes that are no part of our own form, as they came."""
    found = {n: v for n, v in fields.document.items() if n not in _OURS and v is not None}
    if _is_json(_content_type(fields)):
        found.pop("datacontenttype", None)
    return found


def _data(fields: Fields, notes: list[str]) -> dict[str, Any]:
    content_type = _content_type(fields)
    data, encoded = (fields.document.get(name) for name in ("data", "data_base64"))
    if encoded is not None:
        if data is not None:
            raise InvalidMessage(
                f"{fields.path('data')} and {fields.path('data_base64')} are both there.",
                hint="Send one of them.",
            )
        data = _decoded(fields, encoded, content_type)
    elif isinstance(data, str) and _is_json(content_type) and _holds_json(data):
        # By the specification it is a text, whatever stands in it.
        notes.append(
            f"{fields.path('data')} is a text that holds JSON: it was kept as text, and nothing in "
            "it was read. Send the object itself."
        )
    if data is None:
        return {}
    return data if isinstance(data, dict) else {"value": data}


def _content_type(fields: Fields) -> str:
    given = fields.text("datacontenttype", "application/json")
    return given.partition(";")[0].strip().lower()


def _is_json(content_type: str) -> bool:
    return content_type == "application/json" or content_type.endswith("+json")


def _holds_json(text: str) -> bool:
    """Whether a text is an object or a list that was written as JSON once too often."""
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        parse_value(text)
    except InvalidMessage:
        return False
    return True


def _decoded(fields: Fields, encoded: Any, content_type: str) -> Any:
    """What base64 holds: JSON and text are read, anything else stays as it is."""
    name = fields.path("data_base64")
    try:
        content = base64.b64decode(encoded, validate=True)
    except (TypeError, ValueError, binascii.Error):
        refuse(name, encoded, "be base64")
    if _is_json(content_type):
        return parse_value(content)
    if content_type.startswith("text/"):
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise InvalidMessage(
                f"{name} holds no UTF-8: {shown(content)}.", hint="Send text in UTF-8."
            ) from None
    return {"data_base64": encoded}


def answer(message: AgentMessage, reply: AgentReply) -> dict[str, Any]:
    """The reply to a message, as a CloudEvent whose subject is the message's id."""
    return {
        "specversion": SPECVERSION,
        "id": f"{reply.message_id}-reply",
        "source": f"/agents/{reply.sender}",
        "type": "agent.reply",
        "subject": reply.message_id,
        "time": reply.timestamp.isoformat(),
        "datacontenttype": "application/json",
        "data": {"outcome": reply.outcome.value} | reply.told,
    }
