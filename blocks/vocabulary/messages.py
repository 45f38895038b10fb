"""The words agents and orchestrator exchange: messages, replies, events."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import uuid4

from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints, model_validator

from blocks.errors import OrchestratorError
from blocks.models import Strict
from blocks.text.masking import without_passwords
from blocks.vocabulary.severity import Priority as Priority
from blocks.vocabulary.severity import Severity as Severity
from blocks.vocabulary.urgency import urgency

ORCHESTRATOR = "system-orchestrator"
"""The orchestrator's own name, as sender of messages."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=80)]
"""A dashed identifier: agents, workflows, resources."""

TaskType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=80)]
"""A type of task in the decision matrix, for instance ``inventory_sync``."""


def new_id() -> str:
    """A fresh random identifier (32 hex digits)."""
    return uuid4().hex


def utc_now() -> datetime:
    """The current instant, timezone-aware. Judgement never calls this: it is handed ``now``."""
    return datetime.now(UTC)


class MessageType(StrEnum):
    """What a message wants."""

    REQUEST = "request"
    ALERT = "alert"
    EVENT = "event"


class Outcome(StrEnum):
    """How a call, a workflow or a remediation ended.

    A workflow is refused when what was asked for cannot be done: that is nobody's failure.
    """

    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    REFUSED = "refused"


class _Record(Strict):
    model_config = ConfigDict(populate_by_name=True)


class AgentMessage(_Record):
    """One message from one agent (or the orchestrator) to another.

    ``payload`` is JSON-able and small: frames and clients travel beside the message, and the
    payload only describes them (shape, digest). ``priority`` is computed from type and payload
    where the sender gives none.
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
    task_id: str | None = None

    @model_validator(mode="after")
    def _computed_priority(self) -> AgentMessage:
        if "priority" not in self.model_fields_set:
            # The one place where a frozen message changes: before anybody has seen it.
            self.__dict__["priority"] = priority_of(self.type, self.payload, self.timestamp)
        return self


def priority_of(kind: MessageType, payload: dict[str, Any], now: datetime) -> Priority:
    """The priority of a message whose sender names none.

    The payload's ``severity``, ``impact_per_hour`` (money) and ``deadline`` (ISO 8601) count as
    ``blocks.vocabulary.urgency`` says; those that cannot be read count as absent. Without a
    severity an alert counts as an error, anything else as a warning.
    """
    usual = Severity.ERROR if kind is MessageType.ALERT else Severity.WARNING
    try:
        severity = Severity(payload.get("severity", usual))
    except ValueError:
        severity = usual
    try:
        deadline = datetime.fromisoformat(str(payload.get("deadline")))
    except ValueError:
        deadline = None
    return urgency(
        severity,
        now,
        impact_per_hour=_money(payload.get("impact_per_hour")),
        deadline=deadline if deadline and deadline.tzinfo else None,
    ).priority


def _money(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:  # JSON knows integers that no float holds
        return None


FIRING, RESOLVED = "firing", "resolved"
"""How an alert stands: the value of ``status`` in the data of its events."""

NOTES, BESIDE = "_notes", "_beside"
"""Keys of an event's data: what its reader remarks, and what came beside the data."""

CALLED_OFF = "interrupted"
"""Code of the error of a call that was cancelled: it says nothing of who was called."""


class ErrorInfo(_Record):
    """An error as it is stored and shown: no traceback, no secret."""

    code: str
    what: str
    hint: str = ""
    retryable: bool = False

    @classmethod
    def of(cls, error: OrchestratorError) -> ErrorInfo:
        """A deliberate error as it is stored."""
        return cls(code=error.code, what=error.what, hint=error.hint, retryable=error.retryable)


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

    @property
    def told(self) -> dict[str, Any]:
        """The payload, with the error if there is one: what an answer in another form tells."""
        error = {"error": self.error.model_dump(mode="json")} if self.error else {}
        return self.payload | error


class SystemEvent(_Record):
    """Something that happened outside and may call for work.

    Two events with equal ``(source, id)`` are one. Events with equal ``fingerprint`` are about
    the same thing; with equal ``content_hash`` too they say the same of it.

    Attributes:
        subject: What it is about, ``type:name`` (``service:checkout``); empty when unknown.
        data: What it says. What a reader of it remarks stands under ``NOTES``, what came beside
            the data under ``BESIDE``: neither is a part of what is said.
    """

    id: str = Field(default_factory=new_id, min_length=1, max_length=200)
    source: str = Field(min_length=1, max_length=500)
    type: str = Field(min_length=1, max_length=200)
    time: AwareDatetime = Field(default_factory=utc_now)
    severity: Severity = Severity.INFO
    subject: str = Field(default="", max_length=500)
    data: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _without_passwords(cls, values: Any) -> Any:
        # Before it has an identity, so that whoever looks it up knows it by the same one.
        return _without_controls(without_passwords(values))

    @property
    def status(self) -> str:
        """``firing`` or ``resolved``, of an event that tells how an alert stands; else empty.

        Its data have that ``status``, and the ``fingerprint`` that the sender knows the alert by.
        """
        fingerprint = self.data.get("fingerprint")
        if not (isinstance(fingerprint, str) and fingerprint):
            return ""
        return next((s for s in (FIRING, RESOLVED) if self.data.get("status") == s), "")

    @property
    def notes(self) -> list[str]:
        """What was not as it is usual, and how it was read."""
        said = self.data.get(NOTES)
        return [str(note) for note in said] if isinstance(said, list) else []

    @property
    def fingerprint(self) -> str:
        """Which thing the event is about, whoever tells it and whatever it says."""
        if self.status:
            return alert_identity(self.source, self.data["fingerprint"])
        return _digest(self.type, self.subject or self.source)

    @property
    def tells_how_it_stands(self) -> bool:
        """Whether it has no identity but that of its alert.

        Senders say again and again that an alert fires: that is an event when it did not before.
        """
        return bool(self.status) and self.id == self.fingerprint

    @property
    def content_hash(self) -> str:
        """What the event says; the instant is no part of it."""
        said = _SAID({k: v for k, v in self.data.items() if k not in (NOTES, BESIDE)})
        return _digest(self.type, self.subject or self.source, self.severity.value, said)


def alert_identity(source: str, fingerprint: str) -> str:
    """The id and fingerprint of all events about an alert, by what its sender knows it by."""
    return _digest(source, fingerprint)


_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def _without_controls(values: Any) -> Any:
    """With spaces for what breaks a line, or steers a terminal, in what an event is named by."""
    if not isinstance(values, dict):
        return values
    odd = [
        name
        for name in ("subject", "type", "source")
        if isinstance(text := values.get(name), str) and _CONTROLS.search(text)
    ]
    if not odd:
        return values
    clean = {name: _CONTROLS.sub(" ", values[name]).strip() for name in odd}
    data = values.get("data", {})
    if isinstance(data, dict):
        before = data.get(NOTES)
        notes = before if isinstance(before, list) else []
        said = [f"Its {name} had control characters: they are spaces now." for name in odd]
        data = {**data, NOTES: [*notes, *(note for note in said if note not in notes)]}
    return {**values, **clean, "data": data}


_SAID = json.JSONEncoder(sort_keys=True, default=str).encode  # json.dumps would make it each time


def _digest(*parts: str) -> str:
    text = json.dumps(parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
