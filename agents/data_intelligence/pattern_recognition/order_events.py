"""What it means for the business that orders stopped, or are far fewer than usually."""

from __future__ import annotations

from datetime import datetime, timedelta

from agents.data_intelligence.anomaly_detection.orders.telling import LOW, RUNBOOK, STOPPED
from agents.data_intelligence.takings import Takings, money_between, money_per_hour
from blocks.vocabulary.messages import SystemEvent
from blocks.vocabulary.responses import EventResponse
from blocks.vocabulary.told import told_by

OF_ORDERS = frozenset({STOPPED, LOW})
"""Types of what our own look at orders tells."""


def meaning_of_orders(
    event: SystemEvent, takings: Takings, currency: str, now: datetime
) -> EventResponse:
    """What such an event means.

    It was told by a look at the orders themselves: no other look, at a checkout that answers well
    for instance, says that it is over (``well``).

    Args:
        event: Its ``impact_per_hour`` is what is lost in the hour that it was told in.
        takings: What the shop usually takes.
        currency: In which.
        now: The instant to judge at.
    """
    lost = event.data.get("impact_per_hour")
    per_hour = money_per_hour(takings, 1.0, now)
    share = 1.0
    if isinstance(lost, int | float) and not isinstance(lost, bool):
        usual = money_per_hour(takings, 1.0, event.time)
        share = min(1.0, lost / usual) if usual else 1.0
        per_hour = float(lost)
    day = money_between(takings, share, now, now + timedelta(hours=24))
    coming = (
        f" Until this time tomorrow that is about {day:,.0f} {currency}." if day is not None else ""
    )
    return EventResponse(
        relevant=True,
        assessment=f"{told_by(event).summary.rstrip('.')}.{coming}",
        severity=event.severity,
        resource=event.subject,
        advice=RUNBOOK,
        impact_per_hour=per_hour,
        impact_per_day=day,
        evidence={"share_lost": share, "next_day_at_risk": day},
        well=False,
    )
