"""How urgent work is: from severity, money at risk, age and deadline, told with its reasons."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import ConfigDict, Field

from blocks.models import Strict
from blocks.vocabulary.severity import Priority, Severity

POINTS = 25.0
"""Points between two priorities: 0 low, 25 normal, 50 high, 75 critical."""


class PriorityRules(Strict):
    """How much each reason counts, in points of 25 per priority."""

    model_config = ConfigDict(allow_inf_nan=False)

    great_loss_per_hour: float = Field(
        default=1000.0, gt=0, description="Money at risk per hour that lifts by a whole priority."
    )
    points_per_hour_waited: float = Field(
        default=4.0, ge=0, description="What waits rises, so that nothing waits for ever."
    )
    most_for_waiting: float = Field(
        default=25.0, ge=0, le=50, description="Waiting alone lifts by no more than this."
    )
    near_deadline_minutes: float = Field(
        default=60.0, gt=0, description="How near a deadline must be to count fully half."
    )


@dataclass(frozen=True)
class Urgency:
    """How urgent a piece of work is.

    Attributes:
        priority: What it is treated as.
        score: Points, 0 and up; of equal priorities the higher goes first.
        reasons: What the score is made of, in words.
    """

    priority: Priority
    score: float
    reasons: tuple[str, ...]


def urgency(
    severity: Severity,
    now: datetime,
    *,
    impact_per_hour: float | None = None,
    since: datetime | None = None,
    deadline: datetime | None = None,
    rules: PriorityRules | None = None,
) -> Urgency:
    """How urgent work of that severity is.

    Money counts by its logarithm, up to one priority: the step from 10 to 100 an hour is felt
    like that from 100 to 1,000. A deadline counts half a priority when it is
    ``near_deadline_minutes`` away, and a whole one when it has come.

    Args:
        severity: How bad it is.
        now: The instant to judge at.
        impact_per_hour: Money at risk per hour, in the store's currency; None when unknown.
        since: When it began to wait.
        deadline: When it must be done.
        rules: How much each reason counts.
    """
    rules = rules or PriorityRules()
    parts = {f"severity {severity.value}": severity.rank * POINTS}
    if impact_per_hour and impact_per_hour > 0:
        share = math.log1p(impact_per_hour) / math.log1p(rules.great_loss_per_hour)
        parts[f"{impact_per_hour:,.0f} per hour at risk"] = POINTS * min(1.0, share)
    if since is not None and (waited := (now - since) / timedelta(hours=1)) > 0:
        points = min(rules.most_for_waiting, waited * rules.points_per_hour_waited)
        parts[f"waiting for {waited:.1f} h"] = points
    if deadline is not None:
        minutes = max(0.0, (deadline - now) / timedelta(minutes=1))
        near = rules.near_deadline_minutes / (rules.near_deadline_minutes + minutes)
        parts[f"due in {minutes:.0f} min" if minutes else "due now"] = POINTS * near
    score = sum(parts.values())
    level = min(int(score // POINTS), len(Priority) - 1)
    # Only what is critical is treated so: a flood of old warnings must not stand in its way.
    if severity is not Severity.CRITICAL:
        level = min(level, Priority.HIGH - 1)
    reasons = tuple(f"{reason}: {points:.0f}" for reason, points in parts.items() if points >= 0.5)
    return Urgency(Priority(level + 1), round(score, 2), reasons)
