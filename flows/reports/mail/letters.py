"""Messages to people: a subject, plain text that reads well alone, and the same in HTML."""

from __future__ import annotations

from dataclasses import dataclass

from blocks.vocabulary.findings import Finding
from flows.reports.mail import parts
from flows.reports.mail.parts import line
from flows.reports.markdown import display, done_about
from flows.reports.model import Report, Section, Table, local, money

SUBJECT = 120
"""Characters of a subject; mail programs show no more."""

MOST_FINDINGS = 30
"""Findings that the mail of a report tells in full."""

NOTHING = display(None)


@dataclass(frozen=True)
class Letter:
    """A message to people, whatever carries it.

    Attributes:
        subject: In a line.
        text: All of it, in plain text.
        html: The same for who sees HTML; empty where there is no more to see.
    """

    subject: str
    text: str
    html: str = ""


def subject_of(said: str) -> str:
    """A subject: one line, not too long."""
    one = line(said)
    return one if len(one) <= SUBJECT else one[: SUBJECT - 1].rstrip() + "…"


def letter_of(report: Report) -> Letter:
    """A report as a message, in the same words as on its page."""
    when = local(report.finished_at, report.timezone)
    return Letter(
        subject_of(f"{report.title}, {when}: {report.headline}"),
        _as_text(report, when),
        _as_html(report, when),
    )


def _as_text(report: Report, when: str) -> str:
    lines = [line(report.title), when, "", line(report.headline)]
    if report.findings:
        lines += ["", "WHAT NEEDS ATTENTION"]
        for finding in report.findings[:MOST_FINDINGS]:
            lines += [
                f"- [{finding.severity.value}] {line(finding.title)}"
                f"{_at_risk(finding, report.currency)}",
                f"  {line(done_about(report, finding))}",
            ]
        lines += [more] if (more := _and_more(report)) else []
    for section in report.sections:
        lines += ["", line(section.title).upper()]
        lines += [line(section.text)] if section.text else []
        for table in section.tables:
            lines += [line(table.title)] if table.title else []
            lines += ["- " + _row_in_words(table, row) for row in _shown(table)]
            lines += [line(table.note)] if table.note else []
    if report.missing:
        lines += ["", "WHAT IS MISSING OR SET ASIDE", *(f"- {line(m)}" for m in report.missing)]
    return "\n".join([*lines, "", f"Run {report.run_id}", ""])


def _row_in_words(table: Table, row: list[str]) -> str:
    first, *rest = (line(cell) for cell in row)
    pairs = zip(table.columns[1:], rest, strict=True)
    told = (f"{line(column)} {cell}" for column, cell in pairs if cell not in ("", NOTHING))
    return ": ".join(filter(None, [first, ", ".join(told)]))


def _as_html(report: Report, when: str) -> str:
    body = [parts.paragraph(when, faint=True), parts.paragraph(report.headline)]
    if report.findings:
        body += [parts.heading("What needs attention"), _findings(report)]
        body += [parts.paragraph(more, faint=True)] if (more := _and_more(report)) else []
    for section in report.sections:
        body += _section(section)
    if report.missing:
        body.append(parts.heading("What is missing or set aside"))
        body += [parts.paragraph(f"• {said}") for said in report.missing]
    body.append(parts.paragraph(f"Run {report.run_id}", faint=True))
    return parts.page(report.title, body)


def _findings(report: Report) -> str:
    rows = [
        [
            parts.badge(finding.severity),
            f"{parts.text(finding.title)}"
            f"{parts.paragraph(done_about(report, finding), faint=True)}",
            parts.text(money(finding.impact_per_day, report.currency)),
        ]
        for finding in report.findings[:MOST_FINDINGS]
    ]
    return parts.table(["", "What, and what to do", "At risk per day"], rows, right=[2])


def _and_more(report: Report) -> str:
    rest = len(report.findings) - MOST_FINDINGS
    return f"And {rest:,} more: they are in the report itself." if rest > 0 else ""


def _section(section: Section) -> list[str]:
    body = [parts.heading(section.title)]
    body += [parts.paragraph(section.text)] if section.text else []
    for table in section.tables:
        body += [parts.paragraph(table.title)] if table.title else []
        cells = [[parts.text(cell) for cell in row] for row in _shown(table)]
        body.append(parts.table(table.columns, cells, right=_numeric(table)))
        body += [parts.paragraph(table.note, faint=True)] if table.note else []
    return body + [parts.chart_of(chart) for chart in section.charts]


def _shown(table: Table) -> list[list[str]]:
    return [[display(cell) for cell in row] for row in table.rows]


def _numeric(table: Table) -> list[int]:
    return [
        i
        for i in range(len(table.columns))
        if table.rows and all(isinstance(row[i], int | float | None) for row in table.rows)
    ]


def _at_risk(finding: Finding, currency: str) -> str:
    if finding.impact_per_day is None:
        return ""
    return f" ({money(finding.impact_per_day, currency)} at risk per day)"
