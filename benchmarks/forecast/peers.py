"""Others' forecasts of the same weeks, made by a Python of their own.

Run by that Python (which has numpy, pandas, statsforecast and lightgbm, and nothing of ours) as a
script with two paths, of what is known and of what is forecast; imported by the benchmark for
``forecasts``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

NAMES = ("theta", "lightgbm")
LAGS = 13
WINDOWS = (4, 13, 26, 52)
ORIGINS = 52
MOST_ROWS = 300_000


def forecasts(python: Path | None, past: Any, weeks: int) -> dict[str, Any]:
    """Weekly forecasts of each peer; None of one that is not installed.

    Args:
        python: One that has the peers' libraries; None when there is none.
        past: Weekly units, a row per SKU.
        weeks: To forecast.
    """
    if python is None:
        return dict.fromkeys(NAMES)
    with tempfile.TemporaryDirectory() as folder:
        known, told = Path(folder) / "known.npz", Path(folder) / "told.npz"
        np.savez(known, past=past, weeks=weeks)
        subprocess.run([str(python), __file__, str(known), str(told)], check=True)
        with np.load(told) as file:
            return {name: file.get(name) for name in NAMES}


def theta(past: Any, weeks: int) -> Any:
    """Dynamic theta of each SKU's weeks since its first sale, as statsforecast ships it."""
    import pandas as pd
    from statsforecast import StatsForecast
    from statsforecast.models import DynamicTheta, WindowAverage

    parts = []
    for row, units in enumerate(past):
        own = units[min(np.argmax(units > 0), len(units) - 2) :]
        parts.append(pd.DataFrame({"unique_id": row, "ds": np.arange(len(own)), "y": own}))
    model = StatsForecast(
        [DynamicTheta(season_length=1)],
        freq=1,
        n_jobs=1,
        fallback_model=WindowAverage(window_size=1),
    )
    told = model.forecast(df=pd.concat(parts), h=weeks).sort_values(["unique_id", "ds"])
    return np.maximum(told["DynamicTheta"].to_numpy().reshape(len(past), weeks), 0.0)


def lightgbm(past: Any, weeks: int) -> Any:
    """One LightGBM over all SKUs: lags, rolling means, the horizon and the week of the year."""
    import lightgbm as gbm

    count, known = past.shape
    first = np.argmax(past > 0, axis=1)
    rng = np.random.default_rng(0)

    def table(rows: Any, origin: int, ahead: int) -> Any:
        own = np.concatenate([np.full((len(rows), 52), np.nan), past[rows, :origin]], axis=1)
        lags = own[:, -LAGS:]
        means = [np.nan_to_num(own[:, -window:]).mean(axis=1) for window in WINDOWS]
        fixed = [np.full(len(rows), ahead), np.full(len(rows), (origin + ahead) % 52)]
        return np.column_stack([lags, *means, origin - first[rows], *fixed])

    origins = range(max(4, known - ORIGINS), known)
    each = max(MOST_ROWS // (len(origins) * weeks), 1)
    features, targets = [], []
    for origin in origins:
        sold = np.flatnonzero(first < origin)
        for ahead in range(min(weeks, known - origin)):
            rows = sold if len(sold) <= each else rng.choice(sold, each, replace=False)
            features.append(table(rows, origin, ahead))
            targets.append(past[rows, origin + ahead])
    settings = {
        "objective": "tweedie",
        "learning_rate": 0.05,
        "num_leaves": 31,
        "min_data_in_leaf": 50,
        "num_threads": 1,
        "seed": 0,
        "verbose": -1,
    }
    known_rows = gbm.Dataset(np.concatenate(features), np.concatenate(targets))
    model = gbm.train(settings, known_rows, num_boost_round=200)
    told = [model.predict(table(np.arange(count), known, ahead)) for ahead in range(weeks)]
    return np.stack(told, axis=1)


def _main(known: Path, told: Path) -> None:
    with np.load(known) as file:
        past, weeks = file["past"], int(file["weeks"])
    found = {}
    for peer in (theta, lightgbm):
        try:
            found[peer.__name__] = peer(past, weeks)
        except ImportError as error:
            sys.stderr.write(f"{peer.__name__}: not installed ({error.name})\n")
    np.savez(told, **found)


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
