"""What is probably on hand when the store cannot be asked."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, time, timedelta
from math import ceil, floor
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from pydantic import AwareDatetime

from agents.capability import ANYBODY, action
from agents.data_intelligence.predictive_analytics.demand_model import DemandModel
from agents.data_intelligence.predictive_analytics.forecasting import demand_model
from agents.data_intelligence.predictive_analytics.spread import Spread
from agents.data_intelligence.result import count
from agents.statistics import Floats
from blocks.business.business import Business
from blocks.errors import ConfigurationError, EmptySource, InvalidMessage
from blocks.ledger import Ledger
from blocks.machine.computing import compute
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.frames import Snapshot
from blocks.vocabulary.messages import Severity
from blocks.vocabulary.responses import StockLevels

LOW, HIGH = 0.05, 0.95
"""Demand quantiles between which the stock is expected in nine cases of ten."""

OLD = timedelta(days=2)
"""An estimate from an older snapshot is worth a warning."""


class StockEstimate(StockLevels):
    """The stock as it probably is: the last snapshot, rolled forward. ``on_hand`` is expected.

    Attributes:
        as_of: The instant it is estimated for.
        low: Units by SKU that are left when demand is high (its 95% quantile) and nothing of what
            was due has arrived.
        high: Units by SKU that are left when demand is low (5%) and all that was due has arrived.
        age_hours: How old the snapshot is.
    """

    as_of: AwareDatetime
    low: dict[str, float]
    high: dict[str, float]
    age_hours: float


@action(timeout=60, askers=ANYBODY)
async def estimate_stock(
    business: Business, ledger: Ledger, now: datetime, skus: list[str] | None = None
) -> StockEstimate:
    """Estimate the stock without asking the store: its last snapshot, rolled forward by demand.

    Args:
        business: Whose stock.
        ledger: Holds the snapshots.
        now: The instant to estimate for.
        skus: The SKUs to estimate; all when None.

    Raises:
        ConfigurationError: There is no store.
        EmptySource: No snapshot of it is kept, or no trading day was over in it.
        ContractViolation: The snapshot has no stock or no sales.
        InvalidMessage: An SKU has no stock in the snapshot.
    """
    if business.store is None:
        raise ConfigurationError(
            "The business has no store.", hint="Connect one with ./orchestrator connect URL."
        )
    snapshot = await ledger.snapshots.latest(
        business.store.name, only=("stock", "products", "sales", "orders", "open_orders")
    )
    if snapshot is None:
        raise EmptySource(
            f"No snapshot of {business.store.name} is kept to estimate from.",
            hint="Run integration-specialist.sync_stock once while the store can be read.",
        )
    return await compute(roll_forward, snapshot, now, skus)


def roll_forward(snapshot: Snapshot, now: datetime, skus: Collection[str] | None) -> StockEstimate:
    """The stock expected at ``now``, from a snapshot taken before.

    With S on hand and arrived, and demand D since, the expected rest is
    ``E[(S - D)+] = S - E[D] + E[(D - S)+]``: what is not there is not sold. Where S is below zero,
    as more was sold than there was, what is owed stays owed: the rest is S.

    Raises:
        ContractViolation: The snapshot has no stock or no sales.
        EmptySource: No trading day was over in it.
        InvalidMessage: An SKU has no stock in it.
    """
    (stock,) = snapshot.need("stock")
    known = stock.set_index("sku")["on_hand"]
    chosen = sorted(known.index if skus is None else set(skus))
    if unknown := sorted(set(chosen) - set(known.index)):
        raise InvalidMessage(
            f"No stock of {', '.join(map(repr, unknown[:5]))} in the snapshot.",
            hint="Use SKUs that had a row in the store's stock.",
        )
    # All SKUs, however few are asked for: the errors of all make the distribution of each.
    model = demand_model(snapshot, snapshot.taken_at)
    rows = pd.Index(model.skus).get_indexer(pd.Index(chosen))
    demand = demand_since(model, snapshot, now).rows(rows)
    counted = known.reindex(chosen).to_numpy(dtype=float)
    arrived = _arrived(snapshot, now).reindex(chosen).fillna(0.0).to_numpy()
    there: Floats = np.add(counted, arrived)
    expected = _left(there, demand.mean - demand.shortage(there))
    low = _left(counted, demand.quantile(HIGH))
    high = _left(there, demand.quantile(LOW))
    age = max(now - snapshot.taken_at, timedelta(0))
    basis = (
        f"the snapshot of {snapshot.taken_at:%Y-%m-%d %H:%M} UTC, "
        f"{age.total_seconds() / 3600:.1f} hours old, less the demand forecast since"
    )
    left, owed = float(expected.clip(min=0.0).sum()), float((-expected).clip(min=0.0).sum())
    owing = f" ({owed:,.0f} more are owed)" if owed else ""
    return StockEstimate(
        summary=f"An estimate, not a count: about {left:,.0f} units of "
        f"{count(len(chosen), 'item')}{owing}, from {basis}.",
        taken_at=snapshot.taken_at,
        items=len(chosen),
        units=left,
        owed=owed,
        on_hand=_by_sku(chosen, expected),
        stale=True,
        degraded=True,
        basis=f"estimated from {basis}",
        as_of=now,
        low=_by_sku(chosen, low),
        high=_by_sku(chosen, high),
        age_hours=age.total_seconds() / 3600,
        findings=[_too_old(snapshot, age)] if age > OLD else [],
    )


def _left(there: Floats, sold: Floats) -> Floats:
    """Units that are left; what is owed stays owed."""
    return np.where(there < 0, there, np.maximum(there - sold, 0.0))


def demand_since(model: DemandModel, snapshot: Snapshot, now: datetime) -> Spread:
    """Distribution of the demand between the snapshot and ``now``.

    The model speaks of whole days from the snapshot's own day on. Within a day demand is taken to
    be even, and the variance of a part of the horizon to be its share of the mean, as the model's
    dispersion index has it.
    """
    midnight = datetime.combine(model.today, time(), ZoneInfo(snapshot.timezone))
    begin, end = ((t - midnight) / timedelta(days=1) for t in (snapshot.taken_at, now))
    days = max(ceil(end), 1)
    whole = model.spread(days)
    total = model.mean(days).sum()
    wanted = _demand_until(model, end) - _demand_until(model, begin)
    share = min(max(wanted / total, 0.0), 1.0) if total > 0 else 0.0
    return Spread(whole.mean * share, whole.scale * np.sqrt(share), whole.errors, whole.group)


def _demand_until(model: DemandModel, days: float) -> float:
    """Expected units of all SKUs over the first ``days`` days, a fraction of a day included."""
    before, after = (float(model.mean(n).sum()) for n in (floor(days), floor(days) + 1))
    return before + (days - floor(days)) * (after - before)


def _arrived(snapshot: Snapshot, now: datetime) -> pd.Series[float]:
    """Units by SKU of the open orders that were due between the snapshot and ``now``."""
    if "open_orders" not in snapshot.frames:
        return pd.Series(dtype=float)
    lines = snapshot.frames["open_orders"]
    due = (lines["expected_at"] > snapshot.taken_at) & (lines["expected_at"] <= now)
    return lines[due].groupby("sku")["units"].sum()


def _by_sku(skus: list[str], units: np.ndarray) -> dict[str, float]:
    return {sku: round(float(n), 2) for sku, n in zip(skus, units, strict=True)}


def _too_old(snapshot: Snapshot, age: timedelta) -> Finding:
    return Finding(
        kind="stock-estimate-old",
        resource=f"store:{snapshot.store}",
        severity=Severity.WARNING,
        title=f"The stock is estimated from a snapshot that is {age.days} days old",
        evidence={"taken_at": snapshot.taken_at.isoformat(), "age_days": age / timedelta(days=1)},
        advice="Have the store read again before ordering by these numbers.",
    )
