"""A shop's rhythm of orders: what is usual at each hour, and how much less is beyond chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from agents.data_intelligence.anomaly_detection.orders.limits import (
    beyond_chance,
    by_chance_alone,
)
from agents.data_intelligence.anomaly_detection.orders.strays import (
    WINDOWS,
    apart_from,
    is_silent,
    shortfalls,
    silences,
    worst_by_day,
)
from agents.data_intelligence.anomaly_detection.orders.usual import (
    BIN_HOURS,
    HOURS,
    Clock,
    Usual,
    usual,
)
from blocks.policy.watching.trade_rules import TradeRules
from blocks.store.hours.counts import BIN, Floats, OrderCounts, floored

FEWEST_WEEKS = 8
"""Of a shop that is younger it is not known what is usual."""

LOOK_BEHIND = timedelta(days=9)
"""So much of the past is looked at again with each look: a week's closure and the day before."""

LONGEST_WAIT = timedelta(days=14)
"""A shop whose silence could not be told within so long is not judged."""

SILENT_SHARE = 0.5
"""Of the budget of false alarms; shortfalls have the rest."""


@dataclass(frozen=True, eq=False)
class Rhythm:
    """What a shop's past says of its orders.

    Attributes:
        zone: Of its hours of the week.
        rates: Orders per hour that are usual, by hour of the week (Monday midnight first).
        money: Revenue per hour that is usual, in the store's currency, likewise.
        silence: Orders that may be missing in a row within the budget of false alarms.
        shortfall: Hours of a window to how surprising a shortfall in it may be.
        low_share: Where more than this share of the usual orders came, none is told.
        shut: How many days the shop did not open in that past though it was expected to.
        weeks: How long that past is.
        past: The end of it, ``LOOK_BEHIND`` long.
        newest: When the newest order of it was made.
    """

    zone: ZoneInfo
    rates: Floats
    money: Floats
    silence: float
    shortfall: Mapping[int, float]
    low_share: float
    shut: int
    weeks: int
    past: OrderCounts
    newest: datetime | None

    def expected(self, begin: datetime, steps: int, closed: Callable[[date], bool]) -> Floats:
        """Orders that are usual in each of some steps of five minutes from ``begin`` on."""
        return self._at(self.rates, begin, steps, closed)

    def earned(self, begin: datetime, steps: int, closed: Callable[[date], bool]) -> Floats:
        """Revenue that is usual in each of some steps of five minutes from ``begin`` on."""
        return self._at(self.money, begin, steps, closed)

    def hours_to_know(self, at: datetime, closed: Callable[[date], bool]) -> float | None:
        """How long it takes to know of a stop that begins at an instant; None beyond two weeks.

        The stop is known once as many orders are missing as the limit of silence says, and five
        minutes later at most, when the next step ends.
        """
        due = np.cumsum(self.expected(floored(at), int(LONGEST_WAIT / BIN), closed))
        steps = int(np.searchsorted(due, self.silence)) + 1
        return steps * BIN_HOURS if steps <= len(due) else None

    def fastest(self) -> float | None:
        """Hours that it takes to know of a stop where most orders are usual; see hours_to_know."""
        week = np.concatenate([self.rates, self.rates, self.rates])
        due = np.concatenate([[0.0], np.cumsum(week)])
        if due[-1] - due[HOURS] < self.silence:
            return None
        begin = np.arange(0, HOURS, BIN_HOURS)
        hours = np.arange(len(due))
        target = np.interp(begin, hours, due) + self.silence
        return float((np.interp(target, due + 1e-9 * hours, hours) - begin).min())

    @property
    def orders_per_week(self) -> float:
        """How many are usual."""
        return float(self.rates.sum())

    def _at(
        self, rates: Floats, begin: datetime, steps: int, closed: Callable[[date], bool]
    ) -> Floats:
        clock = Clock.of(begin, steps, self.zone)
        first = date(1970, 1, 1).toordinal()
        shut = [day for day in np.unique(clock.day) if closed(date.fromordinal(first + int(day)))]
        return np.asarray(rates[clock.hour] * BIN_HOURS * ~np.isin(clock.day, shut))


def learn(counts: OrderCounts, zone: ZoneInfo, rules: TradeRules) -> Rhythm | None:
    """What the past says of a shop's orders.

    Args:
        counts: Its past, whole days at best.
        zone: The store's.
        rules: The budget of false alarms, and what is called low.

    Returns:
        None when less than ``FEWEST_WEEKS`` are known, or nothing was sold in them.
    """
    counts = _from_first_order(counts)
    if len(counts.orders) < FEWEST_WEEKS * HOURS / BIN_HOURS:
        return None
    found = usual(counts, zone)
    if found.rates.sum() <= 0:
        return None
    behind = int(LOOK_BEHIND / BIN)
    silence = _silence(counts, found, rules.false_alarms_per_week * SILENT_SHARE)
    return Rhythm(
        zone=zone,
        rates=found.rates,
        money=found.money,
        silence=silence,
        shortfall=_shortfall(counts, found, rules, silence),
        low_share=rules.low_share,
        shut=len(found.shut),
        weeks=found.weeks,
        past=last(counts, behind),
        newest=counts.newest,
    )


def last(counts: OrderCounts, steps: int) -> OrderCounts:
    """The last steps of some counts."""
    steps = min(steps, len(counts.orders))
    at = len(counts.orders) - steps
    return OrderCounts(
        counts.begin + at * BIN,
        counts.orders[at:],
        counts.revenue[at:],
        counts.newest,
        counts.unclear[at:],
    )


def _from_first_order(counts: OrderCounts) -> OrderCounts:
    """Without the time before the shop sold anything: it was not there yet."""
    sold = np.flatnonzero(counts.orders)
    return last(counts, len(counts.orders) - int(sold[0])) if len(sold) else last(counts, 0)


def _silence(counts: OrderCounts, found: Usual, budget: float) -> float:
    orders, expected, days, per_week = _known(counts, found)
    worst = worst_by_day(silences(orders, expected), found.clock.day, days)
    alone = by_chance_alone(float(found.rates.sum()), budget)
    return max(alone, beyond_chance(worst, per_week, budget) or 0.0)


def _shortfall(
    counts: OrderCounts, found: Usual, rules: TradeRules, silence: float
) -> dict[int, float]:
    orders, expected, days, per_week = _known(counts, found)
    silent = is_silent(orders, silences(orders, expected), silence)
    expected = apart_from(silent, orders, expected)
    budget = rules.false_alarms_per_week * (1 - SILENT_SHARE) / len(WINDOWS)
    limits = {}
    for hours in WINDOWS:
        moments = shortfalls(orders, expected, hours, rules.low_share)
        worst = worst_by_day(moments, found.clock.day, days)
        alone = by_chance_alone(HOURS / hours, budget)
        limits[hours] = max(alone, beyond_chance(worst, per_week, budget, 0.0) or 0.0)
    return limits


def _known(counts: OrderCounts, found: Usual) -> tuple[Floats, Floats, np.ndarray, float]:
    """Orders and what was expected where that was known; which days count, how many a week."""
    known = np.isfinite(found.expected)
    expected = np.where(known, found.expected, 0.0)
    orders = np.where(known, counts.orders, 0.0)
    day = found.clock.day - found.clock.day[0]
    counted = np.bincount(day, weights=expected) > 0.1
    weeks = max(1.0, known.sum() * BIN_HOURS / HOURS)
    return orders, expected, counted, float(counted.sum() / weeks)


def never(_: date) -> bool:
    """No day is one on which the shop is closed."""
    return False
