"""What the ledger holds, as the rest of the product sees it. No ORM type leaves the folder."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, Field

from blocks.models import Strict
from blocks.vocabulary.blame import Blame
from blocks.vocabulary.messages import AgentMessage, ErrorInfo, Outcome, Priority, new_id


class RunRecord(Strict):
    """One run of a workflow. ``outcome`` is None while it runs."""

    id: str
    workflow: str
    trigger: str = "ad hoc"
    flow_run_id: str | None = None
    started_at: AwareDatetime
    finished_at: AwareDatetime | None = None
    outcome: Outcome | None = None


class AttemptRecord(Strict):
    """One attempt of one agent call.

    An attempt that has no ``finished_at`` is in progress until ``deadline``; after it, the
    process that ran it is taken to be dead. That makes open attempts the live workload, and a
    crash never leaves an agent busy for ever. ``action`` and ``sent_at`` are the message's.
    """

    message_id: str
    attempt: int
    agent: str
    instance: str = ""
    action: str
    sent_at: AwareDatetime
    started_at: AwareDatetime
    deadline: AwareDatetime
    finished_at: AwareDatetime | None = None
    outcome: Outcome | None = None
    error: ErrorInfo | None = None


class PastAttempt(Strict):
    """One finished attempt with the call that it belongs to."""

    message_id: str
    attempt: int
    agent: str
    instance: str
    action: str
    sent_at: AwareDatetime
    started_at: AwareDatetime
    finished_at: AwareDatetime
    outcome: Outcome
    blame: Blame | None = Field(default=None, description="Whom it failed by; None: it did not.")

    @property
    def called_off(self) -> bool:
        """Whether it was cancelled: that says nothing of anybody."""
        return self.blame is Blame.NOBODY


class ReportRecord(Strict):
    """The report that a workflow run left, as JSON."""

    run_id: str
    workflow: str
    created_at: AwareDatetime
    body: dict[str, Any]


class CallRecord(Strict):
    """One agent call as it reads afterwards: its message, its reply, its attempts."""

    message_id: str
    run_id: str | None
    sender: str
    agent: str
    action: str
    priority: int
    sent_at: AwareDatetime
    payload: dict[str, Any]
    outcome: Outcome | None
    reply: dict[str, Any] | None
    error: ErrorInfo | None
    attempts: int
    duration_ms: float | None

    @property
    def message(self) -> AgentMessage:
        """The message as it was sent."""
        return AgentMessage(
            id=self.message_id,
            timestamp=self.sent_at,
            sender=self.sender,
            recipient=self.agent,
            action=self.action,
            payload=self.payload,
            priority=Priority(self.priority),
            run_id=self.run_id,
        )


class AgentActivity(Strict):
    """What the ledger knows of one agent over a window."""

    agent: str
    workload: int = 0
    completed: int = 0
    failed: int = 0
    mean_ms: float | None = None
    last_reply_at: AwareDatetime | None = None


class ReceiptKind(StrEnum):
    """What was decided.

    Of an effect it is told whether to act (``decide``), what came of an attempt (``act``), whether
    the predicted change came (``verify``), and that it was taken back (``undo``). ``remediate`` is
    what earlier releases left of the first; it is read, and not written any more.
    """

    ROUTE = "route"
    SELECT = "select"
    RECOVER = "recover"
    ESCALATE = "escalate"
    APPROVE = "approve"
    ARBITRATE = "arbitrate"
    CORRELATE = "correlate"
    RESPOND = "respond"
    DECIDE = "decide"
    ACT = "act"
    VERIFY = "verify"
    UNDO = "undo"
    ENTRUST = "entrust"
    REMEDIATE = "remediate"
    RETENTION = "retention"


class ReceiptRecord(Strict):
    """What was decided, from what, and why the alternatives lost.

    Attributes:
        subject: Id of the task, message, incident or approval that it is about.
        body: JSON-able: ``inputs`` (what was known), ``decision``, ``why`` (in words), and where
            there was a choice ``candidates`` with their scores and why the others lost.
    """

    id: str = Field(default_factory=new_id)
    at: AwareDatetime
    kind: ReceiptKind
    subject: str
    run_id: str | None = None
    policy_version: str = ""
    body: dict[str, Any]
