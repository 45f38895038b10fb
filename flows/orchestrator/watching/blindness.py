"""A part that can look at nothing is trouble itself: what it watches may be in any state."""

from __future__ import annotations

from datetime import datetime, timedelta

from blocks.vocabulary.looks import Look, Signal
from blocks.vocabulary.messages import Severity

KIND = "watch.blind"

BLIND_AFTER = timedelta(minutes=10)
"""A part that fails for a shorter time may do so because something restarts."""


class Sight:
    """Since when parts fail, as far as this process knows."""

    def __init__(self) -> None:
        self._since: dict[str, datetime] = {}

    def judged(self, look: Look, now: datetime) -> Look:
        """A look that also says whether its part can look at all.

        A part that fails says nothing of itself until it is told: so an alert of an earlier process
        stays until a look succeeds.
        """
        subject = f"watch:{look.part}"
        if not look.failed:
            self._since.pop(look.part, None)
            return look.model_copy(update={"covered": look.covered | {subject}})
        since = self._since.setdefault(look.part, now)
        if now - since < BLIND_AFTER:
            return look
        return look.model_copy(update={"signals": (*look.signals, _blind(look, since))})


def _blind(look: Look, since: datetime) -> Signal:
    return Signal(
        kind=KIND,
        subject=f"watch:{look.part}",
        severity=Severity.ERROR,
        summary=f"Nobody watches {look.part} since {since:%Y-%m-%d %H:%M} UTC: {look.failed}",
        runbook="Whatever is wrong there is not told now. Mend what it says, and see by "
        "./orchestrator watch --once that it looks again.",
        evidence={"part": look.part, "since": since.isoformat(), "why": look.failed},
    )
