"""How well the anomaly detector does on the Numenta Anomaly Benchmark (NAB v1.1).

The score is NAB's (Lavin and Ahmad 2015, arXiv:1510.03336): 0 is a detector that says nothing,
100 one that marks every labelled window at its start and nothing else. It is given at the
product's own threshold, and a little to both sides of it; published scores are at the best
threshold, which only the labels tell.

    python -m benchmarks.anomaly_accuracy --data DIR [--json]

The detector's constants are settled on every other file in alphabetical order, beginning with the
first; the figures of the others are those to believe.

``DIR`` holds NAB's ``nab_data.tar.gz`` (``data/<category>/<name>.csv``) and
``combined_windows.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import IO, NamedTuple, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.data_intelligence.detector import THRESHOLD, alarms, score_series
from benchmarks.output import show

Floats = NDArray[np.float64]


class Profile(NamedTuple):
    """What a found window, a false alarm and a missed window count."""

    true_positive: float
    false_positive: float
    false_negative: float


PROFILES = {
    "standard": Profile(1.0, 0.11, 1.0),
    "reward_low_FP_rate": Profile(1.0, 0.22, 1.0),
    "reward_low_FN_rate": Profile(1.0, 0.11, 2.0),
}


class Labelled(NamedTuple):
    """One file: its samples, and its anomaly windows as first and last row."""

    name: str
    ts: NDArray[np.datetime64]
    values: Floats
    windows: list[tuple[int, int]]


def read_corpus(folder: Path) -> list[Labelled]:
    """All files of the corpus, in alphabetical order."""
    windows = json.loads((folder / "combined_windows.json").read_text())
    corpus = []
    with tarfile.open(folder / "nab_data.tar.gz") as tar:
        for name in sorted(windows):
            file = pd.read_csv(cast(IO[bytes], tar.extractfile(f"data/{name}")))
            ts = pd.to_datetime(file["timestamp"]).to_numpy(dtype="datetime64[us]")
            rows = [
                tuple(int(np.argmax(ts == np.datetime64(end, "us"))) for end in window)
                for window in windows[name]
            ]
            values = file["value"].to_numpy(dtype=float)
            corpus.append(Labelled(name, ts, values, cast(list[tuple[int, int]], rows)))
    return corpus


def rewards(file: Labelled, profile: Profile) -> tuple[Floats, NDArray[np.intp]]:
    """What a detection at each row earns, and the window it lies in (-1 outside).

    Rows of the probationary period earn nothing.
    """
    n = len(file.values)
    reward, member = np.full(n, -profile.false_positive), np.full(n, -1, dtype=np.intp)
    for k, (left, right) in enumerate(file.windows):
        width = right - left + 1
        inside = np.arange(left, right + 1)
        earned = profile.true_positive * _sigmoid(-(right - inside + 1) / width)
        reward[inside] = earned / _sigmoid(np.array(-1.0))
        member[inside] = k
        end = file.windows[k + 1][0] if k + 1 < len(file.windows) else n
        after = np.arange(right + 1, end)
        distance = (after - right) / (width - 1)
        late = profile.false_positive * _sigmoid(np.minimum(distance, 3.0))
        reward[after] = np.where(distance > 3, -profile.false_positive, late)
    reward[: min(int(0.15 * n), 750)] = 0.0
    return reward, member


def _sigmoid(y: Floats) -> Floats:
    return np.asarray(2 / (1 + np.exp(5 * y)) - 1)


def nab_score(
    corpus: Sequence[Labelled], detections: Sequence[NDArray[np.intp]], profile: Profile
) -> float:
    """The normalised score of the rows that a detector marked in each file."""
    raw = windows = 0.0
    for file, rows in zip(corpus, detections, strict=True):
        reward, member = rewards(file, profile)
        raw += reward[rows[member[rows] < 0]].sum()
        for k in range(len(file.windows)):
            raw += max(reward[rows[member[rows] == k]], default=-profile.false_negative)
        windows += len(file.windows)
    null = -profile.false_negative * windows
    return float(100 * (raw - null) / (profile.true_positive * windows - null))


def _at(threshold: float, corpus: list[Labelled], scores: list[Floats], profile: Profile) -> float:
    return nab_score(corpus, [alarms(score, threshold) for score in scores], profile)


def main() -> None:
    """Score the detector on the corpus and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    parser.add_argument("--data", type=Path, required=True, help="folder with the NAB corpus")
    parser.add_argument("--json", action="store_true", help="print one JSON object as well")
    arguments = parser.parse_args()
    if not (arguments.data / "nab_data.tar.gz").is_file():
        sys.exit(f"No NAB corpus in {arguments.data}: nab_data.tar.gz is missing.")
    corpus = read_corpus(arguments.data)
    began = perf_counter()
    scores = [score_series(file.ts, file.values).score for file in corpus]
    seconds = perf_counter() - began
    rows = sum(len(file.values) for file in corpus)
    figures: dict[str, float | str | None] = {
        "threshold": THRESHOLD,
        **{name: _at(THRESHOLD, corpus, scores, profile) for name, profile in PROFILES.items()},
        "standard_at_0.46": _at(0.46, corpus, scores, PROFILES["standard"]),
        "standard_at_0.54": _at(0.54, corpus, scores, PROFILES["standard"]),
        "rows": rows,
        "rows_per_second": rows / seconds,
    }
    show("Numenta Anomaly Benchmark", figures, as_json=arguments.json)


if __name__ == "__main__":
    main()
