"""Charts as SVG, small enough to travel inside a report."""

from __future__ import annotations

import base64
import io
import warnings
from datetime import date
from typing import TYPE_CHECKING, Any

from blocks.text import printable
from flows.reports.model import Chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, GRID, BAND = "#3b4252", "#e5e9f0", "#cfe0f5"
COLOURS = ["#2563a8", "#d1732b", "#3d8a5f", "#8a4fa3", "#a33b4a"]
ALARM = "#c62f3b"


def as_svg(chart: Chart) -> str:
    """Draw a chart; equal data gives an equal drawing."""
    # Imported here: only a run that draws pays for it.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "chart",
        "font.family": "sans-serif",
        "font.size": 9,
        "text.parse_math": False,  # a $ in a product's name is a dollar
        "text.color": INK,
        "axes.labelcolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
    }
    with mpl.rc_context(style), warnings.catch_warnings():
        # Text stays text: the browser has the letters that our font lacks.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure = Figure(figsize=(7.2, 2.6), layout="constrained", facecolor="white")
        axes = figure.add_subplot()
        _draw_bars(axes, chart) if chart.kind == "bar" else _draw_lines(axes, chart)
        _dress(axes, chart)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def as_data_uri(chart: Chart) -> str:
    """The drawing as a ``data:`` URI, the form that Prefect's artifacts render."""
    return "data:image/svg+xml;base64," + base64.b64encode(as_svg(chart).encode()).decode()


def _draw_lines(axes: Axes, chart: Chart) -> None:
    places = list(range(len(chart.x)))
    if chart.low and chart.high:
        axes.fill_between(
            places, _gaps(chart.low), _gaps(chart.high), color=BAND, linewidth=0, label="expected"
        )
    for (name, values), colour in zip(chart.series.items(), COLOURS * 9, strict=False):
        axes.plot(places, _gaps(values), color=colour, linewidth=1.4, label=name)
    first = next(iter(chart.series.values()), [])
    marked = [(i, y) for i in chart.marks if i < len(first) and (y := first[i]) is not None]
    if marked:
        spots, heights = zip(*marked, strict=True)
        axes.scatter(spots, heights, color=ALARM, s=22, zorder=5, label="unusual")
    step = max(1, -(-len(places) // 8))
    axes.set_xticks(places[::step], [_short(x) for x in chart.x[::step]])


def _draw_bars(axes: Axes, chart: Chart) -> None:
    width = 0.8 / max(1, len(chart.series))
    for k, (name, values) in enumerate(chart.series.items()):
        offsets = [i + (k - (len(chart.series) - 1) / 2) * width for i in range(len(chart.x))]
        axes.barh(offsets, _gaps(values), height=width * 0.92, color=COLOURS[k], label=name)
    axes.set_yticks(range(len(chart.x)), [printable(label) for label in chart.x])
    axes.invert_yaxis()


def _dress(axes: Axes, chart: Chart) -> None:
    unit = f" ({chart.unit})" if chart.unit else ""
    axes.set_title(chart.title + unit, loc="left", fontsize=10, fontweight="bold")
    value_axis = axes.xaxis if chart.kind == "bar" else axes.yaxis
    value_axis.set_major_formatter("{x:,g}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x" if chart.kind == "bar" else "y", color=GRID)
    axes.set_axisbelow(True)
    if len(chart.series) > 1 or chart.low or chart.marks:
        # Beside the title, where no line can run through it.
        axes.legend(
            frameon=False,
            fontsize=8,
            ncols=4,
            loc="lower right",
            bbox_to_anchor=(1, 1),
            borderpad=0,
        )


def _gaps(values: list[float | None]) -> list[float]:
    return [float("nan") if value is None else value for value in values]


def _short(label: str) -> str:
    try:
        return f"{date.fromisoformat(label[:10]):%d %b}"
    except ValueError:
        return printable(label)
