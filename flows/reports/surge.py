"""The section about an expected surge: what bears it, what gives way first, what was raised."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

from agents.sre_reliability.capacity_planning.assessment import (
    Capacity,
    SurgeAssessment,
    Verdict,
    tightest,
)
from flows.reports.model import Chart, RemediationLine, Section, Table, short

CUT_AT = 200.0
"""Percent of a limit at which a bar is cut: beyond it, more is no worse."""

_VERDICTS = {Verdict.BEARS: "bears it", Verdict.BREAKS: "GIVES WAY", Verdict.NOT_KNOWN: "not known"}


def surge(assessment: SurgeAssessment, raised: Sequence[RemediationLine] = ()) -> Section:
    """What is expected of each resource, and what it bears.

    Args:
        assessment: As it was before any limit was raised.
        raised: What came of each raise.
    """
    expected = (
        f"{assessment.items:,} items at {assessment.factor:g} units of work each within "
        f"{assessment.window_minutes:g} minutes. {assessment.summary}"
    )
    told = [f"{line.finding.partition('/')[2]}: {line.detail}" for line in raised]
    return Section(
        title="Expected surge",
        text=" ".join([expected, *told]),
        tables=[_figures(assessment.resources), _grounds(assessment.resources)],
        charts=_charts(assessment.resources),
    )


def _figures(resources: Sequence[Capacity]) -> Table:
    return Table(
        columns=["What", "Now", "Expected", "Bears", "Gives way at", "Verdict"],
        rows=[
            [
                _named(each),
                _figure(each.present),
                _figure(each.projected),
                _figure(each.knee),
                None if each.bears is None else floor(each.bears),
                _VERDICTS[each.verdict],
            ]
            for each in resources
        ],
        note="It bears load up to the knee of its response time, or to a share of its limit; see "
        "docs/sre-reliability.md. Gives way at: units of work.",
    )


def _grounds(resources: Sequence[Capacity]) -> Table:
    return Table(
        columns=["What", "How it is known"],
        rows=[
            [_named(each), " ".join(filter(None, [each.basis, each.detail]))] for each in resources
        ],
    )


def _named(each: Capacity) -> str:
    return f"{each.resource} {each.measure}"


def _charts(resources: Sequence[Capacity]) -> list[Chart]:
    """The tightest measure of each resource, as shares of its limit; none where none is known."""
    shown = [each for each in tightest(resources).values() if each.limit and each.knee is not None]
    if not shown:
        return []
    return [
        Chart(
            title="Load",
            kind="bar",
            unit="% of the limit",
            x=[short(each.resource) for each in shown],
            series={
                # First, as a terminal shows the first series alone.
                "expected": [_share(each.projected, each) for each in shown],
                "now": [_share(each.present, each) for each in shown],
                "bears": [_share(each.knee, each) for each in shown],
            },
        )
    ]


def _share(value: float | None, of: Capacity) -> float | None:
    if value is None or not of.limit:
        return None
    return round(min(100 * value / of.limit, CUT_AT), 1)


def _figure(value: float | None) -> float | None:
    """Three digits that count, and every whole unit of what is larger."""
    if value is None:
        return None
    return round(value) if abs(value) >= 100 else float(f"{value:.3g}")
