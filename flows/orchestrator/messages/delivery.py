"""Messages from outside: read, delivered to the agent they name, answered; or kept as dead letters.

A document is a dead letter when it cannot be read, or when nobody can be asked what it asks. What
an agent fails at is no dead letter: it was delivered, and its failure is the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NoReturn

from agents.calls import Envelope
from agents.capability import Asker, tools_of
from blocks import dialects
from blocks.crash_points import reach
from blocks.dialects import Dialect, Incoming, standalone
from blocks.dialects.strict_json import Raw
from blocks.errors import RequestError
from blocks.ledger.calls.dead_letters import DeadLetter, LetterStatus
from blocks.ledger.calls.records import CallRecord
from blocks.models import Frozen
from blocks.vocabulary.messages import AgentMessage, AgentReply, Outcome, utc_now
from flows.orchestrator.dispatch.parameters import fitting
from flows.orchestrator.dispatch.resume import may_be_asked_again
from flows.orchestrator.events.accept import accept_into
from flows.orchestrator.runs.deaths import are_lives_of_one
from flows.orchestrator.runs.identity import with_lasting_id
from flows.orchestrator.team.team import Orchestrator


class Delivery(Frozen):
    """What became of a document, or of one message in it. One of the three is given.

    Attributes:
        dialect: What it is written in; "" when that could not be told.
        call: The message and what the agent answered; no outcome while it is at work, or when its
            process died over it.
        again: Whether the message was delivered before, and this is what came of it then.
        answer: The reply in the sender's dialect.
        accepted: The ids of the events that the inbox has taken.
        letter: The dead letter that is kept.
    """

    dialect: str = ""
    call: CallRecord | None = None
    again: bool = False
    answer: dict[str, Any] | None = None
    accepted: list[str] | None = None
    letter: DeadLetter | None = None

    @property
    def ok(self) -> bool:
        """Whether it was delivered, and not answered by a failure."""
        failed = self.call is not None and self.call.outcome is Outcome.FAILED
        return self.letter is None and not failed


async def deliver(
    team: Orchestrator,
    raw: Raw,
    *,
    origin: str,
    dialect: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> list[Delivery]:
    """Read a document and deliver what it holds.

    Args:
        team: The run that delivers.
        raw: The document, as it came.
        origin: Where it came from, in words.
        dialect: What it is written in; detected when None.
        headers: The HTTP headers that it came with, if any.

    Returns:
        One per message, and one for all events. Whatever it says is durable.

    Raises:
        LedgerError: The ledger cannot be read or written.
    """
    spoken = dialect or ""
    try:
        incoming = await _with_lasting_ids(dialects.read(raw, dialect, headers, team.policy.alerts))
        spoken = incoming.dialect
        calls = {message.id: _addressed(team, message) for message in incoming.messages}
    except RequestError as error:
        letter = await with_lasting_id(
            DeadLetter(
                received_at=utc_now(),
                origin=origin,
                dialect=spoken,
                raw=standalone(raw, headers),
                reason=str(error),
            )
        )
        await team.ledger.dead_letters.keep(letter)
        return [Delivery(dialect=spoken, letter=letter)]
    return await _hand_over(team, incoming, calls)


async def resend(
    team: Orchestrator, letter_id: str, fixed: Raw | None = None, dialect: str | None = None
) -> list[Delivery]:
    """Deliver what a dead letter should have said; of those who do it at once, one does.

    A letter whose message was settled as resent, and never taken in because the process died just
    then, may be resent again; its message goes out under the id that was settled.

    Args:
        team: The run that delivers.
        letter_id: The letter, or the beginning of its id.
        fixed: The corrected document; the same again when None.
        dialect: What it is written in; else as the letter says, or detected if it was corrected.

    Raises:
        RequestError: There is no such letter, it is settled, or the document still cannot be
            delivered: the letter then waits on.
        LedgerError: The ledger cannot be read or written.
    """
    letter = await team.ledger.dead_letters.get(letter_id)
    if letter.status is LetterStatus.DISCARDED:
        _refuse_settled(letter)
    if fixed is None:
        fixed, dialect = letter.raw, dialect or letter.dialect or None
    incoming = await _with_lasting_ids(dialects.read(fixed, dialect, rules=team.policy.alerts))
    if letter.message_id and incoming.messages:
        one = incoming.messages[0].model_copy(update={"id": letter.message_id})
        incoming = replace(incoming, messages=[one, *incoming.messages[1:]])
    calls = {message.id: _addressed(team, message) for message in incoming.messages}
    if not incoming.messages:
        if letter.status is LetterStatus.RESENT:
            _refuse_settled(letter)
        # The inbox knows events by source and id, so they are handed over before the letter is
        # settled; a message is not delivered unless it is.
        delivered = await _hand_over(team, incoming, calls)
        first = incoming.events[0].id if incoming.events else letter.id
        await team.ledger.dead_letters.resent(letter.id, first, utc_now())
        return delivered
    (first_id, *_) = calls
    if letter.status is LetterStatus.RESENT:
        if await team.ledger.call(first_id) is not None:
            _refuse_settled(letter)
    elif not await team.ledger.dead_letters.resent(letter.id, first_id, utc_now()):
        _refuse_settled(await team.ledger.dead_letters.get(letter.id))
    return await _hand_over(team, incoming, calls)


async def _with_lasting_ids(incoming: Incoming) -> Incoming:
    messages = [await with_lasting_id(each, place) for place, each in enumerate(incoming.messages)]
    events = [await with_lasting_id(each, place) for place, each in enumerate(incoming.events)]
    return replace(incoming, messages=messages, events=events)


def _refuse_settled(letter: DeadLetter) -> NoReturn:
    as_what = f" as message {letter.message_id}" if letter.message_id else ""
    raise RequestError(
        f"Dead letter {letter.id} was {letter.status}{as_what} before.",
        hint="To have it done again, send the document as a new message.",
    )


def _addressed(team: Orchestrator, message: AgentMessage) -> dict[str, Any]:
    """The parameters for the action that a message names.

    Raises:
        UnknownAction: There is no such agent or action; names the nearest.
        NotAllowed: The action is not for messages. Nothing of the payload is looked at, or told.
        InvalidMessage: The payload does not fit it.
    """
    spec = team.toolbox.registry.action(message.recipient, message.action)
    spec.check_asker(Asker.MESSAGE)
    params = fitting(spec, message.payload)
    team.toolbox.tools(tools_of(spec.function), message.timestamp)  # refuses what is not there
    return params


async def _hand_over(
    team: Orchestrator, incoming: Incoming, calls: Mapping[str, dict[str, Any]]
) -> list[Delivery]:
    deliveries = [
        await _ask(team, incoming.dialect, message, calls[message.id])
        for message in incoming.messages
    ]
    if incoming.events:
        accepted, _ = await accept_into(team.ledger, incoming.events)
        deliveries.append(Delivery(dialect=incoming.dialect, accepted=list(accepted.ids)))
    return deliveries


async def _ask(
    team: Orchestrator, dialect: Dialect, message: AgentMessage, params: dict[str, Any]
) -> Delivery:
    """Have the agent answer, unless it did before."""
    message = message.model_copy(update={"run_id": team.run.id})
    new = await team.ledger.mailbox.take_in(message)
    reach("message.taken-in")
    if new or await _is_unanswered(team, message):
        envelope = Envelope(
            message_id=message.id,
            sender=message.sender,
            type=message.type,
            priority=message.priority,
            asker=Asker.MESSAGE,
        )
        await team.ask(message.recipient, message.action, params, envelope)
        await team.ledger.flush()
        reach("message.answered")
    call = await team.ledger.call(message.id)
    assert call is not None, "taken in"
    answered = None if call.outcome is None else _answer(dialect, message, call)
    return Delivery(dialect=dialect, call=call, again=not new, answer=answered)


async def _is_unanswered(team: Orchestrator, message: AgentMessage) -> bool:
    """Whether this run took the message in before it crashed, and asking again does no harm."""
    call = await team.ledger.call(message.id)
    if call is None or call.run_id == team.run.id:
        return False
    spec = team.toolbox.registry.action(call.agent, call.action)
    return are_lives_of_one(call.run_id, team.run.id) and may_be_asked_again(spec, call)


def _answer(dialect: Dialect, message: AgentMessage, call: CallRecord) -> dict[str, Any]:
    assert call.outcome is not None, "answered"
    reply = AgentReply(
        message_id=call.message_id,
        sender=call.agent,
        outcome=call.outcome,
        payload=call.reply or {},
        error=call.error,
        attempts=call.attempts,
        duration_ms=call.duration_ms or 0.0,
    )
    return dialects.answer(dialect, message, reply)
