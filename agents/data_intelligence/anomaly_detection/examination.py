"""An unusual day in depth: which figures, on which goods, and is it the data or the business?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Literal

import pandas as pd
from pydantic import AwareDatetime

from agents.capability import ANYBODY, action
from agents.data_intelligence.business_intelligence.bands import REFERENCE_DAYS
from agents.data_intelligence.business_intelligence.daily_metrics import analyze_daily_metrics
from agents.data_intelligence.business_intelligence.report import DailyMetrics, Metric
from agents.data_intelligence.data_validation import validate_data
from agents.data_intelligence.data_validation.report import ValidationReport
from agents.data_intelligence.result import Result, worst_first
from agents.data_intelligence.trading_calendar import TradingHistory, completed
from blocks.business.business import Business
from blocks.business.snapshots import READING_TIMEOUT, take_snapshot
from blocks.errors import ConfigurationError, InvalidMessage
from blocks.ledger import Ledger
from blocks.machine.computing import compute
from blocks.models import Strict
from blocks.text import did_you_mean
from blocks.vocabulary.frames import Snapshot
from blocks.vocabulary.messages import Severity

FRESH = timedelta(hours=1)
"""A kept snapshot that is younger is as good as a new one."""

LISTED = 10
"""So many SKUs are listed per figure, the greatest deviation first."""

FEW = 5
"""The few SKUs that may carry a deviation: at most so many, and at most a quarter of those that
moved."""

CONCENTRATED = 0.5
"""From this share of a deviation on, the few carry it."""

COLLAPSE_PERCENT = -80.0
"""A fall of all goods alike by so much is rather data that did not arrive than absent customers."""

_APART = re.compile(r"^(frame|column):(stock|open_orders)\b")
"""Faults of these say nothing of what was sold."""

_COLUMN = {
    "revenue": "revenue",
    "basket": "revenue",
    "orders": "units",
    "units": "units",
    "units-per-order": "units",
    "return-rate": "returned",
}
"""By which column of the sales a figure's deviation is split by SKU."""

Judgement = Literal["nothing-unusual", "data-fault", "business-event"]


class SkuDeviation(Strict):
    """One SKU's part in a deviation: its value on the day against its usual one.

    ``share`` is its part of all deviations in the direction of the whole, 0 to 1.
    """

    sku: str
    name: str
    value: float
    usual: float
    deviation: float
    share: float


class Deviation(Strict):
    """One figure that was examined, and the SKUs its deviation concentrates on.

    Attributes:
        metric: The figure, against the same weekday before.
        split_by: The column of the sales by which it is split.
        skus: Greatest part first.
        moved: How many SKUs moved in the direction of the whole.
        few: How many of them count as the few.
        concentration: Share of the deviation (0 to 1) that the few carry.
    """

    metric: Metric
    split_by: str
    skus: list[SkuDeviation]
    moved: int
    few: int
    concentration: float


class AnomalyExamination(Result):
    """What is unusual about the last trading day, and why it probably is.

    Attributes:
        summary: One or two sentences a manager understands.
        day: The day examined.
        taken_at: When the snapshot was taken.
        metrics: All its figures.
        examined: The unusual ones (or the one asked for), split by SKU.
        judgement: ``data-fault``: rather the data are wrong; ``business-event``: rather it
            happened; ``nothing-unusual``.
        reasons: Why it is judged so.
        trust: The data's own score, 0 to 100.
    """

    summary: str
    day: date
    taken_at: AwareDatetime
    metrics: list[Metric]
    examined: list[Deviation]
    judgement: Judgement
    reasons: list[str]
    trust: float


@action(timeout=READING_TIMEOUT, askers=ANYBODY)
async def examine_anomaly(
    business: Business, ledger: Ledger, now: datetime, metric: str | None = None
) -> AnomalyExamination:
    """Say which figures of the last trading day are unusual, on which goods, and why.

    Args:
        business: Whose store.
        ledger: Its newest snapshot there is used when it is younger than an hour.
        now: The instant to judge at.
        metric: The figure to examine even if it is usual; all unusual ones when None.

    Raises:
        ConfigurationError: There is no store.
        SourceError: The store cannot be read, and no fresh snapshot is kept.
        ContractViolation: The snapshot lacks sales or orders.
        EmptySource: No trading day is over yet.
        InvalidMessage: There is no such figure.
    """
    store = business.store
    if store is None:
        raise ConfigurationError(
            "The business has no store.", hint="Connect one with ./orchestrator connect URL."
        )
    kept = await ledger.snapshots.latest(store.name)
    fresh = kept is not None and timedelta(0) <= now - kept.taken_at <= FRESH
    snapshot = kept if kept and fresh else await take_snapshot(store, ledger, now)
    return await compute(examine, snapshot, now, metric)


