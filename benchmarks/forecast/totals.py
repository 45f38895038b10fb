"""The daily model's totals of four weeks, from several starting points."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from benchmarks.forecast.data import Shop

DAYS = 28
STARTS = 6
QUANTILES = (0.5, 0.9, 0.95)


def total_accuracy(shop: Shop, skus: list[str]) -> dict[str, float]:
    """Errors of its four-week totals, and how often demand stayed within each quantile."""
    within: dict[float, list[float]] = {p: [] for p in QUANTILES}
    errors = demand = 0.0
    for start in range(1, STARTS + 1):
        today = shop.end - timedelta(days=start * DAYS)
        if today <= shop.sales["date"].min().date() + timedelta(days=DAYS):
            break
        actual = shop.actual(today, skus, DAYS // 7).sum(axis=1)
        spread = shop.model(today, skus).spread(DAYS)
        errors += float(np.abs(spread.mean - actual).sum())
        demand += float(actual.sum())
        for p in QUANTILES:
            within[p].append(float((actual <= spread.quantile(p)).mean()))
    if not demand:
        return {}
    return {
        "tsb_wape_of_28_days": errors / demand,
        **{f"tsb_within_q{100 * p:.0f}": float(np.mean(shares)) for p, shares in within.items()},
    }
