"""The earlier form of our own messages, version 0, which agents of that time still send.

Keys are in snake_case. ``content`` holds the name of the action under ``action`` and the action's
parameters beside it. ``priority`` is a word: low, medium, high or critical. ``timestamp`` is in
seconds since 1970, or ISO 8601; without an offset it is UTC. Agents' names had underscores. It had
no field for a run or a task.

    {"message_id": "m-17", "from_agent": "data_intelligence", "to_agent": "sre_reliability",
     "message_type": "request", "content": {"action": "assess_health"}, "priority": "medium",
     "timestamp": 1767225600}
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from blocks.dialects import fields as build
from blocks.dialects.fields import LONGEST_ID, PRIORITIES, Fields, refuse
from blocks.dialects.strict_json import Document
from blocks.vocabulary.messages import AgentMessage, AgentReply

_NAMES = {
    "id": "message_id",
    "timestamp": "timestamp",
    "from": "from_agent",
    "to": "to_agent",
    "type": "message_type",
    "action": "content.action",
    "payload": "content",
    "priority": "priority",
}
FIELDS = tuple(name for name in _NAMES.values() if "." not in name)
_PRIORITIES = ("low", "medium", "high", "critical")


def is_one(document: Document) -> bool:
    """Whether it has a key that only version 0 has."""
    own = {"message_id", "from_agent", "to_agent", "message_type"}
    return isinstance(document, dict) and not own.isdisjoint(document)


def read(document: Document) -> AgentMessage:
    """The message that a document holds.

    Raises:
        InvalidMessage: A field is unknown, missing, or does not fit.
    """
    fields = Fields(document)
    fields.only(FIELDS)
    content = fields.object("content")
    return build.message(
        {
            "id": fields.text("message_id", longest=LONGEST_ID),
            "timestamp": _instant(fields),
            "from": _dashed(fields.text("from_agent")),
            "to": _dashed(fields.text("to_agent")),
            "type": fields.text("message_type", "request"),
            "action": Fields(content, "content").text("action"),
            "payload": {name: value for name, value in content.items() if name != "action"},
            "priority": _priority(fields),
        },
        _NAMES,
    )


def answer(message: AgentMessage, reply: AgentReply) -> dict[str, Any]:
    """The reply to a message, as version 0 knew it."""
    return {
        "message_id": f"{reply.message_id}-reply",
        "in_reply_to": reply.message_id,
        "from_agent": reply.sender.replace("-", "_"),
        "to_agent": message.sender.replace("-", "_"),
        "message_type": "response",
        "content": {"status": reply.outcome.value} | reply.told,
        "timestamp": reply.timestamp.timestamp(),
    }


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _priority(fields: Fields) -> Any:
    word = fields.document.get("priority")
    if word is None:
        return None
    if not isinstance(word, str) or word not in _PRIORITIES:
        refuse("priority", word, f"be one of {', '.join(_PRIORITIES)}")
    return PRIORITIES[word]


def _instant(fields: Fields) -> datetime | None:
    value = fields.document.get("timestamp")
    if value is None:
        return None
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError, OverflowError, OSError):
        refuse("timestamp", value, "be seconds since 1970, or ISO 8601")
    return build.in_utc(found if found.tzinfo else found.replace(tzinfo=UTC), "timestamp")
