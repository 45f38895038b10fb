"""Going on where an earlier life of a run stopped: what was asked before is not done again."""

from __future__ import annotations

from typing import Any, get_type_hints

from pydantic import BaseModel, ValidationError

from agents.calls import Reply
from agents.registry import ActionSpec
from blocks.ledger import Ledger
from blocks.ledger.calls.records import CallRecord
from blocks.vocabulary.messages import ErrorInfo

UNKNOWN = "outcome-unknown"
"""Code of the error of a call that may have changed the world outside; nobody knows."""


async def earlier_reply(ledger: Ledger, spec: ActionSpec, message_id: str) -> Reply | None:
    """What came of a message that was sent before; None when it may be sent, or sent again.

    An act that was begun and not answered is not begun a second time: its outcome is unknown.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    call = await ledger.call(message_id)
    if call is None or may_be_asked_again(spec, call):
        return None
    if call.outcome is not None:
        return Reply(call.message, result_of_call(spec, call), call.error, _instance(call))
    died = f"{spec.full_name} was begun by a run that died; its outcome is unknown."
    return Reply(call.message, None, ErrorInfo(code=UNKNOWN, what=died), _instance(call))


def may_be_asked_again(spec: ActionSpec, call: CallRecord) -> bool:
    """Whether a call has no answer, and asking again does no harm."""
    return call.outcome is None and not (spec.policy.effect and call.attempts)


def result_of_call(spec: ActionSpec, call: CallRecord) -> Any:
    """The result that a reply in the ledger describes, as the action's own type if it fits.

    What was too large for the ledger is there in outline only, and comes as plain JSON.
    """
    described = (call.reply or {}).get("result")
    kind = get_type_hints(spec.function).get("return")
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        try:
            return kind.model_validate(described)
        except ValidationError:
            return described
    return described


def _instance(call: CallRecord) -> str:
    return call.agent if call.attempts else ""
