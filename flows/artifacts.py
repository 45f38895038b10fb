"""Reports as Markdown artifacts: tables and charts on a page of the Prefect UI."""

from __future__ import annotations

from prefect.artifacts import acreate_markdown_artifact

from blocks.findings import Finding
from blocks.messages import Outcome, Severity
from flows.charts import as_data_uri
from flows.reports import Cell, Report, Section, Table, local, money

OUTCOMES = {Outcome.SUCCEEDED: "✅", Outcome.PARTIAL: "🟡", Outcome.FAILED: "🔴"}
SEVERITIES = {
    Severity.CRITICAL: "🔴 critical",
    Severity.ERROR: "🟠 error",
    Severity.WARNING: "🟡 warning",
    Severity.INFO: "🔵 info",
}


async def publish(report: Report) -> None:
    """Create the report's artifact; its key is the workflow's name, so that versions line up."""
    await acreate_markdown_artifact(
        markdown=as_markdown(report), key=report.workflow, description=report.headline
    )


def as_markdown(report: Report) -> str:
    """The whole report: headline, findings with what was done, sections, what is missing."""
    seconds = report.duration.total_seconds()
    parts = [
        f"# {report.title}",
        f"{OUTCOMES[report.outcome]} **{_cell(report.headline)}**",
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
            "\n".join(f"- {_cell(line)}" for line in report.missing),
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
    parts = [f"## {section.title}"]
    parts += [section.text] if section.text else []
    for table in section.tables:
        parts += [f"**{table.title}**"] if table.title else []
        parts += [_table(table)]
        parts += [f"_{table.note}_"] if table.note else []
    parts += [f"![{chart.title}]({as_data_uri(chart)})" for chart in section.charts]
    return parts


def _table(table: Table) -> str:
    numeric = [
        bool(table.rows) and all(isinstance(row[i], int | float | None) for row in table.rows)
        for i in range(len(table.columns))
    ]
    lines = [
        "| " + " | ".join(map(_cell, table.columns)) + " |",
        "|" + "|".join("---:" if right else "---" for right in numeric) + "|",
    ]
    lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in table.rows]
    return "\n".join(lines)


def _cell(value: Cell) -> str:
    """Text that cannot leave its cell: names come from databases and partners."""
    text = display(value)
    for symbol in "\\`*_[]<>|":
        text = text.replace(symbol, f"\\{symbol}")
    return " ".join(text.split())


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


def printable(text: str) -> str:
    """Text without control characters: a name from a database must not steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)
