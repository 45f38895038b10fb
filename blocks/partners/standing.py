"""How we stand with one partner: its breaker, its quota of retries, the rate limit it told."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from blocks.models import Frozen
from blocks.partners.answers import Answer
from blocks.partners.breaker import Breaker
from blocks.partners.quota import Quota
from blocks.partners.rate_limits import RateLimit


class Admission(NamedTuple):
    """What a call is told that wants to be made.

    Attributes:
        turn: What its outcome is reported with; None when it is not to be made now.
        until: When it may be, if not now.
        failing_since: Since when the partner is left alone because its calls fail; None when it
            is not, and ``until`` is its rate limit's.
    """

    turn: int | None
    until: datetime | None = None
    failing_since: datetime | None = None


class Standing(Frozen):
    """How we stand with one partner; every change makes a new one."""

    breaker: Breaker = Breaker()
    quota: Quota = Quota()
    limit: RateLimit = RateLimit()

    def enter(self, now: datetime) -> tuple[Standing, Admission]:
        """After a call wanted to be made at ``now``."""
        if free_at := self.limit.free_at(now):
            return self, Admission(None, free_at)
        breaker, entry = self.breaker.enter(now)
        if entry.turn is None:
            return self, Admission(None, entry.until, breaker.since)
        changed = {"breaker": breaker, "limit": self.limit.take(now)}
        return self.model_copy(update=changed), Admission(entry.turn)

    def leave(
        self, turn: int, now: datetime, *, well: bool | None, answer: Answer | None, retried: bool
    ) -> tuple[Standing, None]:
        """After a call came back.

        Args:
            turn: What it was admitted with.
            now: When it came back.
            well: Whether the partner did its part; None when that was not seen.
            answer: What it answered, if anything.
            retried: Whether it was not the first attempt.
        """
        changed: dict[str, object] = {"breaker": self.breaker.leave(turn, well, now)}
        if well:
            changed["quota"] = self.quota.refill(retried)
        if answer:
            skew_s = answer.clock_skew_s or 0.0
            changed["limit"] = self.limit.learn(answer.status, answer.headers, now, skew_s)
        return self.model_copy(update=changed), None

    def spend(self) -> tuple[Standing, bool]:
        """After a retry was wanted, and whether the quota has it."""
        quota, enough = self.quota.spend()
        return self.model_copy(update={"quota": quota}), enough
