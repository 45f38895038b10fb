"""Small shops whose best order is plain: a steady demand, and offers written in a line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from agents.data_intelligence.predictive_analytics.baskets.market import Market, open_market
from agents.data_intelligence.predictive_analytics.ordering.economics import Economics
from agents.data_intelligence.predictive_analytics.spread import Spread, poisson_spread
from agents.statistics import Floats
from blocks.business.terms import SupplierTerms
from blocks.vocabulary.frames import OFFERS

TODAY = date(2026, 1, 5)


@dataclass(frozen=True)
class Steady:
    """So many units a day of each SKU: independent orders of one piece, or for sure."""

    units: dict[str, float]
    sure: bool = False

    @property
    def skus(self) -> list[str]:
        return list(self.units)

    @property
    def today(self) -> date:
        return TODAY

    def mean(self, days: int) -> Floats:
        return np.array(list(self.units.values())) * days

    def spread(self, days: int) -> Spread:
        mean = self.mean(days)
        if not self.sure:
            return poisson_spread(mean)
        return Spread(mean, np.zeros(len(mean)), [np.zeros(1)], np.zeros(len(mean), dtype=np.intp))


def offer(supplier: str, sku: str, unit_cost: float, days: float = 3.0, **more: Any) -> dict:
    row = {"supplier": supplier, "sku": sku, "unit_cost": unit_cost, "lead_time_days": days}
    return {**row, "min_order_units": 0.0, **more}


def market(rows: list[dict], **terms: dict[str, Any]) -> Market:
    """Offers, with the terms of each supplier that asks for anything."""
    asked = {name: SupplierTerms() for name in {row["supplier"] for row in rows}}
    for name, some in terms.items():
        asked[name] = SupplierTerms(**{key: Decimal(str(value)) for key, value in some.items()})
    return open_market(OFFERS.validate(pd.DataFrame(rows)), asked, "EUR", {})


def items(**rows: tuple[float, float, float]) -> pd.DataFrame:
    """Free units, reorder point and order-up-to level of each SKU; made for 3 + 7 days."""
    table = pd.DataFrame(rows, index=["free", "reorder_point", "order_up_to"]).T
    return table.assign(on_order=0.0, protection_days=10)


def economics(demand: Steady, margin: float = 100.0) -> Economics:
    """Of units that cost 200: with 84 a line, 70 units are the economic quantity of 4 a day."""
    n = len(demand.skus)
    return Economics(np.full(n, 200.0), np.full(n, margin), line_cost=84.0)
