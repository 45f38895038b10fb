"""Traffic, recorded and generated, in the order in which it reaches us.

Recorded are two series of the Numenta Anomaly Benchmark that the sample business uses, too: the
requests that a load balancer counted, in five minutes each, and the mean latency of a service that
failed. The first says how many requests come when; that each request of five minutes comes by
itself (Poisson), and which of them fail, is generated.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from agents.sre_reliability.objectives.traffic import Bucket
from blocks.policy.watching.objective_rules import Objective
from deployments.sample.history import DATA

START = 1_790_000_000
LATENESS = 3600
DAY = 86400
_STEP = 300  # seconds between two samples of the recorded series


@dataclass(frozen=True)
class Trace:
    """What reaches the engine, and when the clock says so.

    Attributes:
        arrivals: Buckets in the order in which they come, each with the clock's second at which
            it does; the clock may go back.
        end: Second up to which it is judged.
        holds: Seconds that a bucket speaks for; None: until the next.
    """

    name: str
    objective: Objective
    arrivals: Sequence[tuple[int, Bucket]]
    end: int
    holds: int | None = None


def traces(*, full: bool) -> Iterator[Trace]:
    """All traces; the same ones each time."""
    yield from outages(full=full)
    yield from partial_errors(8 if full else 3)
    for seed in range(12 if full else 4):
        chance = np.random.default_rng(1000 + seed)
        yield sparse(chance, seed)
        yield bursts(chance, seed)
        yield gaps(chance, seed)
        yield late(chance, seed)
        yield clock_goes_back(chance, seed)
    yield recorded_latency(under_ms=60.0)
    if full:
        yield recorded_latency(under_ms=48.0)  # something is always bad: minutes of plain sums
    yield recorded_requests(days=62 if full else 31)


def promise(share: float = 0.999, least_bad: int = 0) -> Objective:
    """An objective with the four default rules."""
    return Objective(
        name="benchmark", target="service:benchmark", objective=share, least_bad=least_bad
    )


def outages(*, full: bool) -> Iterator[Trace]:
    """Total outages of all lengths, after an hour of good requests, and after none."""
    lengths = [*range(1, 60), *range(60, 400, 7 if full else 35), 900, 1800, 3600, 10800]
    for length in [*lengths[:: 1 if full else 4], 30, 51, 52, 129, 130]:
        for before in (0, 3600):
            pattern = np.zeros(before + length + 2400, dtype=np.int64)
            pattern[before : before + length] = 7
            yield _steady(f"outage of {length} s", promise(), np.full(len(pattern), 7), pattern)


def partial_errors(count: int) -> Iterator[Trace]:
    """Errors of some share for hours, for objectives of several strengths."""
    chance = np.random.default_rng(7)
    for share, wrong in ((0.999, 0.1), (0.999, 0.0144), (0.995, 0.05), (0.99, 0.3))[:count]:
        total = chance.poisson(40, 6 * 3600)
        rate = np.zeros(len(total))
        rate[3600 : 4 * 3600] = wrong
        yield _steady(f"{wrong:.2%} errors", promise(share), total, chance.binomial(total, rate))
    for k in range(count):
        total = chance.poisson(25, 8 * 3600)
        rate = np.repeat(chance.choice([0, 0, 0.002, 0.02, 0.5], 96), 300)
        bad = chance.binomial(total, rate)
        yield _steady(f"errors that come and go {k}", promise(0.998), total, bad)


def sparse(chance: np.random.Generator, seed: int) -> Trace:
    """A request every few minutes, many of which fail; with and without a least number."""
    total = (chance.random(12 * 3600) < 0.004).astype(np.int64)
    bad = chance.binomial(total, 0.3)
    return _steady("sparse traffic", promise(0.99, least_bad=5 * (seed % 2)), total, bad)


def bursts(chance: np.random.Generator, seed: int) -> Trace:
    """Quiet, with bursts of thousands of requests a second, one of which fails as a whole."""
    total = chance.poisson(0.5, 8 * 3600)
    bad = chance.binomial(total, 0.001)
    for start in chance.integers(0, len(total) - 60, 12):
        total[start : start + 40] += chance.poisson(4000, 40)
    worst = int(chance.integers(0, len(total) - 60))
    bad[worst : worst + 20] = total[worst : worst + 20]
    return _steady(f"bursts {seed}", promise(), total, bad)


def gaps(chance: np.random.Generator, seed: int) -> Trace:
    """Looks every 15 s, with hours in which nobody looked; the target is down now and then."""
    at = np.arange(0, 16 * 3600, 15)
    watched = np.repeat(chance.random(16) < 0.7, 240)
    down = np.repeat(chance.random(192) < 0.1, 20)
    events = [
        Bucket(START + int(second), 1, int(ill))
        for second, ill in zip(at[watched], down[watched], strict=True)
    ] or [Bucket(START, 1, 0)]
    arrivals = [(event.second, event) for event in events]
    return Trace(f"gaps {seed}", promise(0.99), arrivals, START + 16 * 3600, holds=60)


def late(chance: np.random.Generator, seed: int) -> Trace:
    """Events that come up to the stated lateness after their second, in any order."""
    total = chance.poisson(3, 3 * 3600)
    rate = np.zeros(len(total))
    for start in chance.integers(0, len(total) - 600, 4):
        rate[start : start + int(chance.integers(20, 400))] = chance.choice([0.2, 1.0])
    bad = chance.binomial(total, rate)
    delay = np.where(chance.random(len(total)) < 0.01, chance.integers(0, LATENESS, len(total)), 0)
    arrivals = sorted(
        (START + second + int(delay[second]), Bucket(START + second, int(total[second]), int(b)))
        for second, b in enumerate(bad)
        if total[second]
    )
    return Trace(f"late data {seed}", promise(), arrivals, START + 4 * 3600)


def clock_goes_back(chance: np.random.Generator, seed: int) -> Trace:
    """A clock that is set back, several times, by up to the stated lateness."""
    arrivals, clock = [], START
    for _ in range(5):
        total = chance.poisson(4, 2400)
        ill = int(chance.integers(0, 2000))
        for second, count in enumerate(total):
            clock += 1
            bad = int(count) if ill <= second < ill + 150 else 0
            arrivals.append((clock, Bucket(clock, int(count), bad)))
        clock -= int(chance.integers(1, LATENESS // 2))
    return Trace(f"clock set back {seed}", promise(), arrivals, max(c for c, _ in arrivals) + 600)


def recorded_latency(under_ms: float) -> Trace:
    """The recorded latency of a service that fails in the end: a look every five minutes."""
    events = [
        Bucket(second, 1, int(value > under_ms))
        for second, value in _recorded("ec2_request_latency_system_failure")
    ]
    arrivals = [(event.second, event) for event in events]
    name = f"recorded latency under {under_ms:g} ms"
    return Trace(name, promise(0.99), arrivals, events[-1].second + 7200, holds=900)


def recorded_requests(days: int) -> Trace:
    """The recorded load, second by second, with a few errors always and an outage now and then."""
    chance = np.random.default_rng(31)
    load = np.array([value for _, value in _recorded("elb_request_count_8c0756")]) / _STEP
    total = chance.poisson(np.resize(np.repeat(load, _STEP), days * DAY))
    rate = np.full(len(total), 0.0003)
    for start in chance.integers(0, len(total) - 4 * 3600, 2 * days):
        lasting = int(np.exp(chance.uniform(np.log(10), np.log(4 * 3600))))
        rate[start : start + lasting] = chance.choice([0.005, 0.05, 0.3, 1.0])
    return _steady(f"{days} recorded days", promise(), total, chance.binomial(total, rate))


def _steady(
    name: str, objective: Objective, total: Sequence[int] | np.ndarray, bad: np.ndarray
) -> Trace:
    """What comes in its own second; seconds without a request have no bucket."""
    arrivals = [
        (START + second, Bucket(START + second, int(count), int(wrong)))
        for second, (count, wrong) in enumerate(zip(total, bad, strict=True))
        if count
    ]
    return Trace(name, objective, arrivals, START + len(bad) - 1)


def _recorded(name: str) -> Iterator[tuple[int, float]]:
    with gzip.open(DATA / "nab" / f"{name}.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            at = datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC)
            yield int(at.timestamp()), float(row["value"])
