"""How well a shop's silence is told from chance: false alarms in a year, time to know of a stop.

Each day of 52 weeks is judged by what was known the midnight before, step by step, by the code that
watches. Then stops are put in at random orders, and it is seen how long each takes to be known. The
same steps are judged by two other rules: Poisson's limit for the same expected orders and budget,
and "no order for 60 minutes in an hour that usually has one".

    python -m benchmarks.order_rhythm [--data FILE] [--json]

``FILE`` is the UCI data set Online Retail II as CSV (``invoice, ts, quantity, unit_price``, times
in London); without it only simulated shops are judged. They have a day's and a week's rhythm, a
season, days that are better or worse than others (16%) and hours likewise (35%), which is more than
chance alone, and no closures and no outages: whatever is told of them is false.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.data_intelligence.anomaly_detection.orders.judging import Judged, judge, judge_steps
from agents.data_intelligence.anomaly_detection.orders.limits import by_chance_alone
from agents.data_intelligence.anomaly_detection.orders.rhythm import (
    LOOK_BEHIND,
    SILENT_SHARE,
    Rhythm,
    learn,
    never,
)
from agents.data_intelligence.anomaly_detection.orders.usual import BIN_HOURS, Clock
from benchmarks.output import show_rows
from blocks.policy.watching.trade_rules import TradeRules
from blocks.store.hours.counts import BIN, OrderCounts

LONDON = ZoneInfo("Europe/London")
RULES = TradeRules()
DAY = round(timedelta(days=1) / BIN)
YEAR, PAST = 364, 7 * RULES.past_weeks
BEHIND = round(LOOK_BEHIND / BIN)
AFTER = 10 * DAY
STOPS = 200
FIXED_STEPS = 12

Bools = NDArray[np.bool_]
Rule = Callable[[Rhythm, OrderCounts, Judged], Bools]


def ours(rhythm: Rhythm, counts: OrderCounts, judged: Judged) -> Bools:
    """What the watch goes by."""
    del rhythm, counts
    return judged.silent


def poisson(rhythm: Rhythm, counts: OrderCounts, judged: Judged) -> Bools:
    """So many orders in a row are missing as chance alone leaves out once per budget."""
    del counts
    budget = RULES.false_alarms_per_week * SILENT_SHARE
    return judged.missed > by_chance_alone(rhythm.orders_per_week, budget)


def fixed(rhythm: Rhythm, counts: OrderCounts, judged: Judged) -> Bools:
    """No order for an hour that usually has at least one."""
    del judged
    usual = rhythm.expected(counts.begin, len(counts.orders), never)
    sums = [
        np.concatenate([np.zeros(FIXED_STEPS), np.cumsum(each)]) for each in (counts.orders, usual)
    ]
    seen, due = (each[FIXED_STEPS:] - each[:-FIXED_STEPS] for each in sums)
    return np.asarray((seen == 0) & (due >= 1))


RULES_COMPARED: dict[str, Rule] = {"ours": ours, "poisson": poisson, "60 minutes": fixed}


@dataclass
class Outcome:
    """What came of one rule on one shop."""

    false_alarms: int = 0
    mornings: int = 0
    shortfalls: float = float("nan")
    hours: list[float] = field(default_factory=list)

    def row(self) -> dict[str, float]:
        """Its figures."""
        known = np.array(self.hours)
        return {
            "false alarms": float(self.false_alarms),
            "unopened days": float(self.mornings),
            "shortfalls": float(self.shortfalls),
            "median hours": float(np.median(known)) if len(known) else float("nan"),
            "p90 hours": float(np.quantile(known, 0.9)) if len(known) else float("nan"),
            "within 1 h": float((known <= 1).mean()) if len(known) else 0.0,
        }


@dataclass(frozen=True, eq=False)
class Shop:
    """A shop's orders, and the zone of its hours."""

    name: str
    counts: OrderCounts
    zone: ZoneInfo

    def part(self, begin: int, end: int) -> OrderCounts:
        """Some of its steps."""
        begin = max(0, begin)
        return OrderCounts(
            self.counts.begin + begin * BIN,
            self.counts.orders[begin:end],
            self.counts.revenue[begin:end],
        )


