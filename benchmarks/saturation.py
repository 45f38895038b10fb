"""How well it is told when a disk will be full, over generated shapes with known ends.

Each shape runs for four weeks or until it is full, sampled every five minutes, several times with
other random numbers. Asked each six hours from the third day on. Told are:

* ``error``: |told - true| / true, the median over all questions in the last seven days before it
  was full;
* ``inside``: share of those questions whose interval held the truth (meant: 0.8);
* ``asked``: share of them that were answered at all;
* ``warned``: days before the end at which a bound under seven days was first told (median);
* ``false``: alarms per four weeks, for shapes that are never full: stretches of questions whose
  lower bound lay under seven days.

    python -m benchmarks.saturation [--json] [--seeds N]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from agents.sre_reliability.system_monitoring.saturation import forecast_full
from benchmarks.output import show_rows

Floats = NDArray[np.float64]
Shape = Callable[[Floats, np.random.Generator], Floats]

BEGAN = datetime(2026, 3, 2, tzinfo=UTC)
DAYS, STEP = 28.0, 5 / 60 / 24
KEPT = 28.0  # days of history that are handed over
HORIZON = 7.0


def _steady(days: Floats, rng: np.random.Generator) -> Floats:
    return 30 + 3.0 * days + rng.normal(0, 0.3, len(days))


def _uneven(days: Floats, rng: np.random.Generator) -> Floats:
    """Every day adds something else."""
    per_day = rng.gamma(2.0, 1.4, int(DAYS) + 1)
    return 30 + np.interp(days, np.arange(int(DAYS) + 2), np.r_[0, np.cumsum(per_day)])


def _by_day(days: Floats, rng: np.random.Generator) -> Floats:
    """Grows from 8 to 20 h, and not on weekends."""
    busy = ((days % 1) > 8 / 24) & ((days % 1) < 20 / 24) & ((days // 1) % 7 < 5)
    return 35 + np.cumsum(busy * rng.gamma(1.0, 8.0 * STEP, len(days)))


def _backups(days: Floats, rng: np.random.Generator) -> Floats:
    """A backup at 2 h each night adds 3 points."""
    return 30 + 3.0 * np.floor(days + 22 / 24) + rng.normal(0, 0.1, len(days))


def _faster(days: Floats, rng: np.random.Generator) -> Floats:
    return 40 + 0.09 * days**2 + rng.normal(0, 0.2, len(days))


def _growing_teeth(days: Floats, rng: np.random.Generator) -> Floats:
    """Logs rotated each night, that grow by 2 points a day."""
    return 35 + 2.0 * days + 12 * (days % 1) + rng.normal(0, 0.2, len(days))


def _outgrown(days: Floats, rng: np.random.Generator) -> Floats:
    """Rotated each night for ten days; then nobody rotates any more."""
    tooth = np.where(days < 10, days % 1, days - 9)
    return 30 + 12 * tooth + rng.normal(0, 0.2, len(days))


def _flat(days: Floats, rng: np.random.Generator) -> Floats:
    return 62 + rng.normal(0, 0.3, len(days))


def _nearly_full(days: Floats, rng: np.random.Generator) -> Floats:
    return np.minimum(97 + rng.normal(0, 0.1, len(days)), 99.9)


def _teeth(days: Floats, rng: np.random.Generator) -> Floats:
    return 55 + 35 * (days % 1) + rng.normal(0, 0.3, len(days))


def _weekly_teeth(days: Floats, rng: np.random.Generator) -> Floats:
    return 50 + 45 * ((days % 7) / 7) + rng.normal(0, 0.3, len(days))


def _bursts(days: Floats, rng: np.random.Generator) -> Floats:
    """Now and then 20 minutes in which 15 points are written, and deleted after three hours."""
    level = 60 + rng.normal(0, 0.2, len(days))
    for at in rng.uniform(1, DAYS, 12):
        ago = (days - at) * 24
        level += np.where((ago > 0) & (ago < 3), np.minimum(ago * 3, 1) * 15, 0)
    return level


def _wave(days: Floats, rng: np.random.Generator) -> Floats:
    return 70 + 12 * np.sin(2 * np.pi * days) + rng.normal(0, 0.3, len(days))


def _moved(days: Floats, rng: np.random.Generator) -> Floats:
    """A copy of 25 points on the tenth day that stays."""
    return 40 + 25 * np.clip((days - 10) * 6, 0, 1) + rng.normal(0, 0.3, len(days))


FILLING: dict[str, Shape] = {
    "steady": _steady,
    "uneven days": _uneven,
    "by day, weekends off": _by_day,
    "nightly backups": _backups,
    "faster and faster": _faster,
    "teeth that grow": _growing_teeth,
    "teeth, rotation stops": _outgrown,
}
QUIET: dict[str, Shape] = {
    "flat": _flat,
    "nearly full, steady": _nearly_full,
    "daily teeth": _teeth,
    "weekly teeth": _weekly_teeth,
    "bursts": _bursts,
    "daily wave": _wave,
    "one large copy": _moved,
}


def measure(shape: Shape, seed: int) -> dict[str, list[float]]:
    """What is told of one run of a shape."""
    days = np.arange(0, DAYS, STEP)
    levels = shape(days, np.random.default_rng(seed))
    over = np.flatnonzero(levels >= 100)
    end = days[over[0]] if len(over) else None
    stop = DAYS if end is None else end
    told: dict[str, list[float]] = {"error": [], "inside": [], "asked": [], "alarm": [], "left": []}
    for at in np.arange(3.0, stop, 0.25):
        known = (days >= at - KEPT) & (days <= at)
        series = [
            (BEGAN + timedelta(days=float(d)), float(v))
            for d, v in zip(days[known], levels[known], strict=True)
        ]
        found = forecast_full(series, BEGAN + timedelta(days=float(at)))
        told["alarm"].append(float(found is not None and found.earliest < HORIZON))
        told["left"].append(stop - at)
        if end is not None and end - at <= HORIZON:
            left = end - at
            told["asked"].append(float(found is not None))
            if found is not None:
                told["error"].append(abs(found.days - left) / left)
                latest = np.inf if found.latest is None else found.latest
                told["inside"].append(float(found.earliest <= left <= latest))
    return told


def figures(shape: Shape, seeds: int, *, fills: bool) -> dict[str, float]:
    """A row of the table."""
    runs = [measure(shape, seed) for seed in range(seeds)]
    if not fills:
        alarms = [np.array(run["alarm"]) for run in runs]
        begun = [int(a[0] > 0) + int((np.diff(a) > 0).sum()) for a in alarms]
        return {"false": float(np.mean(begun))}
    warned = [
        next((left for left, alarm in zip(run["left"], run["alarm"], strict=True) if alarm), 0.0)
        for run in runs
    ]
    pooled = {key: [x for run in runs for x in run[key]] for key in ("error", "inside", "asked")}
    return {
        "error": float(np.median(pooled["error"])) if pooled["error"] else float("nan"),
        "inside": float(np.mean(pooled["inside"])) if pooled["inside"] else float("nan"),
        "asked": float(np.mean(pooled["asked"])) if pooled["asked"] else 0.0,
        "warned": float(np.median(warned)),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    filling = {name: figures(shape, options.seeds, fills=True) for name, shape in FILLING.items()}
    quiet = {name: figures(shape, options.seeds, fills=False) for name, shape in QUIET.items()}
    show_rows("Filling disks", filling, {}, as_json=False)
    told = {
        "median_error": float(np.median([row["error"] for row in filling.values()])),
        "inside": float(np.mean([row["inside"] for row in filling.values()])),
        "false_alarms_per_4_weeks": float(np.sum([row["false"] for row in quiet.values()])),
    }
    show_rows("Disks that are never full", quiet, told, as_json=options.json)


if __name__ == "__main__":
    main()
