"""The marker that makes a function an agent's action.

An action is a plain (async) function: typed parameters and result, no Prefect, no clock, no
logger. The marker tags it and returns it unchanged; ``agents.registry`` finds it and
``agents.tasks`` gives it a name, retries, a timeout and its ledger entry.

Five parameter names are filled in by the caller's toolbox rather than by the message, because
they are tools and not data: ``now`` (aware datetime), ``business`` (a Business), ``ledger`` (a
Ledger), ``prefect`` (a PrefectApi) and ``idempotency_key`` (text: the same however often one effect
is tried).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from blocks.vocabulary.effects import Effect

if TYPE_CHECKING:
    from blocks.business.business import Business

TOOLS = frozenset({"now", "business", "ledger", "prefect", "idempotency_key"})

USUAL_TIMEOUT = 60.0
"""Seconds that one attempt may take where the action does not say."""

TimeLimit = Callable[[Mapping[str, Any], "Business"], float]
"""Seconds that one attempt with these parameters may take, in this business."""

F = TypeVar("F", bound=Callable[..., Any])


class Asker(StrEnum):
    """Who asks for an action: where its parameters come from.

    Attributes:
        WORKFLOW: Our own code, with what it found itself.
        PERSON: Somebody at the command line of this machine, who may read its files anyway.
        MESSAGE: Everything else from outside: messages, tasks of the decision matrix, events.
    """

    WORKFLOW = "workflow"
    PERSON = "person"
    MESSAGE = "message"


ANYBODY = frozenset(Asker)
"""For actions whose parameters only name what is configured: never an address, a path, a command
or a credential. A contract test sees to that."""


@dataclass(frozen=True)
class ActionPolicy:
    """How an action is run.

    Attributes:
        timeout: Deadline of one attempt, in seconds; or how to tell it from the parameters and the
            business, where what is acted on has a time limit of its own.
        retries: Further attempts after a retryable error.
        effect: What it says of itself as a kind of effect, if it changes the world outside. Its
            message is then durable before it acts, and it acts only through
            ``flows.orchestrator.effects.acting``, which may have reasons not to.
        resource: What it acts on, ``type:name``, with parameters in braces: ``service:{service}``.
            An effect that does not say so acts on itself: it is done once at a time.
        askers: Who may ask for it. What is not declared is for our own workflows alone.
    """

    timeout: float | TimeLimit = USUAL_TIMEOUT
    retries: int = 2
    effect: Effect | None = None
    resource: str = ""
    askers: frozenset[Asker] = frozenset({Asker.WORKFLOW})


def action(
    *,
    timeout: float | TimeLimit = USUAL_TIMEOUT,
    retries: int | None = None,
    effect: Effect | None = None,
    resource: str = "",
    askers: Iterable[Asker] = (Asker.WORKFLOW,),
) -> Callable[[F], F]:
    """Mark a function as an action; see ActionPolicy for the arguments.

    An effect is not retried unless ``retries`` says so: after an error nobody knows whether it
    happened.
    """
    tries = (0 if effect else 2) if retries is None else retries
    policy = ActionPolicy(timeout, tries, effect, resource, frozenset(askers))

    def mark(function: F) -> F:
        function.__action__ = policy  # type: ignore[attr-defined]
        return function

    return mark


def policy_of(function: Callable[..., Any]) -> ActionPolicy | None:
    """The policy of an action, None for any other function."""
    policy = getattr(function, "__action__", None)
    return policy if isinstance(policy, ActionPolicy) else None


@cache
def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """The action's signature: every call asks for it, and to find out takes as long as to bind."""
    return inspect.signature(function)


@cache
def tools_of(function: Callable[..., Any]) -> frozenset[str]:
    """Which tools the action asks for."""
    return TOOLS & set(signature_of(function).parameters)
