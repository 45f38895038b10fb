"""What an effect's kind is, and which kinds there are.

An action that declares an ``Effect`` is a kind, named ``agent.action``, and is done by a run. What
is delivered is a kind with a module of its own, and can be done, and tried again, by whoever
sweeps.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from blocks.ledger import Ledger
from blocks.ledger.work.effects import EffectOutcome, EffectRecord
from blocks.vocabulary.effects import Effect, EffectStatus, EffectVerdict


@dataclass(frozen=True)
class Came:
    """What came of one attempt.

    Attributes:
        status: Where the effect stands by it.
        detail: What happened, in words.
        verdict: How it went, where that was measured.
        before, after: What was measured.
        is_final: Whether it is useless to try again, though it failed.
        is_repeatable: Whether it does no harm to try again, though nobody knows whether it was
            done: who receives it knows it again, or is asked first.
        not_before: When it may be tried again at the earliest, as whoever receives it says.
    """

    status: EffectStatus
    detail: str
    verdict: EffectVerdict | None = None
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    is_final: bool = False
    is_repeatable: bool = False
    not_before: datetime | None = None

    @property
    def is_tried_again(self) -> bool:
        """Whether it is, as long as its kind's schedule goes."""
        if self.status is EffectStatus.UNKNOWN:
            return self.is_repeatable
        return self.status is EffectStatus.FAILED and not self.is_final

    @property
    def outcome(self) -> EffectOutcome:
        """As the ledger keeps it."""
        return EffectOutcome(
            verdict=self.verdict,
            detail=self.detail,
            before=dict(self.before),
            after=dict(self.after),
        )


Act = Callable[[EffectRecord], Awaitable[Came]]
"""Does it, or takes it back, with its idempotency key; says what came of it."""

LookUp = Callable[[Ledger, EffectRecord], Awaitable[Came | None]]
"""Asks the target what came of it; None when that cannot be told."""

Question = Callable[[EffectRecord, bool], tuple[str, str]]
"""Title and text of the question whether it is done, when it is new, or done again."""


@dataclass(frozen=True)
class Kind:
    """A kind of effect.

    Attributes:
        name: Its name in the ledger.
        says: What it declares.
        act: How it is done by whoever sweeps; None when only a run can.
        look_up: How its target is asked; None when it cannot be.
        undo: How it is taken back; None when it cannot be.
        schedule: The pauses before it is tried again after it failed.
        lease: How long an attempt by whoever sweeps takes at most; after it that one is dead.
        question: How a person is asked about it; None for the usual words.
        is_repeatable: Whether an attempt that broke off counts as failed, and not as unknown: who
            receives it knows it again.
    """

    name: str
    says: Effect
    act: Act | None = None
    look_up: LookUp | None = None
    undo: Act | None = None
    schedule: Sequence[timedelta] = ()
    lease: timedelta = timedelta(minutes=1)
    question: Question | None = None
    is_repeatable: bool = False

    @classmethod
    def forgotten(cls, name: str) -> Kind:
        """A kind that the ledger knows and this installation does not."""
        nobody = "nobody knows any more"
        return cls(name, Effect(nobody, nobody, nobody, nobody))
