"""How well the anomaly detector does: on the Numenta Anomaly Benchmark, and on quiet series.

**Accuracy** is NAB's score (v1.1; Lavin and Ahmad 2015, arXiv:1510.03336) at the product's own
threshold, a budget of one false alarm per metric and week. The constants of the detector are
settled on every other file in alphabetical order, beginning with the first (``settled``); the
figures of the others (``held``) are those to believe. In the same run: a rolling MAD, a seasonal
MAD and a windowed Gaussian, whose thresholds are the best on the settled half, with alarms put
together as ours are. Stored outputs of published detectors are scored at the thresholds that are
best for them on all files (``thresholds.json``), which only the labels tell.

**False alarms** are counted per metric and week on series in which nothing happens, sampled every
minute, every five and every hour (``benchmarks/anomaly/quiet.py``).

    python -m benchmarks.anomaly_accuracy --data DIR [--json]

``DIR`` holds NAB's ``nab_data.tar.gz`` (``data/<category>/<name>.csv``) and
``combined_windows.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from pathlib import Path
from time import process_time
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.data_intelligence.anomaly_detection.detector import (
    BUDGET,
    THRESHOLD,
    alarms,
    score_series,
)
from benchmarks.anomaly.nab import PROFILES, Floats, Labelled, nab_score, read_corpus
from benchmarks.anomaly.peers import PEERS, at_its_best
from benchmarks.anomaly.quiet import WEEKS, Quiet, generated, recorded
from benchmarks.output import show_rows

SEEDS = range(3)
"""Each kind of quiet series is generated so many times."""

PUBLISHED = ("windowedGaussian", "relativeEntropy", "earthgeckoSkyline", "contextOSE", "numenta")

Detections = list[NDArray[np.intp]]


class Scored(NamedTuple):
    """A detector's scores of all files, and the threshold that it is judged at."""

    threshold: float
    scores: list[Floats]


def settled(corpus: list[Labelled]) -> list[bool]:
    """Of each file, in alphabetical order, whether constants were settled on it."""
    return [i % 2 == 0 for i in range(len(corpus))]


def accuracy(corpus: list[Labelled], scored: Scored) -> dict[str, float]:
    """NAB's scores by half and profile, at one threshold."""
    detections = [alarms(each, scored.threshold) for each in scored.scores]
    seen = settled(corpus)
    halves = {"settled": seen, "held": [not s for s in seen], "all": [True] * len(corpus)}
    return {
        _label(half, name): nab_score(*_part(corpus, detections, wanted), profile)
        for half, wanted in halves.items()
        for name, profile in PROFILES.items()
    }


def _part(
    corpus: list[Labelled], detections: Detections, wanted: list[bool]
) -> tuple[list[Labelled], Detections]:
    chosen = [i for i, w in enumerate(wanted) if w]
    return [corpus[i] for i in chosen], [detections[i] for i in chosen]


def _peer(corpus: list[Labelled], score: Callable[[Labelled], Floats]) -> Scored:
    scores = [score(file) for file in corpus]
    wanted = [i for i, seen in enumerate(settled(corpus)) if seen]
    files, some = [corpus[i] for i in wanted], [scores[i] for i in wanted]
    best = at_its_best(some, lambda d: nab_score(files, d, PROFILES["standard"]), alarms)
    return Scored(best, scores)


def published(corpus: list[Labelled], folder: Path) -> dict[str, dict[str, float]]:
    """The stored scores of published detectors, each profile at its published best threshold."""
    stored, best = folder / "detector_scores.csv.gz", folder / "thresholds.json"
    if not (stored.is_file() and best.is_file()):
        return {}
    table, thresholds = pd.read_csv(stored), json.loads(best.read_text())
    by_file = {str(name): part for name, part in table.groupby("file")}
    found = {}
    for detector in PUBLISHED:
        scores = [by_file[file.name][detector].to_numpy(dtype=float) for file in corpus]
        found[detector] = {
            _label("all", name): nab_score(
                corpus,
                [np.flatnonzero(s >= thresholds[detector][name]["threshold"]) for s in scores],
                profile,
            )
            for name, profile in PROFILES.items()
        }
    return found


