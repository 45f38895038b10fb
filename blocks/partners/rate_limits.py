"""Rate limits as partners tell them in headers, in the dialects that are in use.

``Retry-After`` (RFC 9110), ``RateLimit`` and ``RateLimit-Policy`` (draft-ietf-httpapi-ratelimit-
headers, the present form and the earlier ones), ``X-RateLimit-*`` and ``X-Rate-Limit-*``. What
cannot be read is as if it were not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from pydantic import AwareDatetime

from blocks.models import Frozen

LONGEST = timedelta(days=1)
"""No partner is left alone for longer, whatever it says: a slip of its own would last for ever."""

_MEMBER = re.compile(r'\s*"?([^";,=\s]*)"?((?:\s*;\s*\w+=[^;,]*)+)\s*(?:,|$)')
_PARAMETER = re.compile(r"(\w+)=\s*(\d{1,15})(?!\d)")
_NUMBER = re.compile(r"\s*(\d{1,15})(\.\d+)?\s*$")
_PREFIXES = ("ratelimit", "x-ratelimit", "x-rate-limit")
_EPOCH = 10**9
"""Larger numbers are no seconds to wait but seconds since 1970; a thousand times that, ms."""


class RateLimit(Frozen):
    """What is known of the calls that a partner still takes.

    Attributes:
        remaining: Calls that it still takes before ``resets_at``; None when unknown.
        resets_at: From then on it takes more.
        not_before: When it wants to be called again at the earliest; None when it said nothing.
    """

    remaining: int | None = None
    resets_at: AwareDatetime | None = None
    not_before: AwareDatetime | None = None

    def free_at(self, now: datetime) -> datetime | None:
        """When the next call may be made; None when it may now."""
        spent = self.remaining is not None and self.remaining <= 0
        waits = [each for each in (self.not_before, self.resets_at if spent else None) if each]
        # A clock that was set back must not make it longer.
        return max((each for each in waits if now < each <= now + LONGEST), default=None)

    def take(self, now: datetime) -> RateLimit:
        """What is left after a call that begins now."""
        if self.remaining is None or self.resets_at is None or self.resets_at <= now:
            return RateLimit(not_before=self.not_before)
        return self.model_copy(update={"remaining": max(self.remaining - 1, 0)})

    def learn(
        self, status: int, headers: Mapping[str, str], now: datetime, skew_s: float
    ) -> RateLimit:
        """What is known after an answer.

        Args:
            status: Its status; ``Retry-After`` counts where it refuses.
            headers: Its headers, names in lower case.
            now: When it came.
            skew_s: The partner's clock minus ours: what it gives as instants is by its clock.
        """
        told = {"remaining": self.remaining, "resets_at": self.resets_at}
        if limits := list(_limits(headers, skew_s, now)):
            # The tightest: of those that are used up, the one that lasts longest.
            remaining, seconds = min(limits, key=lambda limit: (limit[0], -limit[1]))
            told = {"remaining": remaining, "resets_at": _after(now, seconds)}
        wait = _wait(headers.get("retry-after", ""), now, skew_s) if status >= 400 else None
        told["not_before"] = self.not_before if wait is None else _after(now, wait)
        return RateLimit.model_validate(told)


def _limits(
    headers: Mapping[str, str], skew_s: float, now: datetime
) -> Iterator[tuple[int, float]]:
    """Calls that remain, and the seconds for which that is all."""
    windows = {name: told.get("w") for name, told in _members(headers.get("ratelimit-policy", ""))}
    for name, told in _members(headers.get("ratelimit", "")):
        window = told.get("t", windows.get(name))
        if "r" in told and window is not None:
            yield told["r"], window
    earlier = dict(_PARAMETER.findall(headers.get("ratelimit", "")))  # drafts 4 to 7
    if "remaining" in earlier and "reset" in earlier:
        yield int(earlier["remaining"]), int(earlier["reset"])
    for prefix in _PREFIXES:
        remaining = _NUMBER.match(headers.get(f"{prefix}-remaining", ""))
        seconds = _wait(headers.get(f"{prefix}-reset", ""), now, skew_s)
        if remaining and seconds is not None:
            yield int(remaining[1]), seconds


def _members(value: str) -> Iterator[tuple[str, dict[str, int]]]:
    """The members of a structured list and their whole numbers: ``"default";r=50;t=30``."""
    for name, parameters in _MEMBER.findall(value[:2000]):
        yield name, {key: int(number) for key, number in _PARAMETER.findall(parameters)}


def _wait(value: str, now: datetime, skew_s: float) -> float | None:
    """Seconds from now, of a number of seconds, an instant in numbers, or an HTTP date."""
    if number := _NUMBER.match(value):
        seconds = float(number[0])
        if seconds < _EPOCH:
            return seconds
        theirs = seconds if seconds < _EPOCH * 1000 else seconds / 1000
        return max(theirs - skew_s - now.timestamp(), 0.0)
    try:
        instant = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    instant = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return max((instant - now).total_seconds() - skew_s, 0.0)


def _after(now: datetime, seconds: float) -> datetime:
    return now + min(timedelta(seconds=min(seconds, LONGEST.total_seconds())), LONGEST)
