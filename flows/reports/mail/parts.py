"""Parts of a mail in HTML: what every mail program shows, a phone's too.

Mail programs know little of CSS and less of SVG: styles stand in the elements, layout is tables,
and a bar is a cell with a colour. Text comes from databases and partners; nothing in it comes
alive.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from html import escape

from blocks.text import printable
from blocks.text.masking import without_passwords
from blocks.vocabulary.severity import Severity
from flows.reports.markdown import display
from flows.reports.model import Chart

INK, FAINT, RULE, BAR = "#1f2937", "#6b7280", "#e5e7eb", "#2563a8"
COLOURS = {
    Severity.CRITICAL: "#b91c1c",
    Severity.ERROR: "#c2570c",
    Severity.WARNING: "#a16207",
    Severity.INFO: "#1d4ed8",
}
MOST_BARS = 14
"""Bars that a chart in a mail has; a phone shows no more at once."""

_CELL = f"padding:6px 8px;border-bottom:1px solid {RULE};vertical-align:top;"


def line(value: str) -> str:
    """Text on one line, without control characters and passwords."""
    return " ".join(printable(without_passwords(value)).split())


def text(value: str) -> str:
    """Text on one line, as HTML that shows it as it is."""
    return escape(line(value))


def page(title: str, parts: Iterable[str]) -> str:
    """A whole mail."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{text(title)}</title></head>"
        f'<body style="margin:0;padding:12px;background:#f3f4f6;color:{INK};'
        'font:15px/1.45 -apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif">'
        '<div style="max-width:680px;margin:0 auto;padding:16px;background:#ffffff;'
        f'border-radius:8px"><h1 style="margin:0 0 8px;font-size:20px;line-height:1.25">'
        f"{text(title)}</h1>{''.join(parts)}</div></body></html>"
    )


def heading(value: str) -> str:
    """The title of a part."""
    return f'<h2 style="margin:20px 0 6px;font-size:16px">{text(value)}</h2>'


def paragraph(value: str, *, faint: bool = False) -> str:
    """A paragraph; a faint one is an aside."""
    look = f"color:{FAINT};font-size:13px" if faint else ""
    return f'<p style="margin:6px 0;{look}">{text(value)}</p>'


def badge(severity: Severity) -> str:
    """A severity, in its colour."""
    return (
        f'<span style="color:{COLOURS[severity]};font-weight:600;white-space:nowrap">'
        f"{severity.value}</span>"
    )


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> str:
    """A table whose cells are HTML already.

    Args:
        columns: Heads, as text.
        rows: Cells, each from ``text`` or another part of this module.
        right: Positions of the columns of numbers.
    """
    aside = set(right)

    def row(cells: Sequence[str], tag: str, look: str) -> str:
        told = (
            f'<{tag} style="{_CELL}{look}text-align:{"right" if i in aside else "left"}">'
            f"{cell}</{tag}>"
            for i, cell in enumerate(cells)
        )
        return f"<tr>{''.join(told)}</tr>"

    head = row([text(name) for name in columns], "th", f"font-size:13px;color:{FAINT};")
    body = "".join(row(cells, "td", "") for cells in rows)
    return (
        '<div style="overflow-x:auto"><table style="border-collapse:collapse;width:100%;'
        f'font-size:14px">{head}{body}</table></div>'
    )


def bars(title: str, values: Sequence[tuple[str, float, str]]) -> str:
    """A bar chart.

    Args:
        title: What the bars measure.
        values: Label, length (0 or more, in any unit), and the length as a person reads it.
    """
    longest = max((value for _, value, _ in values), default=0.0)
    if longest <= 0:
        return ""
    rows = "".join(
        f'<tr><td style="padding:2px 8px 2px 0;width:36%">{text(label)}</td>'
        '<td style="padding:2px 0">'
        f'<div style="background:{BAR};height:12px;width:{max(1, round(100 * value / longest))}%">'
        "</div></td>"
        f'<td style="padding:2px 0 2px 8px;width:22%;text-align:right;white-space:nowrap">'
        f"{text(said)}</td></tr>"
        for label, value, said in values
    )
    return (
        f'<p style="margin:14px 0 4px;font-weight:600;font-size:14px">{text(title)}</p>'
        '<table role="presentation" style="border-collapse:collapse;width:100%;font-size:13px">'
        f"{rows}</table>"
    )


def chart_of(chart: Chart) -> str:
    """A report's chart as bars of its first series; of a long one, its end."""
    name, values = next(iter(chart.series.items()), ("", []))
    points = [
        (_day(label), value, display(value))
        for label, value in zip(chart.x, values, strict=False)
        if value is not None and value >= 0
    ]
    shown = points[:MOST_BARS] if chart.kind == "bar" else points[-MOST_BARS:]
    unit = f" ({chart.unit})" if chart.unit else ""
    of = f": {name}" if len(chart.series) > 1 else ""
    return bars(f"{chart.title}{unit}{of}", shown)


def _day(label: str) -> str:
    """A label of a time axis as a person reads it; any other as it is."""
    try:
        return f"{date.fromisoformat(label[:10]):%d %b}"
    except ValueError:
        return label
