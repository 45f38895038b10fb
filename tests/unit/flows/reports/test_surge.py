"""The section about a surge: every resource with its verdict, what is unknown said as such."""

from __future__ import annotations

from datetime import UTC, datetime

from agents.sre_reliability.capacity_planning.assessment import (
    Load,
    Surge,
    SurgeAssessment,
    assess_capacity,
)
from blocks.vocabulary.effects import EffectVerdict
from flows.reports.charts import as_svg
from flows.reports.model import RemediationLine
from flows.reports.surge import surge

LOADS = [
    Load("pool:operations", "runs at once", 3.0, 4.0, slots=True, seconds_per_unit=20.0),
    Load("agent:a", "calls at once", 1.0, 8.0, slots=True, seconds_per_unit=2.0, basis="measured"),
    Load("service:shop", "cpu_percent", 30.0, 100.0, share=0.8),
    Load("service:shop", "memory_percent", 70.0, 100.0, share=0.8),
    Load("service:mail", "metrics", detail="It tells no limit."),
    Load("service:search", "health", is_out=True, detail="It is down now."),
]


def assessment(*loads: Load) -> SurgeAssessment:
    return SurgeAssessment(
        checked_at=datetime(2026, 11, 30, tzinfo=UTC),
        items=120,
        factor=1.5,
        window_minutes=60,
        resources=assess_capacity(loads, Surge(120, 1.5, 60)),
    )


def test_what_gives_way_first_is_first_and_what_is_unknown_is_said() -> None:
    section = surge(assessment(*LOADS))
    rows = [(row[0], row[-1]) for row in section.tables[0].rows]
    assert rows == [
        ("service:search health", "GIVES WAY"),
        ("pool:operations runs at once", "GIVES WAY"),
        ("service:shop memory_percent", "GIVES WAY"),
        ("service:shop cpu_percent", "bears it"),
        ("agent:a calls at once", "bears it"),
        ("service:mail metrics", "not known"),
    ]
    assert section.tables[1].rows[-1] == ["service:mail metrics", "It tells no limit."]
    assert section.text == (
        "120 items at 1.5 units of work each within 60 minutes. 180 units of work within 60 "
        "minutes are more than 3 of 6 measures bear. The first to give way is service:search "
        "(health), at its present load. Of service:mail it is not known."
    )


def test_the_chart_shows_the_tightest_measure_of_each_resource_as_shares() -> None:
    (chart,) = surge(assessment(*LOADS)).charts
    assert chart.x == ["pool:operations", "service:shop", "agent:a"]
    assert chart.series["now"] == [75, 70, 12.5]
    assert chart.series["expected"] == [100, 105, 13.8]
    assert chart.series["bears"][1] == 80
    assert "pool:operations" in as_svg(chart)


def test_figures_are_short_and_whole_units_are_kept() -> None:
    load = Load("service:shop", "process_open_fds", 40.123, 1024.0, share=0.8)
    (row,) = surge(assessment(load)).tables[0].rows
    assert row[1:5] == [40.1, 60.2, 819, 2450]


def test_a_bar_far_beyond_the_limit_is_cut() -> None:
    (chart,) = surge(assessment(Load("service:shop", "queue", 900.0, 100.0, share=0.8))).charts
    assert chart.series["now"] == chart.series["expected"] == [200]


def test_without_a_limit_there_is_no_chart_and_nothing_is_called_well() -> None:
    section = surge(assessment(LOADS[4]))
    assert section.charts == []
    assert section.text.endswith(
        "Nothing that is known gives way under 180 units of work within 60 minutes. "
        "Of service:mail it is not known."
    )


def test_what_was_raised_is_told() -> None:
    line = RemediationLine(
        finding="capacity-short/pool:operations",
        action="raise_pool_limit",
        status=EffectVerdict.VERIFIED,
        detail="operations has a limit of 6.",
    )
    text = surge(assessment(LOADS[0]), [line]).text
    assert text.endswith("pool:operations: operations has a limit of 6.")
