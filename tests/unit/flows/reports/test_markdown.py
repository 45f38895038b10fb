import base64
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest

from blocks.text import printable
from blocks.vocabulary.effects import EffectVerdict
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Outcome, Severity
from flows.reports.charts import as_data_uri
from flows.reports.markdown import PAGE, as_markdown
from flows.reports.model import Chart, RemediationLine, Report, Section, Table, local, money

NOW = datetime(2026, 3, 4, 6, 0, tzinfo=UTC)
CHART = Chart(
    title="Revenue",
    unit="GBP",
    x=["2026-03-01", "2026-03-02", "2026-03-03"],
    series={"revenue": [1.0, None, 3.0]},
    low=[0.5, 0.5, 0.5],
    high=[2.0, 2.0, 2.0],
    marks=[1, 2],
)


def report(**changes):
    base = {
        "workflow": "daily-health-check",
        "title": "Daily health check",
        "run_id": "r1",
        "started_at": NOW,
        "finished_at": NOW + timedelta(seconds=2),
        "outcome": Outcome.PARTIAL,
        "headline": "Fine.",
        "currency": "GBP",
        "timezone": "Europe/Berlin",
    }
    return Report(**base | changes)


def test_a_report_tells_what_was_found_and_what_was_done():
    finding = Finding(
        kind="service-down",
        resource="service:checkout",
        severity=Severity.CRITICAL,
        title="checkout is down",
        impact_per_day=12_345.6,
    )
    line = RemediationLine(
        finding=finding.fingerprint,
        action="restart_service",
        status=EffectVerdict.VERIFIED,
        detail="Healthy again.",
    )
    text = as_markdown(report(findings=[finding], remediations=[line], missing=["offers: gone"]))
    text = text.replace("<br>", " ")
    assert (
        "| 🔴 critical | checkout is down | 12,346 GBP | "
        "restart\\_service: verified. Healthy again. |" in text
    )
    assert "- offers: gone" in text
    assert "04 Mar 2026, 07:00" in text  # Berlin is an hour ahead of UTC in winter


def test_a_finding_without_remedy_shows_its_advice():
    finding = Finding(
        kind="k", resource="r:x", severity=Severity.INFO, title="t", advice="Call them."
    )
    assert "| 🔵 info | t | — | Call them. |" in as_markdown(report(findings=[finding]))


@pytest.mark.parametrize("evil", ["a|b", "<img src=x>", "[x](javascript:1)", "two\nlines\x1b[2J"])
def test_names_from_outside_stay_inside_their_cell(evil):
    table = Table(columns=["name", "n"], rows=[[evil, 1]])
    text = as_markdown(report(sections=[Section(title="S", tables=[table])]))
    row = next(line for line in text.splitlines() if line.endswith("| 1 |"))
    assert row.replace("\\|", "").count("|") == 3
    assert "<" not in row.replace("\\<", "").replace("<br>", "")
    assert "[" not in row.replace("\\[", "")
    assert "\x1b" not in text


def test_prose_is_only_text_too():
    section = Section(title="Mugs & *co*", text="See [x](javascript:1)\x1b[2J and a_b")
    text = as_markdown(report(sections=[section]))
    assert "## Mugs \\& \\*co\\*" in text
    assert "See \\[x\\](javascript:1) \\[2J and a\\_b" in text


@pytest.mark.parametrize("name", ["bell\x07 \x1b[2J", "茶碗 ☕", "lone \ud800", "<b>&\"'", "$x^2$"])
def test_a_chart_takes_any_name(name):
    chart = Chart(title="Loss", kind="bar", x=[name, "b"], series={"loss": [1.0, 2.0]})
    uri = as_data_uri(chart)
    root = ET.fromstring(base64.b64decode(uri.partition("base64,")[2]))
    assert printable(name) in "".join(root.itertext())


def test_a_table_is_folded_to_the_width_of_the_page():
    table = Table(columns=["what", "why"], rows=[["short", "many words " * 40]])
    row = as_markdown(report(sections=[Section(title="S", tables=[table])])).splitlines()[-1]
    assert max(map(len, row.strip("| ").split("<br>"))) <= PAGE
    assert row.count("many") == 40


def test_number_columns_are_right_aligned_and_readable():
    table = Table(columns=["what", "value"], rows=[["a", 1234567.0], ["b", None], ["c", 1.5]])
    text = as_markdown(report(sections=[Section(title="S", tables=[table])]))
    assert "|---|---:|" in text
    assert "| a | 1,234,567 |" in text
    assert "| b | — |" in text
    assert "| c | 1.50 |" in text


@pytest.mark.parametrize("kind", ["line", "bar"])
def test_a_chart_is_a_self_contained_drawing(kind):
    uri = as_data_uri(CHART.model_copy(update={"kind": kind}))
    svg = base64.b64decode(uri.partition("base64,")[2])
    root = ET.fromstring(svg)
    assert root.tag.endswith("svg")
    assert b"Revenue (GBP)" in svg
    assert b'href="http' not in svg
    assert uri == as_data_uri(CHART.model_copy(update={"kind": kind}))


def test_an_empty_chart_is_drawn_rather_than_refused():
    empty = Chart(title="Nothing", x=[], series={})
    assert as_data_uri(empty).startswith("data:image/svg+xml;base64,")


def test_money_reads_like_money():
    assert money(12_345.6, "GBP") == "12,346 GBP"
    assert money(3.5, "EUR") == "3.50 EUR"
    assert money(None, "EUR") == "—"


def test_local_time_follows_the_zone():
    assert local(NOW, "America/New_York") == "04 Mar 2026, 01:00"


def test_a_report_of_an_earlier_release_is_still_read():
    told = {"finding": "f", "action": "restart_service", "status": "intended", "detail": "Begun."}
    assert RemediationLine.model_validate(told).status is None
