"""Series in which nothing happens: every alarm about them is a false one.

Generated ones have what metrics have: noise, a memory, the rhythm of day and week, heavy tails,
counts, drift. Recorded ones are the longest stretches of NAB's files that keep a day's distance
from every label; what is unlabelled in them may still be an event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.anomaly.nab import Floats, Labelled

DAY = np.timedelta64(1, "D")
START = np.datetime64("2026-01-05T00:00", "us")  # a Monday

WEEKS = {1: 6, 5: 12, 60: 26}
"""How many weeks are generated, by minutes between two samples."""

LEAST_DAYS = 7
"""A recorded stretch is at least so long."""


class Quiet(NamedTuple):
    """A series in which nothing happens."""

    name: str
    ts: NDArray[np.datetime64]
    values: Floats


class _Clock(NamedTuple):
    """When samples are taken: days and weeks since the start, and how many there are."""

    day: Floats
    week: Floats
    n: int


def generated(minutes: int, seeds: range) -> Iterator[Quiet]:
    """Series of each kind, sampled every so many minutes."""
    step = np.timedelta64(minutes, "m")
    n = WEEKS[minutes] * 7 * 24 * 60 // minutes
    ts = START + np.arange(n) * step
    days = np.arange(n) * minutes / 1440
    clock = _Clock(days, days / 7, n)
    for name, make in KINDS.items():
        for seed in seeds:
            yield Quiet(name, ts, make(np.random.default_rng(seed), clock))


def _rhythm(clock: _Clock) -> Floats:
    """What customers do: by day, and less at weekends; 1 on average."""
    by_day = 1 + 0.7 * np.sin(2 * np.pi * (clock.day - 0.35))
    weekend = np.where(clock.day.astype(int) % 7 >= 5, 0.6, 1.16)
    return np.asarray(by_day * weekend)


def _remembering(noise: Floats, memory: float = 0.9) -> Floats:
    """An autoregression of the first order with the variance of its noise."""
    out = np.empty_like(noise)
    last = 0.0
    for i, each in enumerate(noise * np.sqrt(1 - memory**2)):
        last = memory * last + each
        out[i] = last
    return out


def _drift(rng: np.random.Generator, clock: _Clock) -> Floats:
    """A level that wanders by about a quarter of itself in a month."""
    return np.asarray(1 + 0.25 * np.cumsum(rng.normal(size=clock.n)) / np.sqrt(clock.n))


KINDS: dict[str, Callable[[np.random.Generator, _Clock], Floats]] = {
    "noise": lambda rng, c: 100 + 5 * rng.normal(size=c.n),
    "noise with a memory": lambda rng, c: 50 + 5 * _remembering(rng.normal(size=c.n)),
    "rhythm": lambda rng, c: 200 * _rhythm(c) + 10 * rng.normal(size=c.n),
    "rhythm of orders (counts)": lambda rng, c: rng.poisson(20 * _rhythm(c)).astype(float),
    "few orders (counts)": lambda rng, c: rng.poisson(0.3 * _rhythm(c)).astype(float),
    "rhythm in proportion": lambda rng, c: (
        300 * _rhythm(c) * np.exp(0.2 * _remembering(rng.normal(size=c.n)))
    ),
    "latency (log-normal)": lambda rng, c: 80 * np.exp(0.5 * rng.normal(size=c.n)),
    "heavy tail (Student, 3)": lambda rng, c: 100 + 5 * rng.standard_t(3, size=c.n),
    "drift": lambda rng, c: 100 * _drift(rng, c) + 3 * rng.normal(size=c.n),
    "rhythm and drift": lambda rng, c: (
        200 * _rhythm(c) * _drift(rng, c) + 10 * rng.normal(size=c.n)
    ),
}


def recorded(corpus: list[Labelled], minutes: int) -> Iterator[Quiet]:
    """The longest quiet stretch of each file; means of so many minutes where it came oftener."""
    for file in corpus:
        if file.name.startswith("artificial"):
            continue
        start, end = _longest(file)
        ts, values = file.ts[start:end], file.values[start:end]
        order = np.argsort(ts, kind="stable")
        ts, values = ts[order], values[order]
        if not len(ts) or ts[-1] - ts[0] < LEAST_DAYS * DAY:
            continue
        interval = np.median(np.diff(ts)) / np.timedelta64(1, "m")
        if interval > minutes:
            continue
        if interval < minutes:
            slot, at = np.unique(ts.astype(f"datetime64[{minutes}m]"), return_inverse=True)
            values = np.bincount(at, values) / np.bincount(at)
            ts = slot.astype("datetime64[us]")
        yield Quiet(file.name, ts, values)


def _longest(file: Labelled) -> tuple[int, int]:
    """First row, and the row after the last, of the longest stretch without a label."""
    busy = np.zeros(len(file.ts), dtype=bool)
    for left, right in file.windows:
        busy |= (file.ts >= file.ts[left] - DAY) & (file.ts <= file.ts[right] + DAY)
    edges = np.flatnonzero(np.diff(np.r_[True, busy, True].astype(int)))
    if not len(edges):
        return 0, 0
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest])
