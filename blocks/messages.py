"""The words agents and orchestrator exchange: messages, replies, events."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Annotated, Any
from uuid import uuid4

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

ORCHESTRATOR = "system-orchestrator"
"""The orchestrator's own name, as sender of messages."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=80)]
"""A dashed identifier: agents, workflows, resources."""


def new_id() -> str:
    """A fresh random identifier (32 hex digits)."""
    return uuid4().hex


def utc_now() -> datetime:
    """The current instant, timezone-aware. Judgement never calls this: it is handed ``now``."""
    return datetime.now(UTC)


class Priority(IntEnum):
    """How urgent a message is; higher goes first."""

    LOW = 1
    NORMAL = 2
    HIGH = 3
    CRITICAL = 4


class Severity(StrEnum):
    """How bad something is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for ``info`` up to 3 for ``critical``."""
        return list(Severity).index(self)

    @property
    def priority(self) -> Priority:
        """The priority of work that this severity calls for."""
        return Priority(self.rank + 1)


class MessageType(StrEnum):
    """What a message wants."""

    REQUEST = "request"
    ALERT = "alert"
    EVENT = "event"


class Outcome(StrEnum):
    """How a call, a workflow or a remediation ended."""

    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class AgentMessage(_Record):
    """One message from one agent (or the orchestrator) to another.

    ``payload`` is JSON-able and small: frames and clients travel beside the message, and the
    payload only describes them (shape, digest).
    """

    id: str = Field(default_factory=new_id)
    timestamp: AwareDatetime = Field(default_factory=utc_now)
    sender: Name = Field(default=ORCHESTRATOR, alias="from")
    recipient: Name = Field(alias="to")
    type: MessageType = MessageType.REQUEST
    action: str
    payload: dict[str, Any] = Field(default_factory=dict)
    priority: Priority = Priority.NORMAL
    run_id: str | None = None


class ErrorInfo(_Record):
    """An error as it is stored and shown: no traceback, no secret."""

    code: str
    what: str
    hint: str = ""
    retryable: bool = False


class AgentReply(_Record):
    """The answer to one message, after all its attempts."""

    message_id: str
    timestamp: AwareDatetime = Field(default_factory=utc_now)
    sender: Name = Field(alias="from")
    outcome: Outcome
    payload: dict[str, Any] = Field(default_factory=dict)
    error: ErrorInfo | None = None
    attempts: int = 1
    duration_ms: float = 0.0


class SystemEvent(_Record):
    """Something that happened outside and may call for work.

    ``fingerprint`` says which thing it is about; two events with equal ``(source, id)`` are one.
    """

    id: str = Field(default_factory=new_id)
    source: str = Field(min_length=1)
    type: str = Field(min_length=1)
    time: AwareDatetime = Field(default_factory=utc_now)
    severity: Severity = Severity.INFO
    subject: str = ""
    data: dict[str, Any] = Field(default_factory=dict)
