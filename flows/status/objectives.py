"""Objectives as the status page tells them."""

from __future__ import annotations

from agents.sre_reliability.objectives.standing import ObjectiveStanding
from flows.status.page_model import ObjectiveLine


def objective_line(standing: ObjectiveStanding) -> ObjectiveLine:
    """What is left of an objective's error budget, in short."""
    return ObjectiveLine(
        name=standing.name,
        target=standing.target,
        objective=standing.objective,
        days=standing.days,
        known_days=standing.known_days,
        good_share=standing.good_share,
        budget_left=standing.budget_left,
        burns=standing.calls,
        empty_at=standing.empty_at,
    )
