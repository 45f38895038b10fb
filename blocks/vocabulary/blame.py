"""Whom a failed call says something about: from its error, never from the call site."""

from __future__ import annotations

from enum import StrEnum
from functools import cache

from blocks.errors import (
    ConfigurationError,
    DataError,
    DeadlineMissed,
    OrchestratorError,
    PolicyError,
    RequestError,
    SourceError,
    error_class,
)
from blocks.vocabulary.messages import CALLED_OFF


class Blame(StrEnum):
    """Whom it says something about.

    Attributes:
        ASKER: It was asked for what cannot be done, or must not be done now.
        SOURCE: A source outside did not do its part, or is configured wrongly.
        ASKED: Who was asked missed the deadline, or has a bug.
        HOUSE: What all share failed: the ledger, the stack; or nobody was free.
        NOBODY: It was called off.
    """

    ASKER = "asker"
    SOURCE = "source"
    ASKED = "asked"
    HOUSE = "house"
    NOBODY = "nobody"


_FAMILIES: tuple[tuple[type[OrchestratorError], Blame], ...] = (
    # The first that fits counts.
    (DeadlineMissed, Blame.ASKED),
    (RequestError, Blame.ASKER),
    (PolicyError, Blame.ASKER),
    (SourceError, Blame.SOURCE),
    (DataError, Blame.SOURCE),
    (ConfigurationError, Blame.SOURCE),
    (OrchestratorError, Blame.HOUSE),
)


@cache
def blame(code: str) -> Blame:
    """Whom an error says something about, by its code as it is stored.

    What no class of errors is named like was not raised on purpose: a bug of who was asked.
    """
    if code == CALLED_OFF:
        return Blame.NOBODY
    raised = error_class(code)
    if raised is None:
        return Blame.ASKED
    return next(blamed for family, blamed in _FAMILIES if issubclass(raised, family))


def says_nothing(code: str) -> bool:
    """Whether a call that failed so tells nothing of how anything works."""
    return blame(code) in (Blame.ASKER, Blame.NOBODY)
