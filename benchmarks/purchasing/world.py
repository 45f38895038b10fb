"""The world that every policy is run in: the same demand, the same lead times, the same start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agents.statistics import Floats

Order = Callable[[int, Floats], Floats]
"""Units to order, per world row, at a review (its number) and an inventory position."""


@dataclass(frozen=True)
class Costs:
    """What things cost, and how deliveries take.

    Attributes:
        holding_per_year: Share of a unit's cost.
        line_cost: Per order line.
        margin: Share of the price.
        lead_mean: Days.
        lead_cv: Standard deviation of the lead time as a share of its mean.
        review_days: Days from one look to the next.
    """

    holding_per_year: float = 0.25
    line_cost: float = 15.0
    margin: float = 0.40
    lead_mean: float = 7.0
    lead_cv: float = 0.4
    review_days: int = 7


@dataclass(frozen=True)
class World:
    """Items and seeds, one row for each pair, and the days that are replayed.

    Attributes:
        demand: Units per row and day.
        price: Per row.
        lead: Days per row and review, at least 1.
        start: Units on hand at first.
        counted: Day from which on costs count; before it every policy finds its own level.
        costs: Of everything.
    """

    demand: Floats
    price: Floats
    lead: NDArray[np.intp]
    start: Floats
    counted: int
    costs: Costs

    @classmethod
    def draw(
        cls,
        demand: Floats,
        price: Floats,
        start: Floats,
        counted: int,
        costs: Costs,
        seeds: range,
    ) -> World:
        """Draw the lead times: for each seed, item and review its own, whoever orders."""
        reviews = -(-demand.shape[1] // costs.review_days)
        leads = [lead_times(np.random.default_rng(s), (len(demand), reviews), costs) for s in seeds]
        times = len(seeds)
        return cls(
            np.tile(demand, (times, 1)),
            np.tile(price, times),
            np.concatenate(leads),
            np.tile(start, times),
            counted,
            costs,
        )

    @property
    def days(self) -> int:
        """How many are replayed."""
        return int(self.demand.shape[1])

    @property
    def reviews(self) -> int:
        """How many looks at the stock."""
        return int(self.lead.shape[1])

    @property
    def holding_per_day(self) -> Floats:
        """Of one unit."""
        return (1 - self.costs.margin) * self.price * self.costs.holding_per_year / 365

    def priced(self, costs: Costs) -> World:
        """The same draws at other costs."""
        return replace(self, costs=costs)


@dataclass(frozen=True)
class Outcome:
    """What a policy came to over the days that count, one per row of the world.

    Attributes:
        holding: Money.
        placed: Order lines that were placed.
        lines: Order lines as their goods sell: each unit that is sold bears its share of the lines
            that brought it. In the long run it is as many as are placed; over a quarter, whoever
            buys for a year just before it or in it would seem cheap or dear by what is placed.
        demand: Units asked for.
        lost: Units not sold.
        on_hand: Units when counting began.
        on_order: Units under way when counting began.
    """

    holding: Floats
    placed: Floats
    lines: Floats
    demand: Floats
    lost: Floats
    on_hand: Floats
    on_order: Floats

    def cost(self, world: World) -> Floats:
        """Holding and order lines."""
        return self.holding + world.costs.line_cost * self.lines

    def placed_cost(self, world: World) -> Floats:
        """Holding, and order lines when they are placed."""
        return self.holding + world.costs.line_cost * self.placed

    def total(self, world: World) -> Floats:
        """The same with the lost margin."""
        return self.cost(world) + world.costs.margin * world.price * self.lost

    def fill_rate(self, world: World) -> float:
        """Share of the demand, by value, that was sold."""
        asked = float((world.price * self.demand).sum())
        return 1 - float((world.price * self.lost).sum()) / asked if asked else 1.0


def lead_times(
    chance: np.random.Generator, shape: tuple[int, int], costs: Costs
) -> NDArray[np.intp]:
    """Gamma distributed, in whole days, at least one."""
    if costs.lead_cv <= 0:
        return np.full(shape, max(round(costs.lead_mean), 1), dtype=np.intp)
    form = 1 / costs.lead_cv**2
    drawn = chance.gamma(form, costs.lead_mean / form, shape)
    return np.maximum(np.rint(drawn), 1).astype(np.intp)


def run(world: World, order: Order) -> Outcome:
    """Live through the days: deliveries, the look at the stock, the sales, the night.

    What is not there is not sold, and not asked for again.
    """
    rows = len(world.demand)
    ring = int(world.lead.max()) + 1
    arriving = np.zeros((ring, rows))
    on_hand, on_order = world.start.copy(), np.zeros(rows)
    held, placed, lines, lost = (np.zeros(rows) for _ in range(4))
    carried = np.zeros(rows)  # order lines that the goods on hand and on order still bear
    begin = on_hand, on_order
    every = np.arange(rows)
    demand = np.ascontiguousarray(world.demand.T)
    for day in range(world.days):
        counts = day >= world.counted
        if day == world.counted:
            begin = on_hand.copy(), on_order.copy()
        came = arriving[day % ring]
        on_hand += came
        on_order -= came
        came[:] = 0.0
        if day % world.costs.review_days == 0:
            review = day // world.costs.review_days
            units = order(review, on_hand + on_order)
            on_order += units
            arriving[(day + world.lead[:, review]) % ring, every] += units
            carried += units > 0
            if counts:
                placed += units > 0
        sold = np.minimum(on_hand, demand[day])
        position = on_hand + on_order
        borne = carried * np.divide(sold, position, out=np.zeros(rows), where=position > 0)
        carried -= borne
        on_hand -= sold
        if counts:
            held += on_hand
            lines += borne
            lost += demand[day] - sold
    return Outcome(
        held * world.holding_per_day,
        placed,
        lines,
        world.demand[:, world.counted :].sum(axis=1),
        lost,
        *begin,
    )