def examine(snapshot: Snapshot, now: datetime, metric: str | None = None) -> AnomalyExamination:
    """The last trading day of a snapshot, in depth. Raises as examine_anomaly."""
    snapshot.need("sales", "orders")
    daily = analyze_daily_metrics(snapshot, now)
    trust = validate_data(snapshot, now)
    chosen = _chosen(daily, metric)
    deviations = [_deviation(snapshot, now, each) for each in chosen]
    judgement, reasons = judge([d for d in deviations if d.metric.unusual], trust)
    return AnomalyExamination(
        summary=_say(daily, chosen, judgement, reasons),
        day=daily.day,
        taken_at=snapshot.taken_at,
        metrics=daily.metrics,
        examined=deviations,
        judgement=judgement,
        reasons=reasons,
        trust=trust.score,
        findings=worst_first([*daily.findings, *trust.findings]),
    )


def _chosen(daily: DailyMetrics, metric: str | None) -> list[Metric]:
    if metric is None:
        return [each for each in daily.metrics if each.unusual]
    known = [each.name for each in daily.metrics if each.name in _COLUMN]
    if metric not in known:
        hint = did_you_mean(metric, known)
        raise InvalidMessage(f"There is no figure {metric!r}.", hint=hint)
    return [each for each in daily.metrics if each.name == metric]


def _deviation(snapshot: Snapshot, now: datetime, metric: Metric) -> Deviation:
    """Split a figure's deviation by SKU, against the mean of the same weekdays before.

    Means and not medians: the parts then add up to the whole.
    """
    history = TradingHistory.of(snapshot, now)
    column, day = _COLUMN[metric.name], pd.Timestamp(history.last)
    days = history.orders["date"]
    before = days[(days < day) & (days.dt.day_of_week == day.day_of_week)].tail(REFERENCE_DAYS)
    sales = completed(snapshot.frames["sales"], history.today)
    value = sales[sales["date"] == day].groupby("sku")[column].sum()
    usual = sales[sales["date"].isin(before)].groupby("sku")[column].sum() / max(len(before), 1)
    table = pd.DataFrame({"value": value, "usual": usual}).fillna(0.0)
    table["deviation"] = table["value"] - table["usual"]
    direction = 1.0 if table["deviation"].sum() >= 0 else -1.0
    towards = (direction * table["deviation"]).clip(lower=0.0)
    table["share"] = towards / towards.sum() if towards.sum() > 0 else 0.0
    table = table.sort_values("share", ascending=False, kind="stable")
    moved = int((towards > 0).sum())
    few = min(FEW, max(moved // 4, 1))
    names = snapshot.names()
    return Deviation(
        metric=metric,
        split_by=column,
        skus=[
            SkuDeviation(
                sku=str(sku),
                name=names.get(str(sku), str(sku)),
                **{str(key): float(part) for key, part in row.items()},
            )
            for sku, row in table[table["share"] > 0].head(LISTED).iterrows()
        ],
        moved=moved,
        few=few,
        concentration=float(table["share"].head(few).sum()),
    )


def judge(unusual: Sequence[Deviation], trust: ValidationReport) -> tuple[Judgement, list[str]]:
    """Whether a deviation is rather a fault of the data or an event of the business, and why."""
    if not unusual:
        return "nothing-unusual", ["Every figure is within its usual band."]
    faults = [
        finding.title
        for finding in trust.findings
        if finding.severity >= Severity.ERROR and not _APART.search(finding.resource)
    ]
    if faults:
        return "data-fault", faults
    by_name = {each.metric.name: each for each in unusual}
    lead = unusual[0]
    change = lead.metric.change_percent or 0.0
    concentrated = lead.concentration >= CONCENTRATED and lead.moved > lead.few
    if concentrated:
        names = ", ".join(sku.name for sku in lead.skus[: lead.few])
        return "business-event", [
            f"{lead.concentration:.0%} of the deviation of {lead.metric.label.lower()} "
            f"comes from {names}; the other goods sold much as usual."
        ]
    if change <= COLLAPSE_PERCENT:
        return "data-fault", [
            f"All goods fell alike, by {-change:.0f}%: rather data that did not arrive, or a shop "
            "that could not sell, than customers who stayed away."
        ]
    if "revenue" in by_name and not by_name.keys() & {"orders", "units"}:
        return "data-fault", [
            "Revenue is unusual while orders and units are as usual, over many goods: rather the "
            "prices are recorded wrongly."
        ]
    return "business-event", [
        f"The deviation is spread over {lead.moved} goods, and the data themselves give no cause "
        "for doubt."
    ]


def _say(
    daily: DailyMetrics, chosen: Sequence[Metric], judgement: Judgement, reasons: Sequence[str]
) -> str:
    when = f"{daily.weekday} {daily.day}"
    if judgement == "nothing-unusual":
        return f"Nothing about {when} is unusual."
    figures = "; ".join(
        f"{m.label.lower()} {abs(m.change_percent or 0):.0f}% "
        f"{'below' if (m.change_percent or 0) < 0 else 'above'} a usual {daily.weekday}"
        for m in chosen
        if m.unusual
    )
    what = "a fault of the data" if judgement == "data-fault" else "an event of the business"
    return f"{when}: {figures}. Rather {what}: {reasons[0]}"
