"""The Numenta Anomaly Benchmark (NAB v1.1): its files, and its score.

The score is that of Lavin and Ahmad (2015, arXiv:1510.03336): 0 is a detector that says nothing,
100 one that marks every labelled window at its start and nothing else.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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
