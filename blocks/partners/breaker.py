"""The circuit breaker: a partner of whose calls half fail is left alone for a while.

Of the kept libraries, purgatory and pybreaker count failures in a row, so that a partner that fails
every other call never opens them, and share that count through Redis alone; each run of ours is a
process, and a shop has no Redis. So it is written here, after resilience4j's count-based sliding
window, as values: how a breaker stands is kept by ``blocks.partners.memory``.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from pydantic import AwareDatetime

from blocks.models import Frozen

WINDOW = 20
"""The last calls that are looked at."""

MINIMUM = 10
"""So many of them tell something."""

PROBES = 10
"""Calls that are let through to see whether a partner is well again."""

OPEN = timedelta(seconds=60)
"""How long no call is let through."""

_WELL, _FAILED = "+", "-"


class Entry(NamedTuple):
    """Whether a call is let through.

    Attributes:
        turn: What its outcome is reported with; None when it is not let through.
        until: When the next one will be, if it is not.
    """

    turn: int | None
    until: datetime | None = None


class Breaker(Frozen):
    """How the breaker of one partner stands: closed, open, or half open.

    It opens when half of the last WINDOW calls failed, MINIMUM of them at least; stays open for
    OPEN; and lets PROBES calls through then. As soon as half of PROBES have failed it opens again;
    if all have come back and fewer failed, it closes. Probes that never come back, because their
    process died, are replaced after OPEN. So while a partner is down at most PROBES calls reach it
    in each OPEN.

    Attributes:
        calls: Outcomes since the last turn, oldest first, at most WINDOW: + well, - failed.
        turn: Grows whenever it opens, half opens or closes; an outcome of an earlier turn is late
            and counts for nothing.
        since: When it first opened and has not been closed since; None while it is closed.
        opened_at: When it last opened.
        probing_since: When it last half opened; None while it is open.
        probes: Calls let through since.
    """

    calls: str = ""
    turn: int = 0
    since: AwareDatetime | None = None
    opened_at: AwareDatetime | None = None
    probing_since: AwareDatetime | None = None
    probes: int = 0

    def enter(self, now: datetime) -> tuple[Breaker, Entry]:
        """How it stands after a call asked to be let through, and whether it is."""
        if self.opened_at is None:
            return self, Entry(self.turn)
        began = self.probing_since or self.opened_at
        if self.probing_since and self.probes < PROBES:
            return self._with(probes=self.probes + 1), Entry(self.turn)
        # A clock that was set back must not keep it open for longer.
        if timedelta(0) <= now - began < OPEN:
            return self, Entry(None, began + OPEN)
        halfway = self._with(calls="", turn=self.turn + 1, probing_since=now, probes=1)
        return halfway, Entry(halfway.turn)

    def leave(self, turn: int, well: bool | None, now: datetime) -> Breaker:
        """How it stands after a call came back.

        Args:
            turn: What the call was let through with.
            well: Whether the partner did its part; None when that was not seen.
            now: When it came back.
        """
        if turn != self.turn:
            return self
        if well is None:
            return self._with(probes=max(self.probes - 1, 0)) if self.probing_since else self
        calls = (self.calls + (_WELL if well else _FAILED))[-WINDOW:]
        if self.opened_at is None:
            bad = len(calls) >= MINIMUM and 2 * calls.count(_FAILED) >= len(calls)
            return self._opened(now) if bad else self._with(calls=calls)
        if 2 * calls.count(_FAILED) >= PROBES:
            return self._opened(now)
        return Breaker(turn=self.turn + 1) if len(calls) >= PROBES else self._with(calls=calls)

    def _opened(self, now: datetime) -> Breaker:
        return Breaker(turn=self.turn + 1, since=self.since or now, opened_at=now)

    def _with(self, **changed: object) -> Breaker:
        return self.model_copy(update=changed)
