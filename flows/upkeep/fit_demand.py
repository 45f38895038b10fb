"""The nightly run that learns demand from all items together, for the runs of the coming days."""

from __future__ import annotations

from datetime import timedelta

from prefect import flow

from agents.data_intelligence.predictive_analytics.demand_fit import FitSummary, Turn
from flows.orchestrator.runs.endings import outlives_outages
from flows.orchestrator.team.demand import fit_now
from flows.orchestrator.team.fetching import fetch_everything
from flows.orchestrator.team.opening import workflow_run
from flows.orchestrator.team.outcome import conclude, findings_of
from flows.reports.model import Chart, Report, Section, Table, count
from flows.reports.ranking import rank


@flow(
    name="fit-demand",
    description=(
        "Learns from the sales of all items together what each will sell in the coming weeks, and "
        "how far such forecasts are off. What was learned serves the checks and orders of the "
        "following days."
    ),
    timeout_seconds=3000,
)
@outlives_outages
async def fit_demand() -> Report:
    """Learn the demand of the coming weeks anew.

    Raises:
        NoBusinessConfigured: There is nothing to look after yet.
        LedgerError: What was done could not be recorded.
        NothingAchieved: Every call failed; the report is kept all the same.
    """
    async with workflow_run("fit-demand") as team:
        fetched = await fetch_everything(team)
        replies, summary = fetched.replies, None
        if fetched.snapshot:
            fitted = await fit_now(team, fetched.snapshot)
            replies = [*replies, fitted]
            summary = fitted.result.summary if fitted.ok else None
        report = await team.report(
            "Demand of the coming weeks",
            _headline(summary) if summary else "Nothing could be learned.",
            sections=[_weeks(summary), _turns(summary)] if summary else [],
            findings=rank(findings_of(replies)),
            replies=replies,
        )
    return conclude(report)


def _headline(fit: FitSummary) -> str:
    before = sum(fit.past[-4:]) / max(len(fit.past[-4:]), 1)
    after = sum(fit.expected[:4]) / 4
    change = f" ({after / before - 1:+.0%} against the last four weeks)" if before > 0 else ""
    return (
        f"About {after:,.0f} units a week are expected over the next four weeks{change}, learned "
        f"from {count(fit.weeks, 'week')} of {count(fit.selling, 'item')} that sold."
    )


def _weeks(fit: FitSummary) -> Section:
    monday = fit.as_of
    past, coming = len(fit.past), len(fit.expected)
    starts = [monday + timedelta(weeks=week) for week in range(-past, coming)]
    nothing_yet: list[float | None] = [None] * coming
    out = (
        f"{count(fit.out_now, 'item')} could not be bought yesterday: what such items did not sell "
        "counts as unknown, not as unwanted."
        if fit.out_now
        else ""
    )
    return Section(
        title="Units per week",
        text=out,
        charts=[
            Chart(
                title="Units per week, sold and expected",
                unit="units",
                x=[start.isoformat() for start in starts],
                series={
                    "sold": [*fit.past, *nothing_yet],
                    "expected": [*[None] * past, *fit.expected],
                },
            )
        ],
    )


def _turns(fit: FitSummary) -> Section:
    tables = [
        _table(title, turns) for title, turns in (("Rising", fit.rising), ("Falling", fit.falling))
    ]
    return Section(title="What changes most", tables=[table for table in tables if table.rows])


def _table(title: str, turns: list[Turn]) -> Table:
    return Table(
        title=title,
        columns=["SKU", "Product", "Units a week, last quarter", "Units a week, next four weeks"],
        rows=[[turn.sku, turn.name, turn.before, turn.expected] for turn in turns],
    )
