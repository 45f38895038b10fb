"""One document from outside: read, delivered, answered; or kept as a dead letter."""

from __future__ import annotations

from typing import Any

from prefect import flow

from agents.calls import Reply
from blocks.dialects.fields import OUTSIDE
from blocks.vocabulary.messages import ORCHESTRATOR, AgentMessage, ErrorInfo, Outcome
from flows.orchestrator.messages.delivery import Delivery, deliver, resend
from flows.orchestrator.runs.endings import outlives_outages, refusing
from flows.orchestrator.team.opening import workflow_run
from flows.orchestrator.team.outcome import conclude
from flows.reports.model import Report, Section, Table, count


class DeliveryReport(Report):
    """A report with what became of each message."""

    deliveries: list[Delivery]


@flow(
    name="deliver-message",
    description=(
        "Reads a message or event in any dialect that is known, has the agent that it names answer "
        "it, and keeps what cannot be delivered as a dead letter with its reason."
    ),
    timeout_seconds=1800,
)
@outlives_outages
@refusing
async def deliver_message(
    message: dict[str, Any] | list[Any] | str = "",
    dialect: str | None = None,
    letter: str | None = None,
) -> Report:
    """Deliver a document, or resend a dead letter.

    Args:
        message: The document: an object, a batch of them, or JSON as text.
        dialect: agent-message, agent-message-v0, cloudevents, alertmanager or json; detected when
            left out.
        letter: A dead letter that is resent by this, by its id or the beginning of it: as it came,
            or as the message says.

    Raises:
        NoBusinessConfigured: There is nothing to look after yet.
        RequestError: The dead letter is unknown or settled, or still cannot be delivered.
        LedgerError: What was done could not be recorded.
        NothingAchieved: It was not delivered, or the agent failed; the report says why.
    """
    async with workflow_run("deliver-message", passes_on=True) as team:
        if letter:
            delivered = await resend(team, letter, message or None, dialect)
        else:
            origin = f"deliver-message, run {team.run.id}"
            delivered = await deliver(team, message, origin=origin, dialect=dialect)
        team.replies += [_undelivered(one) for one in delivered if one.letter]
        report = await team.report(
            "Message delivered" if all(one.ok for one in delivered) else "Message not delivered",
            _headline(delivered),
            sections=[_section(delivered)],
            findings=[],
            replies=team.replies,
        )
    return conclude(DeliveryReport(**dict(report), deliveries=delivered))


def _undelivered(delivery: Delivery) -> Reply:
    """A dead letter as the run's failed call, so that the run ends as what it was."""
    assert delivery.letter is not None, "a dead letter"
    reading = AgentMessage(sender=OUTSIDE, recipient=ORCHESTRATOR, action="deliver")
    return Reply(reading, error=ErrorInfo(code="dead-letter", what=delivery.letter.reason))


def _headline(delivered: list[Delivery]) -> str:
    asked = [one for one in delivered if one.call]
    events = sum(len(one.accepted or ()) for one in delivered)
    letters = [one.letter.id for one in delivered if one.letter]
    parts = [f"{count(len(asked), 'message')} delivered."] if asked else []
    parts += [f"{count(events, 'event')} accepted."] if events else []
    parts += [f"Kept as dead letter {letter[:8]}." for letter in letters]
    return " ".join(parts) or "The document was empty."


def _section(delivered: list[Delivery]) -> Section:
    return Section(
        title="What became of it",
        tables=[
            Table(
                columns=["What", "Where to", "What came of it"],
                rows=[list(told(one)) for one in delivered],
            )
        ],
    )


def told(delivery: Delivery) -> tuple[str, str, str]:
    """What was delivered, where to, and what came of it, in words."""
    if delivery.letter is not None:
        return f"letter {delivery.letter.id[:8]}", "dead letters", delivery.letter.reason
    if delivery.call is None:
        return ", ".join(delivery.accepted or ()), "inbox", "accepted"
    call = delivery.call
    result = (call.reply or {}).get("result")
    summary = result.get("summary") if isinstance(result, dict) else None
    if call.outcome is None:
        came = "is being answered, or its process died over it"
    elif call.outcome is Outcome.FAILED:
        error = call.error
        came = f"failed: {error.what} {error.hint}".strip() if error else "failed"
    else:
        came = str(summary or "answered")
    again = "was delivered before; " if delivery.again else ""
    return f"message {call.message_id}", f"{call.agent}.{call.action}", f"{again}{came}"