def replay(shop: Shop) -> dict[str, Outcome]:
    """A year of a shop, judged day by day by each rule."""
    found = {name: Outcome() for name in RULES_COMPARED}
    days = len(shop.counts.orders) // DAY
    random = np.random.default_rng(1)
    # Orders stop where there are some: each order is as likely to be the last one.
    sold = shop.counts.orders[(days - YEAR) * DAY :]
    stops = np.sort(random.choice(len(sold), STOPS, p=sold / sold.sum()))
    before, low_before, shortfalls = dict.fromkeys(found, False), False, 0
    for day in range(days - YEAR, days):
        rhythm = learn(shop.part((day - PAST) * DAY, day * DAY), shop.zone, RULES)
        if rhythm is None:
            continue
        begin = day * DAY - BEHIND
        counts = shop.part(begin, (day + 1) * DAY)
        judged = judge_steps(rhythm, counts, never)
        for name, rule in RULES_COMPARED.items():
            told = rule(rhythm, counts, judged)[BEHIND:]
            for at in np.flatnonzero(told & ~np.concatenate([[before[name]], told[:-1]])):
                if _not_opened(shop, rhythm, counts, BEHIND + int(at)):
                    found[name].mornings += 1
                else:
                    found[name].false_alarms += 1
            before[name] = bool(told[-1])
        low = judged.low(rhythm)[BEHIND:] & ~judged.silent[BEHIND:]
        shortfalls += _episodes(low, low_before)
        low_before = bool(low[-DAY // 4 :].any())
        first = (day - (days - YEAR)) * DAY
        for stop in stops[(stops >= first) & (stops < first + DAY)]:
            _stop(shop, rhythm, begin, (days - YEAR) * DAY + int(stop), found)
    found["ours"].shortfalls = float(shortfalls)
    return found


def _episodes(told: Bools, before: bool) -> int:
    """How often it was told anew: within six hours it is the same."""
    episodes, last = 0, 0 if before else -DAY
    for at in np.flatnonzero(told):
        episodes += int(at) - last > DAY // 4
        last = int(at)
    return episodes


def _not_opened(shop: Shop, rhythm: Rhythm, counts: OrderCounts, at: int) -> bool:
    """Whether a day without any order was told, of which the shop's past has several."""
    day = Clock.of(counts.begin, len(counts.orders), shop.zone).day
    if counts.orders[day == day[at]].any():
        return False
    upto = OrderCounts(counts.begin, counts.orders[: at + 1], counts.revenue[: at + 1])
    silence = judge(rhythm, upto, never).silence
    return silence is None or silence.perhaps_closed


def _stop(shop: Shop, rhythm: Rhythm, begin: int, stop: int, found: dict[str, Outcome]) -> None:
    """No order after a step: how long each rule takes to know."""
    kept = shop.part(begin, stop + 1)
    none = np.zeros(AFTER)
    counts = OrderCounts(
        kept.begin, np.concatenate([kept.orders, none]), np.concatenate([kept.revenue, none])
    )
    judged = judge_steps(rhythm, counts, never)
    for name, rule in RULES_COMPARED.items():
        told = rule(rhythm, counts, judged)[len(kept.orders) :]
        steps = int(np.argmax(told)) + 1 if told.any() else AFTER
        found[name].hours.append(steps * BIN_HOURS)


def simulated(per_hour: float, seed: int) -> Shop:
    """A shop with so many orders an hour on average, for a year and what is learned before."""
    random = np.random.default_rng(seed)
    days = YEAR + PAST
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    clock = Clock.of(begin, days * DAY, LONDON)
    of_day = clock.hour % 24
    shape = 0.15 + np.exp(-((of_day - 13.0) ** 2) / 18) + 0.8 * np.exp(-((of_day - 20.0) ** 2) / 5)
    weekday = np.array([1.0, 0.95, 0.95, 1.0, 1.05, 1.2, 1.15])[clock.hour // 24]
    at = clock.day - clock.day[0]
    season = 1 + 0.25 * np.sin(2 * np.pi * at / 365)
    daily = random.gamma(40, 1 / 40, days + 2)[at]
    hourly = np.repeat(random.gamma(8, 1 / 8, days * 24), DAY // 24)
    rate = shape * weekday * season
    rate *= per_hour * BIN_HOURS / rate.mean()
    orders = random.poisson(rate * daily * hourly).astype(float)
    return Shop(f"simulated, {per_hour:g} an hour", OrderCounts(begin, orders, 30 * orders), LONDON)


def online_retail(file: Path) -> Shop:
    """The real shop: a wholesaler of gifts."""
    lines = pd.read_csv(file, dtype=str, usecols=["invoice", "ts", "quantity", "unit_price"])
    lines["units"] = lines["quantity"].astype(float)
    lines = lines[~lines["invoice"].str.startswith(("A", "C")) & (lines["units"] > 0)]
    lines["paid"] = lines["units"] * lines["unit_price"].astype(float)
    lines["at"] = pd.to_datetime(lines["ts"])
    orders = lines.groupby("invoice").agg(at=("at", "min"), paid=("paid", "sum"))
    times = orders["at"].dt.tz_localize(LONDON).dt.tz_convert(UTC)
    begin = times.min().normalize()
    steps = ((times - begin) // pd.Timedelta(BIN)).to_numpy().astype(int)
    many = -(-(int(steps.max()) + 1) // DAY) * DAY
    return Shop(
        "Online Retail II",
        OrderCounts(
            begin.to_pydatetime(),
            np.bincount(steps, minlength=many).astype(float),
            np.bincount(steps, orders["paid"].to_numpy(dtype=float), many).astype(float),
        ),
        LONDON,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="online_retail.csv.gz")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    began = perf_counter()
    shops = [simulated(per_hour, n) for n, per_hour in enumerate((1.0, 10.0, 100.0))]
    if options.data:
        shops.insert(0, online_retail(options.data))
    rows: dict[str, dict[str, float]] = {}
    figures: dict[str, float | str | None] = {}
    for shop in shops:
        found = replay(shop)
        for name, outcome in found.items():
            rows[f"{shop.name}: {name}"] = outcome.row()
            figures |= {f"{shop.name} | {name} | {k}": v for k, v in outcome.row().items()}
    figures["seconds"] = round(perf_counter() - began, 1)
    title = f"52 weeks, {STOPS} stops, a budget of {RULES.false_alarms_per_quarter:g} a quarter"
    show_rows(title, rows, figures, as_json=options.json)


if __name__ == "__main__":
    main()
