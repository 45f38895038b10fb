"""What a call to an agent is: its tools, its envelope, its message, its reply."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import Any

from agents.capability import USUAL_TIMEOUT, Asker, signature_of, tools_of
from agents.descriptions import describe
from agents.registry import ActionSpec, Registry, registry
from blocks.business.business import Business
from blocks.errors import InvalidMessage
from blocks.ledger import Ledger
from blocks.prefect_api.client import PrefectApi
from blocks.vocabulary.messages import (
    ORCHESTRATOR,
    AgentMessage,
    AgentReply,
    ErrorInfo,
    MessageType,
    Outcome,
    Priority,
)


@dataclass(frozen=True)
class Toolbox:
    """What a run's actions are handed beside their message, and where they are looked up."""

    ledger: Ledger
    business: Business | None = None
    prefect: PrefectApi | None = None
    registry: Registry = field(default_factory=registry)

    def tools(self, names: frozenset[str], now: datetime, message_id: str = "") -> dict[str, Any]:
        """The named tools, for the call of a message.

        Raises:
            InvalidMessage: A tool is asked for that this run does not have.
        """
        held = {"now": now, "ledger": self.ledger, "idempotency_key": key_of(message_id)}
        held |= {"business": self.business} if self.business is not None else {}
        held |= {"prefect": self.prefect} if self.prefect is not None else {}
        if lacking := names - held.keys():
            raise InvalidMessage(f"This run has no {', '.join(sorted(lacking))} to hand out.")
        return {name: held[name] for name in names}

    def time_limit(self, spec: ActionSpec, params: Mapping[str, Any]) -> float:
        """Seconds that one attempt at an action may take."""
        limit = spec.policy.timeout
        if not callable(limit):
            return limit
        return USUAL_TIMEOUT if self.business is None else limit(params, self.business)


@dataclass(frozen=True)
class Envelope:
    """What a message says beside its payload.

    Attributes:
        message_id: Its id, where it has to be known beforehand; else a new one.
        sent_at: When it was sent, where that was before now.
        run_id: The workflow run that it belongs to.
        task_id: The task that it belongs to.
        sender: Who asks.
        type: What the message wants.
        priority: How urgent it is; computed from type and payload when None.
        instance: Which instance of the agent answers; the agent's own when empty.
        asker: Where the parameters come from; an action may not be for everybody.
    """

    message_id: str | None = None
    sent_at: datetime | None = None
    run_id: str | None = None
    task_id: str | None = None
    sender: str = ORCHESTRATOR
    type: MessageType = MessageType.REQUEST
    priority: Priority | None = None
    instance: str = ""
    asker: Asker = Asker.WORKFLOW


@dataclass(frozen=True)
class Reply:
    """The answer to a call: the action's own result, or the error that ended it."""

    message: AgentMessage
    result: Any = None
    error: ErrorInfo | None = None
    instance: str = ""

    @property
    def ok(self) -> bool:
        """Whether the action gave a result."""
        return self.error is None

    @property
    def called(self) -> str:
        """``agent.action``."""
        return f"{self.message.recipient}.{self.message.action}"


def attempt_id(idempotency_key: str, attempt: int) -> str:
    """The id of the message by which an effect is tried, from the first attempt on."""
    return idempotency_key if attempt <= 1 else f"{idempotency_key}~{attempt}"


def key_of(message_id: str) -> str:
    """The idempotency key of the effect that a message tries."""
    return _ATTEMPT.sub("", message_id)


_ATTEMPT = re.compile(r"~\d+$")

PLAIN = Envelope()
"""A request of the orchestrator's that belongs to no run."""


def address(spec: ActionSpec, envelope: Envelope, params: dict[str, Any]) -> AgentMessage:
    """The message by which an action is asked for.

    Raises:
        NotAllowed: The action is not for who asks.
        InvalidMessage: The parameters do not fit the action's signature.
    """
    spec.check_asker(envelope.asker)
    check_signature(spec, params)
    chosen = {
        "id": envelope.message_id,
        "timestamp": envelope.sent_at,
        "priority": envelope.priority,
    }
    return AgentMessage(
        sender=envelope.sender,
        recipient=spec.agent,
        type=envelope.type,
        action=spec.name,
        payload={name: describe(value) for name, value in params.items()},
        run_id=envelope.run_id,
        task_id=envelope.task_id,
        **{name: value for name, value in chosen.items() if value is not None},
    )


def answer(
    toolbox: Toolbox,
    message: AgentMessage,
    result: Any,
    error: ErrorInfo | None,
    attempts: int,
    began: float,
) -> None:
    """Record the reply to a message; ``began`` is what ``perf_counter`` said when it was sent."""
    toolbox.ledger.record(
        AgentReply(
            message_id=message.id,
            sender=message.recipient,
            outcome=Outcome.FAILED if error else Outcome.SUCCEEDED,
            payload={} if result is None else {"result": describe(result)},
            error=error,
            attempts=attempts,
            duration_ms=(perf_counter() - began) * 1000,
        )
    )


def check_signature(spec: ActionSpec, params: dict[str, Any]) -> None:
    """See that an action can be called with these parameters.

    Raises:
        InvalidMessage: One is missing or unknown.
    """
    tools = dict.fromkeys(tools_of(spec.function) - params.keys())
    try:
        signature_of(spec.function).bind(**params, **tools)
    except TypeError as error:
        raise InvalidMessage(
            f"{spec.full_name}: {error}.", hint="See ./orchestrator agents for its parameters."
        ) from None
