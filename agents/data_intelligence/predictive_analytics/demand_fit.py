"""The nightly fit of demand, and what a person should know of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pandas as pd
from pydantic import Field

from agents.capability import action
from agents.data_intelligence.predictive_analytics.demand.fitting import fit
from agents.data_intelligence.predictive_analytics.demand.rates import Rates
from agents.data_intelligence.predictive_analytics.demand.stock_outs import days_of, spells
from agents.data_intelligence.predictive_analytics.demand_model import DemandModel
from agents.data_intelligence.predictive_analytics.forecasting import demand_model
from agents.data_intelligence.result import Result
from agents.data_intelligence.trading_calendar import completed
from blocks.models import Strict
from blocks.vocabulary.frames import Snapshot

FITTING_TIMEOUT = 1200.0
"""Seconds that a fit may take; that of 100,000 items takes minutes."""

SHOWN = 10
"""Items whose demand changes most that are told by name, of either direction."""

WEEKS_AGO = 13
"""Weeks of the past that the coming ones are compared with."""


class Turn(Strict):
    """An item whose demand is expected to change.

    Attributes:
        sku: The SKU.
        name: What it is called.
        before: Units per week over the last ``WEEKS_AGO`` weeks.
        expected: Units per week over the next four.
    """

    sku: str
    name: str
    before: float
    expected: float


class FitSummary(Result):
    """What was learned.

    Attributes:
        as_of: First day of the forecast.
        items: SKUs.
        selling: Those of them that ever sold.
        weeks: Whole weeks of history.
        past: Units of all items in each of the last weeks, oldest first.
        expected: Units of all items in each of the coming weeks.
        out_now: Items that could not be bought yesterday and whose days without stock count as
            unknown demand, not as none.
        out_spells: Spells without stock that are known, of all times.
        rising: Items whose demand rises most, in units.
        falling: Items whose demand falls most.
    """

    as_of: date
    items: int
    selling: int
    weeks: int
    past: list[float]
    expected: list[float]
    out_now: int
    out_spells: int
    rising: list[Turn] = Field(default_factory=list)
    falling: list[Turn] = Field(default_factory=list)


@dataclass(frozen=True)
class DemandFit:
    """What a fit gives.

    Attributes:
        rates: The learned demand.
        out: Spells without stock, as ``demand.stock_outs.spells`` has them.
        summary: For a person.
    """

    rates: Rates
    out: pd.DataFrame
    summary: FitSummary


@action(timeout=FITTING_TIMEOUT, retries=0)
def fit_demand(
    snapshot: Snapshot, now: datetime, known_out: pd.DataFrame | None = None
) -> DemandFit:
    """Learn the demand of the coming weeks from all items together.

    Args:
        snapshot: Needs ``sales`` and ``orders``; with ``stock``, days without stock count as
            unknown; with ``products``, their categories help items that have sold little.
        now: Days before the store's date at this instant count.
        known_out: Spells without stock that earlier fits knew of.

    Raises:
        ContractViolation: The snapshot lacks sales or orders.
        EmptySource: No trading day is over yet, or there is no SKU.
    """
    model = demand_model(snapshot, now)
    out = _spells(snapshot, model.today, known_out)
    rates = fit(model, days_of(out), _categories(snapshot), store=snapshot.store)
    return DemandFit(rates, out, _summary(snapshot, model, rates, out))


def _spells(snapshot: Snapshot, today: date, earlier: pd.DataFrame | None) -> pd.DataFrame:
    (sales,) = snapshot.need("sales")
    if "stock" not in snapshot.frames:
        nothing = pd.DataFrame({"sku": pd.Series(dtype="str"), "on_hand": pd.Series(dtype=float)})
        return spells(nothing, sales, today, earlier)
    return spells(snapshot.frames["stock"], completed(sales, today), today, earlier)


def _categories(snapshot: Snapshot) -> dict[str, str]:
    products = snapshot.frames.get("products")
    if products is None or "category" not in products:
        return {}
    known = products[products["category"].notna()]
    return dict(zip(known["sku"], known["category"], strict=True))


def _summary(snapshot: Snapshot, model: DemandModel, rates: Rates, out: pd.DataFrame) -> FitSummary:
    weekly = model.units.weekly[:, -WEEKS_AGO:]
    expected = rates.weekly
    before, after = weekly.mean(axis=1), expected[:, :4].mean(axis=1)
    names = snapshot.names()
    order = np.argsort(after - before, kind="stable")

    def turn(row: int) -> Turn:
        sku = model.skus[row]
        was, will = round(float(before[row]), 2), round(float(after[row]), 2)
        return Turn(sku=sku, name=names.get(sku, sku), before=was, expected=will)

    falling, rising = map(turn, order[:SHOWN]), map(turn, order[::-1][:SHOWN])
    yesterday = pd.Timestamp(model.today) - pd.Timedelta(days=1)
    return FitSummary(
        as_of=model.today,
        items=len(model.skus),
        selling=int(model.sells.sum()),
        weeks=model.weeks,
        past=[round(float(units), 1) for units in weekly.sum(axis=0)],
        expected=[round(float(units), 1) for units in expected.sum(axis=0)],
        out_now=int((out["last"] == yesterday).sum()),
        out_spells=len(out),
        rising=[each for each in rising if each.expected > each.before],
        falling=[each for each in falling if each.expected < each.before],
    )
