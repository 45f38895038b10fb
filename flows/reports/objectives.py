"""The section about objectives: what was promised, what is left of each budget, what burns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from agents.sre_reliability.objectives.standing import ObjectiveStanding
from agents.sre_reliability.objectives.words import percent, window
from flows.reports.model import Cell, Chart, Section, Table, count, local

MOST_LINES = 5
"""Objectives in the chart, those with the least left."""

_BAR = 10  # characters


def objectives(standings: Sequence[ObjectiveStanding], zone: str) -> Section:
    """How objectives stand.

    Args:
        standings: In the order in which they are told.
        zone: IANA zone that instants are told in.
    """
    return Section(
        title="Objectives",
        text=headline(standings),
        tables=[
            Table(
                columns=["Objective", "Promised", "Kept", "Error budget left", "Pace", "Burning"],
                rows=[_row(standing, zone) for standing in standings],
                note=_note(standings),
            )
        ],
        charts=_charts(standings, zone),
    )


def headline(standings: Sequence[ObjectiveStanding]) -> str:
    """How many objectives burn too fast, and how many budgets are spent, in a sentence."""
    burning = sum(standing.calls is not None for standing in standings)
    spent = sum(standing.is_spent for standing in standings)
    number = count(len(standings), "objective")
    if not burning and not spent:
        return f"{number}, none of which burns too fast."
    return f"{number}: {burning} burning too fast, {spent} without error budget left."


def bar(share: float) -> str:
    """A share as a bar: ``██████░░░░``; below 0 it is empty."""
    full = round(_BAR * min(max(share, 0.0), 1.0))
    return "█" * full + "░" * (_BAR - full)


def _row(standing: ObjectiveStanding, zone: str) -> list[Cell]:
    share = standing.budget_left
    return [
        standing.name,
        f"{percent(standing.objective)} over {standing.days} days",
        "—" if standing.good_share is None else percent(round(standing.good_share, 6)),
        "nothing known" if share is None else f"{bar(share)} {share:.0%}",
        f"{standing.pace:.1f}×",
        _burning(standing, zone),
    ]


def _burning(standing: ObjectiveStanding, zone: str) -> str:
    if standing.calls is None:
        return "no"
    rules = [
        f"{burn.long_rate:.1f}× in {window(burn.rule.long_seconds)}"
        for burn in standing.burns
        if burn.fires
    ]
    ends = standing.empty_at
    until = f"; spent by {local(ends, zone)}" if ends else ""
    return f"{standing.calls.value}: {', '.join(rules)}{until}"


def _note(standings: Sequence[ObjectiveStanding]) -> str:
    """What the figures rest on."""
    partly = [s for s in standings if s.total and s.known_days < s.days - 1]
    short = min(partly, key=lambda s: s.known_days / s.days, default=None)
    said = "A pace of 1 spends the whole budget in exactly its days."
    if short is None:
        return said
    return (
        f"{said} Of {short.name} {short.known_days:.1f} of {short.days} days are known; "
        "the rest counts as time without errors."
    )


def _charts(standings: Sequence[ObjectiveStanding], zone: str) -> list[Chart]:
    drawn = [s for s in standings if s.budget_left is not None and s.budget_left < 1]
    drawn = sorted(drawn, key=lambda s: s.budget_left or 0.0)[:MOST_LINES]
    if not drawn:
        return []
    longest = max(s.days for s in drawn)
    days = [drawn[0].at - timedelta(days=back) for back in range(longest - 1, -1, -1)]
    return [
        Chart(
            title="Error budget left",
            unit="%",
            x=[f"{day.astimezone(ZoneInfo(zone)):%Y-%m-%d}" for day in days],
            series={
                s.name: [None] * (longest - s.days) + [round(100 * share, 2) for share in s.course]
                for s in drawn
            },
        )
    ]
