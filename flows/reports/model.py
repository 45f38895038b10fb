"""What a person reads: the report every workflow leaves, as data.

Renderers turn it into a Prefect artifact (``flows.reports.markdown``), terminal output
(``deployments.console.report``) or JSON (the model itself). Charts are data until they are
rendered.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, Field, field_validator

from agents.data_intelligence.predictive_analytics.baskets.drafts import PurchasePlan
from blocks.ledger.purchasing.records import OrderStage
from blocks.models import Frozen
from blocks.vocabulary.effects import EffectVerdict
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Outcome

Cell = str | float | int | None


class Table(Frozen):
    """Rows under column heads; numbers stay numbers until they are rendered."""

    title: str = ""
    columns: list[str]
    rows: list[list[Cell]]
    note: str = ""


class Chart(Frozen):
    """One line or bar chart.

    Attributes:
        x: Labels, or ISO dates for a time axis, in order.
        series: Name to values, as long as ``x``; None leaves a gap.
        low, high: An expected band around the first series, as long as ``x``.
        marks: Positions in ``x`` to point out on the first series.
    """

    title: str
    kind: Literal["line", "bar"] = "line"
    unit: str = ""
    x: list[str]
    series: dict[str, list[float | None]]
    low: list[float | None] | None = None
    high: list[float | None] | None = None
    marks: list[int] = Field(default_factory=list)


class Section(Frozen):
    """A titled part of a report: prose first, then tables, then charts."""

    title: str
    text: str = ""
    tables: list[Table] = Field(default_factory=list)
    charts: list[Chart] = Field(default_factory=list)


class RemediationLine(Frozen):
    """What was done about one finding, or why nothing was.

    ``status`` is None when nothing was tried; ``detail`` then says why.
    """

    finding: str
    action: str
    status: EffectVerdict | None
    detail: str

    @field_validator("status", mode="before")
    @classmethod
    def _earlier_releases(cls, status: object) -> object:
        """What a run had only intended when it died had a status of its own."""
        return None if status == "intended" else status


class PlacedOrder(Frozen):
    """What became of one draft order.

    Attributes:
        supplier: Its name.
        reference: Our number of the order; "" where none was put on record.
        lines: Items.
        total: Money, in ``currency``.
        stage: Where the order stands; None where none was put on record.
        detail: What happened and why, in words.
    """

    supplier: str
    reference: str = ""
    lines: int
    total: Decimal
    currency: str
    stage: OrderStage | None = None
    detail: str


class Report(Frozen):
    """One workflow run, told to a person."""

    workflow: str
    title: str
    run_id: str
    started_at: AwareDatetime
    finished_at: AwareDatetime
    outcome: Outcome
    headline: str
    currency: str = ""
    timezone: str = "UTC"
    sections: list[Section] = Field(default_factory=list)
    findings: list[Finding] = Field(default_factory=list)
    remediations: list[RemediationLine] = Field(default_factory=list)
    missing: list[str] = Field(
        default_factory=list, description="What the report could not include, and why."
    )
    orders: PurchasePlan | None = Field(
        default=None, description="Draft orders, where the workflow makes any."
    )
    placed: list[PlacedOrder] = Field(
        default_factory=list, description="What became of the drafts, where any was placed."
    )

    @property
    def duration(self) -> timedelta:
        """How long the run took."""
        return self.finished_at - self.started_at

    def remediation_of(self, finding: Finding) -> RemediationLine | None:
        """What was done about a finding, None when nothing could be."""
        return next((r for r in self.remediations if r.finding == finding.fingerprint), None)


def money(value: float | None, currency: str) -> str:
    """``1234.5`` as ``1,234 GBP`` (two decimals below 100); an em dash for None."""
    if value is None:
        return "—"
    return f"{value:,.{2 if abs(value) < 100 else 0}f} {currency}".strip()


def unit_price(price: Decimal) -> str:
    """A price per piece with all of its decimals, two at least: ``4.60``, ``0.035``."""
    return f"{price:,.2f}" if price == round(price, 2) else f"{price.normalize():,f}"


def local(instant: datetime, zone: str) -> str:
    """An instant as a person in ``zone`` reads it, for instance ``23 Nov 2026, 07:00``."""
    return f"{instant.astimezone(ZoneInfo(zone)):%d %b %Y, %H:%M}"


def short(name: str, length: int = 28) -> str:
    """A name that fits beside a bar of a chart."""
    return name if len(name) <= length else name[: length - 1].rstrip() + "…"


def count(number: int, noun: str) -> str:
    """``1 issue``, ``2 issues``, ``1,000 issues``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
