"""Objectives in a person's words."""

from __future__ import annotations

from agents.sre_reliability.objectives.standing import ObjectiveStanding


def told(standing: ObjectiveStanding) -> str:
    """One sentence: what was promised, how fast it burns, what is left and until when."""
    return (
        f"{standing.target.split(':', 1)[1]} uses up the error budget of {standing.name} "
        f"({percent(standing.objective)} over {standing.days} days) {standing.pace:.1f} times as "
        f"fast as allowed; {left(standing)}."
    )


def left(standing: ObjectiveStanding) -> str:
    """What is left of the budget, and until when: ``62% of it is left, until 3 Dec 14:00 UTC``."""
    if standing.budget_left is None:
        return "nothing is known of it yet"
    if standing.is_spent:
        return f"all of it is spent, and {-standing.budget_left:.0%} more"
    until = standing.empty_at
    share = f"{standing.budget_left:.0%} of it is left"
    if until is None:
        return share
    return f"{share}, at this pace until {until:%d %b %Y, %H:%M} {until.tzname()}"


def percent(share: float) -> str:
    """A share with all the nines that it was written with: ``99.95%``."""
    return f"{round(100 * share, 6):g}%"


def window(seconds: int) -> str:
    """``5 min``, ``6 h``, ``3 d``."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds % length == 0:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
