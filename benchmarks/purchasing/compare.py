"""All policies in the same world, and what came of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.ordering.rules import abc_classes
from agents.statistics import Floats
from benchmarks.purchasing import tuning
from benchmarks.purchasing.bound import lower_bound
from benchmarks.purchasing.daily_sales import DailySales
from benchmarks.purchasing.policies import RULES, Known, Schedule, base_stock, known_at, learned
from benchmarks.purchasing.replay import Period, known_items, period, tuning_begin
from benchmarks.purchasing.world import Costs, Outcome, World, run

CLOSE = 0.001
"""Fill rates that differ by less are equal: a tenth of a point."""

OURS, SCALED, BASE_STOCK, BOUND = "ours", "ours, equal fill", "base stock", "bound"

_RESAMPLES = 1_000


@dataclass(frozen=True)
class Comparison:
    """What the policies came to.

    Attributes:
        test: The days after the cut.
        outcomes: By policy.
        best: Name of the rule, tuned per class, whose total was least.
        factor: What our levels were multiplied by to reach its fill rate.
        bound: Least total per row, from the best rule's start.
        searched: Candidates that the rules were tuned over.
    """

    test: Period
    outcomes: dict[str, Outcome]
    best: str
    factor: float
    bound: Floats
    searched: int

    def ratio(self, name: str) -> float:
        """Holding and lines of a policy, divided by the best rule's."""
        cost, rule = (self.outcomes[n].cost(self.world).sum() for n in (name, self.best))
        return float(cost / rule)

    def total_ratio(self, name: str) -> float:
        """The same with the lost margin."""
        total, rule = (self.outcomes[n].total(self.world).sum() for n in (name, self.best))
        return float(total / rule)

    @property
    def world(self) -> World:
        """In which they were run."""
        return self.test.world

    def placed_ratio(self, name: str) -> float:
        """Like ``ratio``, with the order lines when they are placed."""
        cost, rule = (self.outcomes[n].placed_cost(self.world).sum() for n in (name, self.best))
        return float(cost / rule)

    def gap_closed(self, name: str) -> float:
        """Share of the way from the best rule's total to the bound's, by the lines placed."""
        lost = self.world.costs.margin * self.world.price
        rule, ours = (
            (self.outcomes[n].placed_cost(self.world) + lost * self.outcomes[n].lost).sum()
            for n in (self.best, name)
        )
        return float((rule - ours) / (rule - self.bound.sum()))

    def interval(self) -> tuple[float, float]:
        """95% confidence interval of the cost ratio: items and seeds are drawn again, in pairs."""
        shape = (self.test.seeds, -1)
        ours, rule = (self.outcomes[n].cost(self.world).reshape(shape) for n in (SCALED, self.best))
        chance, items = np.random.default_rng(0), ours.shape[1]
        ratios = []
        for _ in range(_RESAMPLES):
            seed = chance.integers(0, self.test.seeds, self.test.seeds)
            often = np.bincount(chance.integers(0, items, items), minlength=items)
            ratios.append((ours[seed] @ often).sum() / (rule[seed] @ often).sum())
        low, high = np.quantile(ratios, [0.025, 0.975])
        return float(low), float(high)

    def losers(self, most: int = 10) -> list[dict[str, float | str]]:
        """The items on which ours costs more than the best rule, lost margin included."""
        shape = (self.test.seeds, -1)
        ours, rule = (
            self.outcomes[n].total(self.world).reshape(shape).mean(axis=0)
            for n in (SCALED, self.best)
        )
        demand = self.world.demand[: len(ours), self.world.counted :].sum(axis=1)
        worst = np.argsort(rule - ours)[:most]
        return [
            {
                "sku": self.test.data.skus[i],
                "more": float(ours[i] - rule[i]),
                "ours": float(ours[i]),
                "rule": float(rule[i]),
                "demand": float(demand[i]),
                "price": float(self.test.price[i]),
            }
            for i in worst
        ]

    def loses_on(self) -> float:
        """Share of the items on which ours costs more than the best rule, lost margin included."""
        shape = (self.test.seeds, -1)
        ours, rule = (
            self.outcomes[n].total(self.world).reshape(shape).mean(axis=0)
            for n in (SCALED, self.best)
        )
        return float((ours > rule + 0.005).mean())