def _label(half: str, profile: str) -> str:
    return f"{half} {profile.removeprefix('reward_').removesuffix('_rate').replace('_', ' ')}"


def false_alarms(series: Iterable[Quiet]) -> dict[str, list[tuple[int, float]]]:
    """Alarms and weeks of each series, by name."""
    found: dict[str, list[tuple[int, float]]] = {}
    for name, ts, values in series:
        weeks = float((ts[-1] - ts[0]) / np.timedelta64(7, "D"))
        raised = len(alarms(score_series(ts, values).score))
        found.setdefault(name, []).append((raised, weeks))
    return found


def _generated(job: tuple[int, int]) -> tuple[int, dict[str, list[tuple[int, float]]]]:
    minutes, seed = job
    return minutes, false_alarms(generated(minutes, range(seed, seed + 1)))


def _per_week(counted: Iterable[tuple[int, float]]) -> float:
    rows = list(counted)
    return sum(raised for raised, _ in rows) / sum(weeks for _, weeks in rows)


def quiet_rows(corpus: list[Labelled]) -> dict[str, dict[str, float]]:
    """False alarms per metric and week, by kind of series and minutes between two samples."""
    rows: dict[str, dict[str, float]] = {}
    counts: dict[int, dict[str, list[tuple[int, float]]]] = {minutes: {} for minutes in WEEKS}
    with ProcessPoolExecutor(2) as pool:
        for minutes, found in pool.map(_generated, [(m, s) for m in WEEKS for s in SEEDS]):
            for name, counted in found.items():
                counts[minutes].setdefault(name, []).extend(counted)
    for name in counts[1]:
        rows[name] = {f"{m} min": _per_week(counts[m][name]) for m in WEEKS}
    rows["all generated"] = {f"{m} min": _per_week(chain(*counts[m].values())) for m in WEEKS}
    rows["recorded (NAB)"] = {
        f"{m} min": _per_week(chain(*false_alarms(recorded(corpus, m)).values()))
        if m > 1
        else np.nan
        for m in WEEKS
    }
    return rows


def main() -> None:
    """Score the detector and its peers on the corpus, count false alarms, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    parser.add_argument("--data", type=Path, required=True, help="folder with the NAB corpus")
    parser.add_argument("--json", action="store_true", help="print one JSON object as well")
    arguments = parser.parse_args()
    if not (arguments.data / "nab_data.tar.gz").is_file():
        sys.exit(f"No NAB corpus in {arguments.data}: nab_data.tar.gz is missing.")
    corpus = read_corpus(arguments.data)
    began = process_time()
    scores = [score_series(file.ts, file.values).score for file in corpus]
    seconds = process_time() - began
    rows = {"this detector": accuracy(corpus, Scored(THRESHOLD, scores))}
    rows |= {name: accuracy(corpus, _peer(corpus, score)) for name, score in PEERS.items()}
    best = published(corpus, arguments.data)
    quiet = quiet_rows(corpus)
    samples = sum(len(file.values) for file in corpus)
    own = rows["this detector"]
    figures: dict[str, float | str | None] = {
        "budget_per_week": BUDGET,
        "threshold": THRESHOLD,
        **own,
        **{f"{name}: {key}": value for name in PEERS for key, value in rows[name].items()},
        **{f"{name} at its best: {k}": v for name, part in best.items() for k, v in part.items()},
        **{
            f"false alarms per week, {name}, {each}": None if np.isnan(value) else value
            for name, row in quiet.items()
            for each, value in row.items()
        },
        "samples": samples,
        "samples_per_second": samples / seconds,
    }
    show_rows("NAB, one threshold fixed beforehand", rows, {}, as_json=False)
    if best:
        show_rows("NAB, published outputs at their best threshold", best, {}, as_json=False)
    show_rows("False alarms per metric and week", quiet, figures, as_json=arguments.json)


if __name__ == "__main__":
    main()
