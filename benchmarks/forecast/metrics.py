"""How far forecasts are from what was sold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.spread import Spread
from agents.statistics import Floats

QUANTILES = (0.5, 0.8, 0.95, 0.99)

Chosen = NDArray[np.bool_]


def accuracy(forecast: Floats, actual: Floats, past: Floats) -> dict[str, float]:
    """WAPE, RMSSE and bias of weekly forecasts: one row per SKU, one column per week.

    WAPE is the sum of absolute errors over the sum of units, bias that of errors; RMSSE
    (Makridakis et al. 2022, IJF 38:1346) is measured by the weekly changes of each SKU's own past,
    and averaged over the SKUs whose past had any.
    """
    error = forecast - actual
    scale = np.sqrt((np.diff(past, axis=1) ** 2).mean(axis=1))
    moved = scale > 0
    return {
        "wape": float(np.abs(error).sum() / actual.sum()),
        "rmsse": float((np.sqrt((error**2).mean(axis=1))[moved] / scale[moved]).mean()),
        "bias": float(error.sum() / actual.sum()),
    }


def pinball(quantiles: Mapping[float, Floats], actual: Floats) -> float:
    """Mean pinball loss over some quantiles of a total, per unit that was sold."""
    loss = 0.0
    for p, units in quantiles.items():
        above = actual - units
        loss += float(np.maximum(p * above, (p - 1) * above).sum())
    return loss / len(quantiles) / float(actual.sum())


def coverage(spread: Spread, actual: Floats, chosen: Chosen) -> dict[float, float]:
    """Share of totals within each quantile, among some SKUs.

    Whole units come in lumps: of an item that sells nothing in eight intervals of ten, a quantile
    of 50% covers 80%. So a total that equals its rounded quantile counts with the part of its
    chance that was asked for (the randomised integral transform; Czado, Gneiting and Held 2009,
    Biometrics 65:1254): a chance of 50% is right where the mean over many items is 50%.
    """
    whole = bool((actual == np.round(actual)).all())
    found = {}
    for p in QUANTILES:
        units = spread.quantile(p)
        within = (actual <= units).astype(float)
        if whole:
            lump = np.round(units)
            below = np.where(lump > 0, 1 - spread.exceeds(lump - 0.5), 0.0)
            chance = 1 - spread.exceeds(lump + 0.5) - below
            part = np.divide(p - below, chance, out=np.ones(len(units)), where=chance > 0)
            within = np.where(actual == lump, np.clip(part, 0.0, 1.0), actual < lump)
        found[p] = float(within[chosen].mean()) if chosen.any() else float("nan")
    return found


def kinds(groups: Sequence[str], group: NDArray[np.uint8]) -> dict[str, Chosen]:
    """Which SKUs are of each kind, by the names of their groups of errors."""
    names = np.array([name.split()[0] for name in groups])[group]
    return {str(name): np.asarray(names == name) for name in np.unique(names)}
