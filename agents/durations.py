"""How long the agents' calls take: the last hour against what is usual, from the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from agents.statistics import robust_deviation
from blocks.ledger import CallRecord

USUAL = timedelta(days=7)
"""How far back the usual duration is measured."""

RECENT = timedelta(hours=1)

LEAST_USUAL = 8
"""Fewer earlier calls say nothing of what is usual."""

LEAST_SPREAD = 0.1
"""Share of the usual duration below which a difference is never called large."""


@dataclass(frozen=True)
class CallDurations:
    """One action's durations, in milliseconds.

    Attributes:
        called: ``agent.action``.
        recent: Answered calls in the last hour.
        recent_ms: Their median duration.
        usual: Answered calls in the week before that hour.
        usual_ms: Their median duration.
        spread_ms: Robust standard deviation of theirs (MAD), at least a tenth of the median.
        first_slow_at: When the first of the recent calls was sent that took longer than
            ``usual_ms`` plus three spreads; None when none did.
    """

    called: str
    recent: int
    recent_ms: float
    usual: int
    usual_ms: float
    spread_ms: float
    first_slow_at: datetime | None

    @property
    def z(self) -> float:
        """How many spreads the last hour's median lies above the usual one; below: negative."""
        return (self.recent_ms - self.usual_ms) / self.spread_ms


def compare_durations(calls: Iterable[CallRecord], now: datetime) -> list[CallDurations]:
    """Each action's last hour against its week before; those slowed down most come first.

    Only successful calls count: one that fails at once is not fast. Actions with no recent call,
    or with fewer than LEAST_USUAL earlier ones, are left out.
    """
    by_action: dict[str, list[CallRecord]] = {}
    for call in calls:
        if call.duration_ms is not None and call.error is None and call.sent_at <= now:
            by_action.setdefault(f"{call.agent}.{call.action}", []).append(call)
    compared = (_compare(called, those, now) for called, those in by_action.items())
    return sorted((each for each in compared if each), key=lambda each: (-each.z, each.called))


def _compare(called: str, calls: list[CallRecord], now: datetime) -> CallDurations | None:
    recent = [call for call in calls if call.sent_at > now - RECENT]
    usual = [
        call.duration_ms or 0.0
        for call in calls
        if now - RECENT - USUAL < call.sent_at <= now - RECENT
    ]
    if not recent or len(usual) < LEAST_USUAL:
        return None
    middle = median(usual)
    # Below a millisecond nothing matters.
    spread = max(robust_deviation(usual), LEAST_SPREAD * middle, 1.0)
    slow = [call.sent_at for call in recent if (call.duration_ms or 0.0) > middle + 3 * spread]
    return CallDurations(
        called=called,
        recent=len(recent),
        recent_ms=median(call.duration_ms or 0.0 for call in recent),
        usual=len(usual),
        usual_ms=middle,
        spread_ms=spread,
        first_slow_at=min(slow, default=None),
    )
