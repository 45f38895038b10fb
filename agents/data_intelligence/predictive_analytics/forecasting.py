"""How much of each SKU will be wanted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import numpy as np

from agents.capability import action
from agents.data_intelligence.predictive_analytics.demand.learned import demand_of
from agents.data_intelligence.predictive_analytics.demand.rates import Rates
from agents.data_intelligence.predictive_analytics.demand_model import DemandModel
from agents.data_intelligence.result import Result
from agents.data_intelligence.trading_calendar import TradingHistory
from blocks.errors import EmptySource, InvalidMessage
from blocks.models import Strict
from blocks.vocabulary.columns import distinct
from blocks.vocabulary.frames import Snapshot

HORIZON_DAYS = 28


class SkuForecast(Strict):
    """Expected demand of one SKU over the horizon.

    Attributes:
        sku: The SKU.
        method: ``learned`` over all items, ``tsb`` of its own sales, or ``no-sales`` for an SKU
            that never sold (it forecasts zero).
        mean_per_day: Units per calendar day, closed days included.
        total: Expected units over the horizon.
        q50: Units that demand stays within with a chance of 50%.
        q90: The same with 90%.
        q95: The same with 95%.
        wape: Sum of absolute errors of backtest totals over their sum; None without a backtest,
            and of what was learned: that method's own past is not run over again here.
        bias: Sum of forecast minus actual over the sum of actuals; None without a backtest.
    """

    sku: str
    method: str
    mean_per_day: float
    total: float
    q50: float
    q90: float
    q95: float
    wape: float | None = None
    bias: float | None = None


class DemandForecast(Result):
    """Demand of all SKUs over one horizon.

    Attributes:
        first_day: First day of the horizon.
        horizon_days: Calendar days in it.
        total: Expected units of all SKUs together.
        wape: Backtest error of all SKUs' totals together; None when the history is too short.
        bias: Backtest bias of all SKUs' totals together.
        items: One per SKU, greatest demand first.
    """

    first_day: date
    horizon_days: int
    total: float
    wape: float | None
    bias: float | None
    items: list[SkuForecast]


@action()
def forecast_demand(
    snapshot: Snapshot,
    now: datetime,
    horizon_days: int = HORIZON_DAYS,
    skus: list[str] | None = None,
    learned: Rates | None = None,
) -> DemandForecast:
    """Forecast each SKU's demand over the next days, with quantiles.

    Args:
        snapshot: Needs ``sales`` and ``orders``; ``products`` adds SKUs that never sold.
        now: The first day of the horizon is the store's date at this instant.
        horizon_days: Calendar days from today on, 1 to 365.
        skus: The SKUs to forecast; all of the snapshot when None.
        learned: Demand learned over all items; each item's own sales alone when None.

    Raises:
        ContractViolation: The snapshot lacks a needed frame.
        EmptySource: No trading day is over yet, or there is no SKU.
        InvalidMessage: The horizon is out of range, or an SKU is unknown.
    """
    if not 1 <= horizon_days <= 365:
        raise InvalidMessage(f"horizon_days is {horizon_days}.", hint="Use 1 to 365 days.")
    model = demand_model(snapshot, now, skus)
    demand = demand_of(model, learned)
    spread = demand.spread(horizon_days)
    test = model.backtest(horizon_days) if demand is model else None
    q50, q90, q95 = (spread.quantile(p) for p in (0.5, 0.9, 0.95))
    methods = _methods(model, learned if demand is not model else None)
    items = [
        SkuForecast(
            sku=sku,
            method=methods[i],
            mean_per_day=float(spread.mean[i]) / horizon_days,
            total=float(spread.mean[i]),
            q50=float(q50[i]),
            q90=float(q90[i]),
            q95=float(q95[i]),
            wape=_ratio(np.abs(test.error[i]).sum(), test.demand[i]) if test else None,
            bias=_ratio(test.error[i].sum(), test.demand[i]) if test else None,
        )
        for i, sku in enumerate(model.skus)
    ]
    return DemandForecast(
        first_day=model.today,
        horizon_days=horizon_days,
        total=float(spread.mean.sum()),
        wape=_ratio(np.abs(test.error).sum(), test.demand.sum()) if test else None,
        bias=_ratio(test.error.sum(), test.demand.sum()) if test else None,
        items=sorted(items, key=lambda item: (-item.total, item.sku)),
    )


def demand_model(
    snapshot: Snapshot, now: datetime, skus: Sequence[str] | None = None
) -> DemandModel:
    """The demand model of a snapshot's SKUs (all that have a product, stock or a sale).

    Raises:
        ContractViolation: No ``sales`` or no ``orders``.
        EmptySource: No trading day is over yet, or there is no SKU.
        InvalidMessage: An SKU is in no frame of the snapshot.
    """
    (sales,) = snapshot.need("sales")
    history = TradingHistory.of(snapshot, now)
    known = {
        sku
        for name in ("products", "stock", "sales")
        if name in snapshot.frames
        for sku in distinct(snapshot.frames[name]["sku"])
    }
    unknown = sorted(set(skus or ()) - known)
    if unknown:
        raise InvalidMessage(
            f"No such SKU: {', '.join(map(repr, unknown[:5]))}.",
            hint="Use SKUs that have a product, stock or a sale.",
        )
    chosen = sorted(set(skus)) if skus is not None else sorted(known)
    if not chosen:
        raise EmptySource("There is no SKU to forecast.", hint="Check the products and sales.")
    return DemandModel(sales, history.calendar, history.today, chosen)


def _methods(model: DemandModel, rates: Rates | None) -> list[str]:
    learned = set(rates.skus) if rates else set()
    return [
        "no-sales" if not sells else "learned" if sku in learned else "tsb"
        for sku, sells in zip(model.skus, model.sells, strict=True)
    ]


def _ratio(part: float, whole: float) -> float | None:
    return float(part / whole) if whole > 0 else None
