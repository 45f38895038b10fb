"""Reports as Markdown artifacts: tables and charts on a page of the Prefect UI."""

from __future__ import annotations

from textwrap import wrap

from blocks.text import printable
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Outcome, Severity
from flows.reports.charts import as_data_uri
from flows.reports.model import Cell, Report, Section, Table, local, money
from flows.reports.plain_text import as_text

PAGE = 96
"""Characters that fit side by side into a table on a page of the Prefect UI."""
GAP = 4
"""Characters that the space between two columns takes."""

OUTCOMES = {
    Outcome.SUCCEEDED: "✅",
    Outcome.PARTIAL: "🟡",
    Outcome.FAILED: "🔴",
    Outcome.REFUSED: "⚪",
}
SEVERITIES = {
    Severity.CRITICAL: "🔴 critical",
    Severity.ERROR: "🟠 error",
    Severity.WARNING: "🟡 warning",
    Severity.INFO: "🔵 info",
}


def as_markdown(report: Report) -> str:
    """The whole report: headline, findings with what was done, sections, what is missing."""
    seconds = report.duration.total_seconds()
    parts = [
        f"# {as_text(report.title)}",
        f"{OUTCOMES[report.outcome]} **{as_text(report.headline)}**",
        f"{local(report.finished_at, report.timezone)} · took {seconds:.1f} s · "
        f"run `{report.run_id}`",
    ]
    if report.findings:
        parts += ["## What needs attention", _findings(report)]
    for section in report.sections:
        parts += _section(section)
    if report.missing:
        parts += [
            "## What is missing or set aside",
            "\n".join(f"- {as_text(line)}" for line in report.missing),
        ]
    return "\n\n".join(parts) + "\n"


def _findings(report: Report) -> str:
    rows = [
        [
            SEVERITIES[finding.severity],
            finding.title,
            money(finding.impact_per_day, report.currency),
            done_about(report, finding),
        ]
        for finding in report.findings
    ]
    return _table(Table(columns=["Severity", "What", "At risk per day", "Done / to do"], rows=rows))


def done_about(report: Report, finding: Finding) -> str:
    """What was done about a finding, else what a person should do."""
    line = report.remediation_of(finding)
    if line is None:
        return finding.advice or "—"
    status = line.status.value if line.status else "not tried"
    return f"{line.action}: {status}. {line.detail}".strip()


def _section(section: Section) -> list[str]:
    parts = [f"## {as_text(section.title)}"]
    parts += [as_text(section.text)] if section.text else []
    for table in section.tables:
        parts += [f"**{as_text(table.title)}**"] if table.title else []
        parts += [_table(table)]
        parts += [f"_{as_text(table.note)}_"] if table.note else []
    parts += [f"![{as_text(chart.title)}]({as_data_uri(chart)})" for chart in section.charts]
    return parts


def _table(table: Table) -> str:
    texts = [table.columns, *([display(cell) for cell in row] for row in table.rows)]
    width = _column_width(texts)
    head, *rows = ("| " + " | ".join(_cell(text, width) for text in row) + " |" for row in texts)
    numeric = [
        bool(table.rows) and all(isinstance(row[i], int | float | None) for row in table.rows)
        for i in range(len(table.columns))
    ]
    rule = "|" + "|".join("---:" if right else "---" for right in numeric) + "|"
    return "\n".join([head, rule, *rows])


def _column_width(texts: list[list[str]]) -> int:
    """The widest column, in characters, with which the table fits the page.

    Prefect's pages do not wrap cells: what is wider is cut off at the edge.
    """
    longest = [max(map(len, column)) for column in zip(*texts, strict=True)]
    room = PAGE - GAP * len(longest)
    fitting = (w for w in range(max(longest), 12, -1) if sum(min(n, w) for n in longest) <= room)
    return next(fitting, 12)


def _cell(text: str, width: int) -> str:
    lines = wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return "<br>".join(as_text(line) for line in lines)


def display(value: Cell) -> str:
    """A cell as a person reads it: thousands separated, at most two decimals."""
    match value:
        case None:
            return "—"
        case float() if value.is_integer() or abs(value) >= 1000:
            return f"{value:,.0f}"
        case float():
            return f"{value:,.2f}"
        case int():
            return f"{value:,}"
        case str():
            return printable(value)
