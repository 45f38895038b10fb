"""What a store knows of the demand of some items, looking back from a day."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from agents.data_intelligence.predictive_analytics.demand.stock_outs import days_of, spells
from agents.data_intelligence.predictive_analytics.last_sales import LastSales
from agents.data_intelligence.predictive_analytics.ordering.rules import USUAL, usual_parameters
from agents.data_intelligence.predictive_analytics.purchasing.groups import classes_of
from agents.data_intelligence.predictive_analytics.purchasing.hindsight import Onward
from agents.data_intelligence.predictive_analytics.stock_facts import prices_and_costs
from agents.data_intelligence.trading_calendar import completed, since
from agents.statistics import Floats
from blocks.vocabulary.frames import DAILY_WEEKS, Snapshot

USUAL_DAYS = 91
"""Days before the judgement whose sales tell how many units are usually wanted."""


class SeenSales:
    """What the store knows of some items on a day.

    Args:
        snapshot: Needs ``stock`` and ``sales``; uses ``products``.
        today: The store's date.
        skus: The items.
        known_out: Spells without stock that were seen before.

    Raises:
        ContractViolation: The snapshot lacks a needed frame.
    """

    def __init__(
        self, snapshot: Snapshot, today: date, skus: pd.Index, known_out: pd.DataFrame | None
    ) -> None:
        stock, sales = snapshot.need("stock", "sales")
        sales = completed(sales, today)
        sales = sales[sales["sku"].isin(skus)]
        self.currency, self.today = snapshot.currency, today
        self.first = today - timedelta(weeks=DAILY_WEEKS)
        self.classes = classes_of(snapshot, today, skus)
        self._begun = sales.groupby("sku")["date"].min().dt.date.to_dict()
        self.known = set(stock["sku"]) | set(sales["sku"].unique())
        last = LastSales.of(sales, skus)
        self.price = prices_and_costs(snapshot, last, skus)[0]
        out = days_of(spells(stock[stock["sku"].isin(skus)], sales, today, known_out))
        self._out = {str(sku): set(days.dt.date) for sku, days in out.groupby("sku")["date"]}
        recent = since(sales, self.first)
        net = (recent["units"] - recent["returned"]).clip(lower=0.0)
        table = net.groupby([recent["sku"], recent["date"].dt.date]).sum()
        self._sold = {str(sku): some.droplevel(0) for sku, some in table.groupby(level=0)}

    def sold(self, sku: str, begin: date, end: date) -> tuple[Floats, Floats]:
        """Units sold on each day, and whether it could be bought (1) or was known to be out (0)."""
        days = [begin + timedelta(days=n) for n in range((end - begin).days)]
        units = self._sold.get(sku, pd.Series(dtype=float)).reindex(days).fillna(0.0)
        out = self._out.get(sku, set())
        there = np.array([day not in out for day in days], dtype=float)
        return units.to_numpy(dtype=float), there

    def rate(self, sku: str) -> float:
        """Units a day that it usually sells while it is there; as if it sold one at least."""
        units, there = self.sold(sku, self.today - timedelta(days=USUAL_DAYS), self.today)
        return max(float((units * there).sum()), 1.0) / max(float(there.sum()), 1.0)

    def wanted(self, sku: str, begin: date, end: date) -> Floats:
        """Units wanted on each day: what was sold and, while it was out, what it usually sells."""
        sold, there = self.sold(sku, begin, end)
        return np.where(there > 0, sold, np.maximum(sold, self.rate(sku)))

    def onward(self, sku: str, lead_days: int) -> Onward:
        """How it goes on: by the parameters that shops set, on the weeks that are known by day."""
        begin = max(self.first, self._begun.get(sku, self.first))
        weeks = max((self.today - begin).days // 7, 1)
        usual = USUAL[self.classes[sku]]
        given = usual_parameters(
            np.array([self.rate(sku)]),
            np.array([float(lead_days)]),
            usual.safety_days,
            usual.cover_days,
        )
        return Onward(
            self.wanted(sku, self.today - timedelta(weeks=weeks), self.today),
            float(given.minimum[0]),
            float(given.maximum[0]),
            lead_days,
        )