class Replay:
    """A shop's sales before and after a cut; what is known at each review is learned once.

    Args:
        data: The sales.
        cut: First day that is tested.
        seeds: How many draws of the lead times.
        end: Day after the last that is tested; all when None.
    """

    def __init__(self, data: DailySales, cut: date, seeds: int, end: date | None = None) -> None:
        self.cut = data.day(cut)
        self.end = data.days if end is None else data.day(end)
        self.seeds = seeds
        self.data = known_items(data, self.cut)
        self.begin = tuning_begin(self.cut)
        self.before = known_items(data, self.begin)
        self._known: dict[tuple[int, int], list[Known]] = {}

    def compare(self, costs: Costs) -> Comparison:
        """Run every policy at some costs."""
        test = period(self.data, self.cut, self.end, costs, range(1, 1 + self.seeds))
        classes = abc_classes(self.data.revenue[:, : self.cut].sum(axis=1))
        outcomes = self._rules(test, costs, classes)
        names = [name for name in outcomes if name.endswith("per class")]
        best = min(names, key=lambda name: outcomes[name].total(test.world).sum())
        first, reviews = test.first, test.world.reviews
        schedule = base_stock(self.data, first, reviews, costs, test.price)
        outcomes[BASE_STOCK] = run(test.world, schedule.order(self.seeds))
        ours = learned(self.known(test, costs), test.price, costs)
        outcomes[OURS] = run(test.world, ours.order(self.seeds))
        factor, outcomes[SCALED] = equal_fill(
            test, ours, outcomes[best].fill_rate(test.world)
        )  # fmt: skip
        bound = lower_bound(test.world, outcomes[best])
        return Comparison(test, outcomes, best, factor, bound, len(tuning.GRID))

    def known(self, test: Period, costs: Costs) -> list[Known]:
        """What is known at the test's reviews; it does not depend on costs."""
        key = test.first, costs.review_days
        if key not in self._known:
            self._known[key] = known_at(self.data, test.first, test.world.reviews, costs)
        return self._known[key]

    def _rules(self, test: Period, costs: Costs, classes: NDArray[np.intp]) -> dict[str, Outcome]:
        """Each ERP system's rule, tuned before the cut per class and per item."""
        before = period(self.before, self.begin, self.cut, costs, range(1))
        then = abc_classes(self.before.revenue[:, : self.begin].sum(axis=1))
        places = {sku: i for i, sku in enumerate(self.before.skus)}
        row = np.array([places.get(sku, -1) for sku in self.data.skus], dtype=np.intp)
        outcomes = {}
        for name, rule in RULES.items():
            totals = tuning.search(rule, before)
            by_class = tuning.tuned_by_class(tuning.by_class(totals, then), classes)
            by_item = tuning.tuned_by_item(totals, row, by_class)
            for tuned, how in ((by_class, "per class"), (by_item, "per item")):
                outcomes[f"{name} {how}"] = run(test.world, tuned.order(rule, test))
        return outcomes


def equal_fill(test: Period, ours: Schedule, fill: float) -> tuple[float, Outcome]:
    """The factor of our levels at which the fill rate is as given, to a tenth of a point."""
    low, high = 0.02, 50.0
    for _ in range(40):
        factor = (low * high) ** 0.5
        outcome = run(test.world, ours.order(test.seeds, factor))
        found = outcome.fill_rate(test.world)
        # From above: what serves a little more is not taken for what serves as much.
        if fill <= found < fill + CLOSE / 2:
            break
        low, high = (factor, high) if found < fill else (low, factor)
    return factor, outcome
