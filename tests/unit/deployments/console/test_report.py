"""Reports in the terminal: complete, within its width, and steered by nobody's data."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from blocks.vocabulary.effects import EffectVerdict
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Outcome, Severity
from deployments.console.report import print_report
from flows.reports.model import Chart, RemediationLine, Report, Section, Table

NOW = datetime(2026, 3, 4, 6, 0, tzinfo=UTC)
FINDING = Finding(
    kind="service-down",
    resource="service:checkout",
    severity=Severity.CRITICAL,
    title="checkout is down",
    impact_per_day=12_345.6,
)


def report(**changes):
    base = {
        "workflow": "daily-health-check",
        "title": "Daily health check",
        "run_id": "r1",
        "started_at": NOW,
        "finished_at": NOW + timedelta(seconds=2),
        "outcome": Outcome.PARTIAL,
        "headline": "One thing to know.",
        "currency": "GBP",
        "timezone": "Europe/Berlin",
    }
    return Report(**base | changes)


def printed(shown, width=100):
    """What a terminal of that width receives, colours included."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system="standard")
    print_report(shown, console)
    return console.file.getvalue()


def text_of(shown, width=100):
    console = Console(file=io.StringIO(), width=width, record=True)
    print_report(shown, console)
    return console.export_text()


def words(text):
    """The text with the borders and line breaks of its tables taken out."""
    return " ".join(text.translate(str.maketrans("│┃║|", "    ")).split())


def section(*charts, tables=()):
    return report(sections=[Section(title="Section", charts=charts, tables=tables)])


def test_it_tells_what_was_found_what_was_done_and_what_is_missing():
    line = RemediationLine(
        finding=FINDING.fingerprint,
        action="restart_service",
        status=EffectVerdict.VERIFIED,
        detail="Healthy again.",
    )
    table = Table(columns=["Item", "Units"], rows=[["Mug", 1234.0], ["Cup", None]], note="A note")
    text = text_of(
        report(
            findings=[FINDING],
            remediations=[line],
            sections=[Section(title="Stock", text="Some prose.", tables=[table])],
            missing=["offers: gone"],
        ),
        width=140,
    )
    for part in (
        "Daily health check · 04 Mar 2026, 07:00",  # Berlin is an hour ahead of UTC in winter
        "One thing to know.",
        "partial in 2.0 s",
        "critical",
        "checkout is down",
        "12,346 GBP",
        "restart_service: verified. Healthy again.",
        "Some prose.",
        "1,234",
        "—",
        "A note",
        "• offers: gone",
    ):
        assert part in text


def test_without_a_remedy_the_advice_is_shown():
    advised = FINDING.model_copy(update={"advice": "Call them."})
    assert "Call them." in text_of(report(findings=[advised]))


EVIL = "[bold red]x[/] [link=http://evil]y[/link] \x1b[2J\x1b]0;title\x07 \r\b\x9b31m é"
"""Markup, and sequences that clear the screen, set the title, go back, colour."""


@pytest.mark.parametrize("width", [30, 80, 200])
def test_names_from_outside_are_only_text(width):
    evil = Table(title=EVIL, columns=[EVIL, "n"], rows=[[EVIL, 1]], note=EVIL)
    chart = Chart(title=EVIL, unit=EVIL, x=[EVIL], series={EVIL: [1.0]})
    shown = report(
        title=EVIL,
        headline=EVIL,
        findings=[FINDING.model_copy(update={"title": EVIL, "advice": EVIL})],
        sections=[
            Section(
                title=EVIL,
                text=EVIL,
                tables=[evil],
                charts=[chart, chart.model_copy(update={"kind": "bar"})],
            )
        ],
        missing=[EVIL],
    )
    received = printed(shown, width)
    for sequence in ("\x1b[2J", "\x1b]", "\x07", "\r", "\b", "\x9b"):
        assert sequence not in received
    if width == 200:
        assert text_of(shown, width).count("[bold red]x[/]") >= 9


@pytest.mark.parametrize("width", [20, 40, 80, 250])
def test_no_line_is_wider_than_the_terminal(width):
    long = "an item with a long name, " * 4
    table = Table(columns=["What", "Figure"], rows=[[long, 123456.0]])
    line = Chart(title="Revenue", x=[f"2026-03-{d:02}" for d in range(1, 31)], series={"r": [1.0]})
    bars = Chart(title="Loss", kind="bar", x=[long], series={"loss": [5.0]})
    shown = report(
        findings=[FINDING.model_copy(update={"title": long})],
        sections=[Section(title=long, text=long, tables=[table], charts=[line, bars])],
        missing=[long],
    )
    lines = text_of(shown, width).splitlines()
    assert max(map(len, lines)) <= width


def test_nothing_of_a_long_finding_is_lost_in_a_narrow_terminal():
    title = "one two three four five six seven eight nine ten"
    text = words(text_of(report(findings=[FINDING.model_copy(update={"title": title})]), width=60))
    assert all(word in text for word in title.split())


def test_a_line_chart_is_a_sparkline_with_its_span_and_its_gaps():
    text = text_of(
        section(Chart(title="R", unit="GBP", x=["a", "b", "c"], series={"s": [0, None, 7]}))
    )
    assert "R (GBP)" in text
    assert "▁ █" in text
    assert "0 … 7" in text
    assert "a … c" in text


@pytest.mark.parametrize("width", [60, 100])
def test_more_points_than_room_are_averaged(width):
    values = [0.0] * 500 + [10.0] * 500
    chart = Chart(title="R", x=[str(i) for i in range(1000)], series={"s": values})
    (line,) = (line for line in text_of(section(chart), width).splitlines() if "█" in line)
    assert 0 < line.count("▁") <= 64
    assert abs(line.count("▁") - line.count("█")) <= 2


def test_bars_are_as_long_as_their_values():
    chart = Chart(
        title="B", kind="bar", x=["full", "half", "none", "gap"], series={"s": [8, 4, 0, None]}
    )
    lines = {line.split()[0]: line for line in text_of(section(chart)).splitlines() if line.split()}
    assert lines["full"].count("█") == 2 * lines["half"].count("█") > 0
    assert lines["none"].count("█") == 0
    assert "—" in lines["gap"]


@pytest.mark.parametrize("kind", ["line", "bar"])
def test_an_empty_chart_and_an_empty_table_do_no_harm(kind):
    empty = Chart(title="Nothing", kind=kind, x=[], series={})
    unknown = Chart(title="Unknown", kind=kind, x=["a"], series={"s": [None]})
    text = text_of(section(empty, unknown, tables=[Table(columns=["A"], rows=[])]))
    assert "Nothing" in text
    assert "Unknown" in text
