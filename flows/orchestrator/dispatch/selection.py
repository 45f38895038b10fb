"""Which agent instance takes a task: expertise, recent success, latency and workload as one score.

The score is a weighted mean of four parts between 0 and 1, of which more is better:

- expertise: how well suited the agent is to this kind of task.
- success: the chance that the attempt succeeds. Attempts are Bernoulli trials, so that what is
  known of the chance is a Beta distribution; two successes out of two are a mean of 0.75, not 1.
- latency: m / (m + t) for an instance whose calls take t on average, in a team whose median is m.
- workload: the share of its capacity that is free.

An instance of which little is known must be tried now and then, or bad luck would keep it idle for
ever. The least loaded instances are therefore judged by a draw from what is known of them instead
of its mean, where the draw is better (optimistic Bayesian sampling: May, Korda, Lee and Leslie,
"Optimistic Bayesian sampling in contextual-bandit problems", JMLR 13, 2012; after Thompson,
"On the likelihood that one unknown probability exceeds another", Biometrika 25, 1933). The others
are judged by the mean, so that curiosity never sends a call where calls already are: equal
instances that are chosen at once fill up evenly.

Draws come from a hash of the caller's seed and the instance's name. They rise with every success
and fall with every failure, see ``_gamma``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import sqrt
from operator import attrgetter
from statistics import NormalDist, median
from typing import NamedTuple

from blocks.policy.selection_rules import SelectionRules

PARTS = ("expertise", "success", "latency", "workload")

_standard_normal = NormalDist().inv_cdf


@dataclass(frozen=True, slots=True)
class Candidate:
    """An agent instance that could take the task, and what is known of it.

    Attributes:
        instance: Its unique name, for instance ``sre-reliability/2``.
        agent: The agent it is an instance of.
        capacity: How many calls it may have at once.
        workload: How many calls it has now.
        expertise: How well suited it is to this kind of task, 0 to 1.
        successes: Recent attempts that succeeded; old ones may count for less than one.
        failures: Recent attempts that failed, likewise.
        mean_ms: Mean duration of its recent calls in milliseconds; None when none is known.
        timed: How many recent calls the mean is of, old ones counting for less.
    """

    instance: str
    agent: str
    capacity: int
    workload: int
    expertise: float
    successes: float
    failures: float
    mean_ms: float | None = None
    timed: float = 0.0

    @property
    def load(self) -> float:
        """Its calls as a share of its capacity; an instance of no capacity is full."""
        return self.workload / self.capacity if self.capacity > 0 else 1.0


@dataclass(frozen=True, slots=True)
class Scored:
    """What a candidate scored, for the record.

    Attributes:
        instance: The candidate's name.
        total: The score, 0 to 1: the sum of its parts.
        parts: What expertise, success, latency and workload contributed.
        reason: Why it was not chosen, in plain words; empty for the chosen one.
    """

    instance: str
    total: float
    parts: dict[str, float]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """Who takes the task.

    Attributes:
        chosen: The candidate to be given the task; None when nobody has room.
        scores: All candidates, those with room first, by their score.
    """

    chosen: Candidate | None
    scores: tuple[Scored, ...]


class _Terms(NamedTuple):
    """What all candidates of one selection are rated by."""

    rules: SelectionRules
    weights: tuple[float, float, float, float]
    usual_ms: float
    least_load: float
    seed: str


class _Rated(NamedTuple):
    """A candidate, what is expected of it, and its score."""

    candidate: Candidate
    chance: float
    mean_ms: float
    parts: tuple[float, float, float, float]
    total: float
    full: bool
    rank: tuple[bool, float, float, bytes]


_rank = attrgetter("rank")


def select(candidates: Iterable[Candidate], rules: SelectionRules, *, seed: str) -> Selection:
    """Choose the instance that takes a task.

    Args:
        candidates: Who could take it; their order does not matter.
        rules: The weights of the score.
        seed: Decides draws and ties, for instance the task's id; equal seeds, equal choices.

    Returns:
        The candidate of the best score among those below capacity, and everybody's score.
    """
    team = list(candidates)
    terms = _terms(team, rules, seed)
    rated = sorted([_rate(candidate, terms) for candidate in team], key=_rank)
    winner = rated[0] if rated and not rated[0].full else None
    scores = tuple(
        Scored(
            instance=r.candidate.instance,
            total=r.total,
            parts=dict(zip(PARTS, r.parts, strict=True)),
            reason=_why_not(r, winner),
        )
        for r in rated
    )
    return Selection(winner.candidate if winner else None, scores)


def _terms(team: Sequence[Candidate], rules: SelectionRules, seed: str) -> _Terms:
    weights = (rules.expertise, rules.success, rules.latency, rules.workload)
    whole = sum(weights) or 1.0
    expertise, success, latency, workload = (weight / whole for weight in weights)
    known = [c.mean_ms for c in team if c.mean_ms is not None]
    return _Terms(
        rules=rules,
        weights=(expertise, success, latency, workload),
        usual_ms=(median(known) if known else 0.0) or 1.0,
        least_load=min((c.load for c in team), default=0.0),
        seed=seed,
    )


def _rate(candidate: Candidate, terms: _Terms) -> _Rated:
    rules, weights, usual_ms, least_load, seed = terms
    lot = blake2b(f"{seed}\0{candidate.instance}".encode(), digest_size=16).digest()
    load = candidate.load
    alpha = rules.prior_successes + candidate.successes
    beta = rules.prior_failures + candidate.failures
    # Written so that rounding, too, never lets a success count against an instance.
    chance = success = 1 / (1 + beta / alpha)
    mean_ms = expected_ms = usual_ms if candidate.mean_ms is None else candidate.mean_ms
    if load == least_load:
        odds = _gamma(beta, lot[0:3]) / _gamma(alpha, lot[3:6])
        success = max(chance, 1 / (1 + odds))
        # Durations as exponential: what is known of their rate is a Gamma distribution.
        shape = 1 + candidate.timed
        expected_ms = min(mean_ms, mean_ms * shape / _gamma(shape, lot[6:9]))
    parts = (
        weights[0] * candidate.expertise,
        weights[1] * success,
        weights[2] * usual_ms / (usual_ms + expected_ms),
        weights[3] * (1 - load if load < 1 else 0.0),
    )
    total, full = sum(parts), load >= 1
    return _Rated(candidate, chance, mean_ms, parts, total, full, (full, -total, load, lot))


def _gamma(shape: float, lot: bytes) -> float:
    """A draw from the Gamma distribution of scale 1, by its cube root's normal approximation.

    For one lot it grows with the shape, which exact samplers do not promise: that holds for
    normal deviates below 5.6, and three bytes reach 5.3. Two draws make a Beta draw, a / (a + b).

    Source: Wilson and Hilferty, "The distribution of chi-square", PNAS 17, 1931.
    """
    deviate = _standard_normal((int.from_bytes(lot, "big") + 0.5) / (1 << 24))
    root = 1 - 1 / (9 * shape) + deviate / (3 * sqrt(shape))
    return shape * (root**3 if root > 1e-3 else 1e-9)


def _why_not(loser: _Rated, winner: _Rated | None) -> str:
    if loser is winner:
        return ""
    own = loser.candidate
    if winner is None or loser.full:
        return f"at capacity ({own.workload} of {own.capacity})"
    other = winner.candidate
    gaps = [theirs - ours for theirs, ours in zip(winner.parts, loser.parts, strict=True)]
    widest = max(gaps)
    if widest <= 0:
        return f"equal: the lot fell to {other.instance}"
    part = PARTS[gaps.index(widest)]
    if part == "expertise":
        return f"less expert: {own.expertise:.2f} against {other.expertise:.2f}"
    if part == "workload":
        return (
            f"busier: {own.workload} of {own.capacity} against {other.workload} of {other.capacity}"
        )
    if part == "success" and loser.chance < winner.chance:
        return f"less reliable: {loser.chance:.1%} against {winner.chance:.1%}"
    if part == "latency" and loser.mean_ms > winner.mean_ms:
        return f"slower: {loser.mean_ms:.0f} ms against {winner.mean_ms:.0f} ms"
    return f"no worse: {other.instance} was tried to learn more about it"
