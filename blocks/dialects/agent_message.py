"""Our own form: an AgentMessage as JSON, with the keys ``from`` and ``to``. Strict.

``id`` and ``timestamp`` may be left out by hand-written messages: they are then new and of now,
and such a message is another one each time it is sent. A priority that is left out is computed.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from blocks.dialects.fields import LONGEST_ID, Fields, explained, in_utc
from blocks.dialects.strict_json import Document
from blocks.vocabulary.messages import AgentMessage, AgentReply

FIELDS = tuple(field.alias or name for name, field in AgentMessage.model_fields.items())


def is_one(document: Document) -> bool:
    """Whether it says from whom and to whom."""
    return isinstance(document, dict) and {"from", "to"} <= document.keys()


def read(document: Document) -> AgentMessage:
    """The message that a document holds.

    Raises:
        InvalidMessage: A field is unknown, missing, or of another type than ours.
    """
    fields = Fields(document)
    fields.only(FIELDS)
    fields.text("from")
    for name in ("id", "run_id", "task_id"):
        fields.text(name, "", longest=LONGEST_ID)
    fields.text("action")
    try:
        message = AgentMessage.model_validate_json(
            json.dumps(document), strict=True, by_alias=True, by_name=False
        )
    except ValidationError as error:
        raise explained(error, {}) from None
    in_utc(message.timestamp, "timestamp")
    return message


def write(message: AgentMessage) -> dict[str, Any]:
    """The message as ``read`` takes it."""
    return message.model_dump(mode="json", by_alias=True)


def answer(message: AgentMessage, reply: AgentReply) -> dict[str, Any]:
    """The reply to a message, in our own form."""
    return reply.model_dump(mode="json", by_alias=True)
