"""Reports in the terminal, as a person wants to read them."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table as RichTable

from blocks.vocabulary.messages import Outcome, Severity
from deployments.console.markup import escape
from flows.reports.markdown import display, done_about
from flows.reports.model import Chart, Report, Section, Table, local, money

COLOURS = {
    Severity.CRITICAL: "bold red",
    Severity.ERROR: "red",
    Severity.WARNING: "yellow",
    Severity.INFO: "cyan",
}
FRAMES = {
    Outcome.SUCCEEDED: "green",
    Outcome.PARTIAL: "yellow",
    Outcome.FAILED: "red",
    Outcome.REFUSED: "yellow",
}
BLOCKS = "▁▂▃▄▅▆▇█"


def print_report(report: Report, console: Console) -> None:
    """Print a report: headline, findings with what was done, sections, what is missing."""
    when = local(report.finished_at, report.timezone)
    console.print(
        Panel(
            escape(report.headline),
            title=f"[bold]{escape(report.title)}[/] · {when}",
            subtitle=f"{report.outcome.value} in {report.duration.total_seconds():.1f} s",
            border_style=FRAMES[report.outcome],
            title_align="left",
            subtitle_align="right",
        )
    )
    if report.findings:
        console.print(_findings(report))
    for section in report.sections:
        print_section(section, console)
    if report.missing:
        console.print("\n[bold yellow]What is missing or set aside[/]")
        for line in report.missing:
            console.print(f"  • {escape(line)}")


def _findings(report: Report) -> RichTable:
    table = RichTable(title="What needs attention", title_justify="left", expand=True)
    table.add_column("Severity", no_wrap=True)
    # Long names are folded, never cut short: a reader at 80 columns may need each.
    table.add_column("What", ratio=5, overflow="fold")
    table.add_column("At risk per day", justify="right")
    table.add_column("Done / to do", ratio=5, overflow="fold")
    for finding in report.findings:
        table.add_row(
            f"[{COLOURS[finding.severity]}]{finding.severity.value}[/]",
            escape(finding.title),
            money(finding.impact_per_day, report.currency),
            escape(done_about(report, finding)),
        )
    return table


def print_section(section: Section, console: Console) -> None:
    """Print one part of a report."""
    console.print(f"\n[bold]{escape(section.title)}[/]")
    if section.text:
        console.print(Padding(escape(section.text), (0, 2)))
    for table in section.tables:
        console.print(_table(table))
    for chart in section.charts:
        console.print(_chart(chart, width=min(console.width - 40, 64)))


def _table(table: Table) -> RichTable:
    out = RichTable(
        title=escape(table.title) or None, caption=escape(table.note) or None, title_justify="left"
    )
    for i, column in enumerate(table.columns):
        numeric = all(isinstance(row[i], int | float | None) for row in table.rows)
        out.add_column(escape(column), justify="right" if numeric else "left", overflow="fold")
    for row in table.rows:
        out.add_row(*(escape(display(cell)) for cell in row))
    return out


def _chart(chart: Chart, width: int) -> RichTable:
    """A line chart as sparklines, a bar chart as bars; figures beside them."""
    out = RichTable(
        title=escape(f"{chart.title} ({chart.unit})" if chart.unit else chart.title),
        title_justify="left",
        box=None,
        show_header=False,
    )
    if not chart.x:
        out.add_row("no data")
        return out
    if chart.kind == "bar":
        values = next(iter(chart.series.values()), [])
        most = max((abs(v) for v in values if v is not None), default=0) or 1
        for label, value in zip(chart.x, values, strict=True):
            length = round(abs(value or 0) / most * width)
            out.add_row(escape(label), f"[blue]{'█' * length or '▏'}[/]", display(value))
        return out
    for name, values in chart.series.items():
        known = [v for v in values if v is not None]
        span = f"{display(min(known))} … {display(max(known))}" if known else "no data"
        out.add_row(escape(name), f"[blue]{_sparkline(values, width)}[/]", span)
    out.add_row("", f"[dim]{escape(chart.x[0])} … {escape(chart.x[-1])}[/]", "")
    return out


def _sparkline(values: list[float | None], width: int) -> str:
    """Values as one row of blocks, each the mean of the points it stands for."""
    per_block = max(1, -(-len(values) // max(1, width)))
    groups = [values[i : i + per_block] for i in range(0, len(values), per_block)]
    means = [
        sum(known) / len(known) if (known := [v for v in group if v is not None]) else None
        for group in groups
    ]
    known = [m for m in means if m is not None]
    low, span = min(known, default=0.0), (max(known, default=0.0) - min(known, default=0.0)) or 1
    return "".join(" " if m is None else BLOCKS[round((m - low) / span * 7)] for m in means)
