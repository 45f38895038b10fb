"""The daily report as a mail: the words of the report, in text and in HTML."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Outcome, Severity
from flows.reports.mail.letters import MOST_FINDINGS, letter_of
from flows.reports.model import Chart, Report, Section, Table

NOW = datetime(2026, 3, 4, 6, 0, tzinfo=UTC)


def report(**changes: Any) -> Report:
    base = {
        "workflow": "daily-health-check",
        "title": "Daily health check",
        "run_id": "r1",
        "started_at": NOW - timedelta(seconds=2),
        "finished_at": NOW,
        "outcome": Outcome.SUCCEEDED,
        "headline": "One thing to know.",
        "currency": "GBP",
        "timezone": "Europe/Berlin",
    }
    return Report(**base | changes)


def finding(title: str) -> Finding:
    return Finding(
        kind="service-down",
        resource=f"service:{title}",
        severity=Severity.CRITICAL,
        title=title,
        impact_per_day=1500.0,
        advice="Call <them>.",
    )


STOCK = Section(
    title="Stock",
    text="Two are low.",
    tables=[
        Table(
            title="Low",
            columns=["Item", "left", "worth"],
            rows=[["<b>mug</b>", 3, 1234.5], ["tea", None, 2.0]],
            note="All of it is free.",
        )
    ],
    charts=[
        Chart(title="Loss", kind="bar", unit="GBP", x=["mug", "tea"], series={"l": [4.0, 2.0]}),
        Chart(title="Sales", x=["2026-03-01", "2026-03-02"], series={"s": [1.0, None]}),
        Chart(title="Nothing yet", x=[], series={}),
    ],
)


def test_the_text_reads_well_alone() -> None:
    told = letter_of(report(findings=[finding("till")], sections=[STOCK], missing=["offers: gone"]))
    assert told.subject == "Daily health check, 04 Mar 2026, 07:00: One thing to know."
    assert told.text.splitlines() == [
        "Daily health check",
        "04 Mar 2026, 07:00",
        "",
        "One thing to know.",
        "",
        "WHAT NEEDS ATTENTION",
        "- [critical] till (1,500 GBP at risk per day)",
        "  Call <them>.",
        "",
        "STOCK",
        "Two are low.",
        "Low",
        "- <b>mug</b>: left 3, worth 1,234",
        "- tea: worth 2",
        "All of it is free.",
        "",
        "WHAT IS MISSING OR SET ASIDE",
        "- offers: gone",
        "",
        "Run r1",
    ]


def test_the_html_has_the_same_and_the_charts_as_bars() -> None:
    html = letter_of(report(findings=[finding("till")], sections=[STOCK], missing=["gone"])).html
    for part in (
        "<h1",
        "Call &lt;them&gt;.",
        "&lt;b&gt;mug&lt;/b&gt;",
        "1,500 GBP",
        "Loss (GBP)",
        "width:50%",
        "01 Mar",
        "• gone",
    ):
        assert part in html
    assert "<b>" not in html
    assert "Nothing yet" not in html


def test_of_very_many_findings_the_first_are_told() -> None:
    told = letter_of(report(findings=[finding(f"s{n}") for n in range(10_000)]))
    more = f"And {10_000 - MOST_FINDINGS:,} more"
    assert more in told.text
    assert more in told.html
    assert len(told.html) < 30_000
