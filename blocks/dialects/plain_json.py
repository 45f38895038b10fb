"""A plain JSON object: a message when it says to whom and what, else an event when it has a type.

    {"to": "sre-reliability", "action": "collect_metrics", "payload": {"hours": 24}}
    {"type": "delivery.late", "subject": "supplier:acme", "severity": "warning", "days": 3}

A message with an unknown field is refused, because it would be carried out without it. The unknown
fields of an event are its data.
"""

from __future__ import annotations

from typing import Any

from blocks.dialects import fields as build
from blocks.dialects.fields import LONGEST_ID, OUTSIDE, Fields
from blocks.dialects.strict_json import Document, shown
from blocks.errors import InvalidMessage
from blocks.policy.alert_rules import USUAL, AlertRules
from blocks.vocabulary.messages import NOTES, AgentMessage, AgentReply, Severity, SystemEvent

_MESSAGE = ("id", "timestamp", "from", "to", "type", "action", "payload", "params", "priority")
_EVENT = ("id", "time", "timestamp", "source", "type", "severity", "subject", "resource", "data")


def read(
    document: Document, rules: AlertRules = USUAL
) -> tuple[list[AgentMessage], list[SystemEvent]]:
    """The message or the event that a document holds.

    Args:
        document: Any object.
        rules: What severities are called.

    Raises:
        InvalidMessage: It is neither, or a field does not fit.
    """
    fields = Fields(document)
    if {"to", "action"} <= fields.document.keys():
        return [_message(fields)], []
    if "to" not in fields.document and "type" in fields.document:
        return [], [_event(fields, rules)]
    raise InvalidMessage(
        f"The document has the keys {shown(list(fields.document))} and is neither a message nor an "
        "event.",
        hint='A message has "to" and "action", an event has "type".',
    )


def _message(fields: Fields) -> AgentMessage:
    fields.only(_MESSAGE)
    if {"payload", "params"} <= fields.document.keys():
        raise InvalidMessage("payload and params are both there.", hint="Send one of them.")
    return build.message(
        {
            "id": fields.text("id", "", longest=LONGEST_ID) or None,
            "timestamp": fields.instant("timestamp"),
            "from": fields.text("from", OUTSIDE),
            "to": fields.text("to"),
            "type": fields.text("type", "request"),
            "action": fields.text("action"),
            "payload": fields.object("payload") or fields.object("params"),
            "priority": fields.priority("priority"),
        }
    )


def _event(fields: Fields, rules: AlertRules) -> SystemEvent:
    rest = {name: value for name, value in fields.document.items() if name not in _EVENT}
    data = fields.document.get("data")
    timestamp = fields.instant("timestamp")  # what is not used has to fit too
    if data is not None:
        rest |= data if isinstance(data, dict) else {"value": data}
    notes: list[str] = []
    severity = fields.severity("severity", Severity.INFO, notes, rules)
    return build.event(
        {
            "id": fields.text("id", "", longest=LONGEST_ID) or None,
            "time": fields.instant("time") or timestamp,
            "source": fields.text("source", OUTSIDE),
            "type": fields.text("type", longest=200),
            "severity": severity,
            "subject": fields.text("subject", fields.text("resource", "")),
            "data": rest | ({NOTES: notes} if notes else {}),
        }
    )


def answer(message: AgentMessage, reply: AgentReply) -> dict[str, Any]:
    """The reply to a message, with the keys that a plain object needs."""
    return {"id": reply.message_id, "outcome": reply.outcome.value} | reply.told
