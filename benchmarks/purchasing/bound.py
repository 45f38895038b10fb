"""What ordering would cost at least: by whoever knows the demand and every lead time."""

from __future__ import annotations

import numpy as np

from agents.statistics import Floats
from benchmarks.purchasing.world import Outcome, World


def lower_bound(world: World, start: Outcome) -> Floats:
    """Least holding, order lines and lost margin per row, from a policy's own start.

    Wagner and Whitin (1958, Management Science 5:89) over the days on which an order could arrive,
    sales being lost where that is cheaper (Aksen, Altinkemer and Chand 2003, EJOR 150:588). What
    is there at the start is sold first; what is under way then costs nothing to hold.
    """
    demand = world.demand[:, world.counted :]
    rows, days = demand.shape
    sold = np.cumsum(demand, axis=1)
    left = np.maximum(start.on_hand[:, None] - sold, 0.0)
    from_start = np.minimum(sold, (start.on_hand + start.on_order)[:, None])
    rest = np.diff(sold - from_start, axis=1, prepend=0.0)
    units = np.zeros((rows, days + 1))
    np.cumsum(rest, axis=1, out=units[:, 1:])
    moment = np.zeros((rows, days + 1))
    np.cumsum(rest * np.arange(days), axis=1, out=moment[:, 1:])

    hold, margin = world.holding_per_day, world.costs.margin * world.price
    first = -(-world.counted // world.costs.review_days)
    placed = world.costs.review_days * np.arange(first, world.reviews) - world.counted
    arrival = np.sort(np.minimum(placed + world.lead[:, first:], days), axis=1)
    stops = np.column_stack([arrival, np.full(rows, days)])
    # Waiting for more days than that, a sale lost is cheaper than a unit held.
    worth = np.divide(margin, hold, out=np.full(rows, float(days)), where=hold > 0)
    patience = np.minimum(np.floor(worth), days).astype(np.intp)
    every = np.arange(rows)
    best = np.full((rows, stops.shape[1]), np.inf)
    best[:, 0] = margin * units[every, stops[:, 0]]
    for j in range(1, stops.shape[1]):
        end = stops[:, j]
        best[:, j] = best[:, j - 1] + margin * (units[every, end] - units[every, stops[:, j - 1]])
        for i in range(j):
            begin = stops[:, i]
            until = np.minimum(end, begin + patience + 1)
            bought = units[every, until] - units[every, begin]
            waits = moment[every, until] - moment[every, begin] - begin * bought
            missed = margin * (units[every, end] - units[every, until])
            cost = best[:, i] + world.costs.line_cost + hold * waits + missed
            best[:, j] = np.minimum(best[:, j], cost)
    return np.asarray(best[:, -1] + hold * left.sum(axis=1))
