"""How soon groups of items earn orders without asking, and how often they do so without merit.

The project's sample sells on day by day; our levels order once a week, from three suppliers, and
each order line is judged as ``judge_orders`` does: against the median of what Tryton's, Odoo's and
ERPNext's rules would have ordered of the same stock, over the days until the next order could
arrive. The outcomes climb the ladder of ``flows.orchestrator.purchasing.ladder``, its rules being
the default ones but for a ceiling of ``automatic``. Beside that history stand others of the same
orders:

- *worse*: what each order saved, it lost.
- *equal, either way*: a coin decides of each order whether it saved or lost that.
- *equal, drawn again*: orders drawn with replacement, less what they saved on average, so that rare
  large losses and gains stay as they are.

Of histories that are equal to the rule on average none should rise: how many do is the rate of
false promotions. Student's lower bound, looked at whenever something new is settled, stands beside
it.

    python -m benchmarks.autonomy_ladder [--draws 200] [--json]
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from time import perf_counter

import numpy as np

from agents.data_intelligence.predictive_analytics.ordering.rules import (
    CLASSES,
    USUAL,
    Parameters,
    abc_classes,
    usual_by_class,
    usual_parameters,
)
from agents.data_intelligence.predictive_analytics.purchasing.hindsight import (
    Costs as ItemCosts,
)
from agents.data_intelligence.predictive_analytics.purchasing.hindsight import (
    Delivery,
    Onward,
    Past,
)
from agents.data_intelligence.predictive_analytics.purchasing.seen_sales import USUAL_DAYS
from agents.statistics import Floats
from benchmarks.output import show_rows
from benchmarks.purchasing.__main__ import SAMPLE
from benchmarks.purchasing.daily_sales import DailySales, read
from benchmarks.purchasing.policies import RULES, averages, known_at, learned
from benchmarks.purchasing.replay import Period, known_items, period
from benchmarks.purchasing.world import Costs, run
from blocks.ledger.purchasing.outcomes import OrderOutcome
from blocks.policy.autonomy_rules import AutonomyRules
from blocks.vocabulary.effects import Approval
from blocks.vocabulary.frames import DAILY_WEEKS
from flows.orchestrator.purchasing.ladder import standing

CUT = date(2011, 1, 1)
SUPPLIERS = 3
RULE = AutonomyRules(ceiling=Approval.AUTOMATIC)

Line = tuple[str, int, int]
"""SKU, day of the order, day on which it is settled."""


@dataclass(frozen=True)
class Order:
    """The lines of one group in one order, with what each saved and is worth, in money."""

    name: str
    lines: tuple[Line, ...]
    saved: Floats
    value: Floats

    def with_savings(self, saved: Floats) -> Order:
        """The same order with another end."""
        return Order(self.name, self.lines, saved, self.value)


def main(argv: list[str] | None = None) -> None:
    """Replay the sample, and print how its groups climb."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.autonomy_ladder")
    parser.add_argument("--draws", type=int, default=200, help="histories that equal the rule")
    parser.add_argument("--json", action="store_true", help="print one JSON object as well")
    arguments = parser.parse_args(argv)
    began = perf_counter()
    orders, whole = _orders()
    rows = {group: _climb(some, arguments.draws) for group, some in sorted(orders.items())}
    figures: dict[str, float | str | None] = {
        f"{group}: {name}": None if np.isnan(value) else value
        for group, row in rows.items()
        for name, value in row.items()
    }
    figures["saved by all lines"] = float(sum(o.saved.sum() for g in orders.values() for o in g))
    figures["saved by the policy as a whole"] = whole
    names = ("either way", "drawn again", "student either way", "student drawn again")
    for name in names:
        figures[f"false promotions, {name}"] = float(np.mean([rows[g][name] for g in rows]))
    figures["seconds"] = round(perf_counter() - began, 1)
    title = f"Groups of the sample from {CUT}; false promotions of {arguments.draws} histories each"
    by_figure = {name: {group: rows[group][name] for group in rows} for name in rows["class A"]}
    show_rows(title, by_figure, figures, as_json=arguments.json)


def _climb(orders: list[Order], draws: int) -> dict[str, float]:
    """What a group's orders came to, and how it and its like climb."""
    chance = np.random.default_rng(0)
    saved = np.array([order.saved.sum() for order in orders])
    ours = standing("group", _outcomes(orders), RULE)
    worse = [order.with_savings(-order.saved) for order in orders]
    found: dict[str, list[bool]] = defaultdict(list)
    for _ in range(draws):
        for name, like in (("either way", _either_way), ("drawn again", _drawn_again)):
            history = _outcomes(like(orders, chance))
            found[name].append(_rises(history))
            found[f"student {name}"].append(_rises_by_student(history))
    first = next((move for move in ours.moves if move.after is Approval.AUTOMATIC), None)
    begin = min(line[1] for order in orders for line in order.lines)
    return {
        "orders": float(len(orders)),
        "lines": float(sum(len(order.lines) for order in orders)),
        "saved per order": float(saved.mean()),
        "weeks to automatic": (first.at - _at(begin)).days / 7 if first else float("nan"),
        "falls": float(sum(move.before is Approval.AUTOMATIC for move in ours.moves)),
        "worse rises": float(_rises(_outcomes(worse))),
    } | {name: float(np.mean(each)) for name, each in found.items()}


def _either_way(orders: list[Order], chance: np.random.Generator) -> list[Order]:
    signs = chance.choice([-1.0, 1.0], len(orders))
    return [o.with_savings(sign * o.saved) for o, sign in zip(orders, signs, strict=True)]


def _drawn_again(orders: list[Order], chance: np.random.Generator) -> list[Order]:
    """Other orders' ends at the same days, each line less what one saves on average."""
    mean = np.concatenate([order.saved for order in orders]).mean()
    drawn = chance.integers(0, len(orders), len(orders))
    return [
        Order(at.name, _same_days(at, len(o.lines)), o.saved - mean, o.value)
        for at, o in zip(orders, (orders[i] for i in drawn), strict=True)
    ]


def _same_days(order: Order, lines: int) -> tuple[Line, ...]:
    _, begin, _ = order.lines[0]
    end = max(line[2] for line in order.lines)
    return tuple((f"{order.name}-{n}", begin, end) for n in range(lines))


def _rises(outcomes: list[OrderOutcome]) -> bool:
    return any(move.after is Approval.AUTOMATIC for move in standing("g", outcomes, RULE).moves)


def _rises_by_student(outcomes: list[OrderOutcome]) -> bool:
    """Whether Student's one-sided 95% lower bound ever reaches zero, looked at each day."""
    from scipy.stats import t

    by_day: dict[date, list[OrderOutcome]] = defaultdict(list)
    for outcome in outcomes:
        by_day[outcome.settled_at.date()].append(outcome)
    saved: dict[str, float] = defaultdict(float)
    lines = 0
    for day in sorted(by_day):
        for outcome in by_day[day]:
            saved[outcome.order_id] += float(outcome.savings or 0)
            lines += 1
        n, x = len(saved), np.array(list(saved.values()))
        if lines >= RULE.lines and n >= RULE.orders:
            bound = x.mean() - t.ppf(0.95, n - 1) * x.std(ddof=1) / np.sqrt(n)
            if bound >= 0:
                return True
    return False


def _outcomes(orders: list[Order]) -> list[OrderOutcome]:
    return [
        OrderOutcome(
            order_id=order.name,
            sku=sku,
            group="group",
            level=Approval.ASK,
            decided_at=_at(begin),
            settled_at=_at(end),
            value=_money(value),
            ours=Decimal(0),
            rule=_money(saved),
            currency="GBP",
        )
        for order in orders
        for (sku, begin, end), saved, value in zip(
            order.lines, order.saved, order.value, strict=True
        )
    ]


def _money(value: float) -> Decimal:
    return Decimal(str(round(value, 2)))


def _at(day: int) -> datetime:
    return datetime.combine(CUT, time(6), UTC) + timedelta(days=day)


def _orders() -> tuple[dict[str, list[Order]], float]:
    """The orders of our levels over the days after the cut, by group.

    Also what our levels cost less than the rule over those days, each with the stock that it made
    itself: what the lines should add up to, were the decisions not to order among them.
    """
    data, costs = read(SAMPLE), Costs()
    cut = data.day(CUT)
    data = known_items(data, cut)
    test = period(data, cut, data.days, costs, range(1))
    known = known_at(data, test.first, test.world.reviews, costs)
    ours = learned(known, test.price, costs).order(1)
    rule = _by_rule(data, test, costs)
    groups = abc_classes(data.revenue[:, max(cut - 364, 0) : cut].sum(axis=1))
    placed: dict[tuple[str, int, int], list[tuple[Line, float, float]]] = defaultdict(list)

    def order(review: int, position: Floats) -> Floats:
        units = ours(review, position)
        for row in np.flatnonzero((units > 0) & (test.price > 0)):
            if judged := _judge(test, review, int(row), float(position[row]), units, rule):
                key = (f"class {CLASSES[groups[row]]}", review, int(row) % SUPPLIERS)
                placed[key].append(judged)
        return units

    def by_rule(review: int, position: Floats) -> Floats:
        return np.array([rule(review, row, at) for row, at in enumerate(position)])

    ends = [run(test.world, policy).total(test.world).sum() for policy in (by_rule, order)]
    found: dict[str, list[Order]] = defaultdict(list)
    for (group, review, supplier), lines in sorted(placed.items()):
        told, saved, value = zip(*lines, strict=True)
        name = f"order-{review}-{supplier}"
        found[group].append(Order(name, told, np.array(saved), np.array(value)))
    return found, float(ends[0] - ends[1])


def _by_rule(data: DailySales, test: Period, costs: Costs) -> Callable[[int, int, float], float]:
    """The median of what the rules order of an item (a row) at a review and a position."""
    reviews = test.world.reviews
    average = averages(data, 91, test.first, reviews, costs.review_days)
    lead = np.full(len(average), costs.lead_mean)
    given: list[Parameters] = [
        usual_by_class(column, lead, abc_classes(column * test.price), USUAL)
        for column in np.ascontiguousarray(average.T)
    ]

    def median(review: int, row: int, position: float) -> float:
        one = given[review]
        own = Parameters(*(x[row : row + 1] for x in (one.minimum, one.maximum, one.quantity)))
        at = np.array([position])
        return float(np.median([rule(at, own)[0] for rule in RULES.values()]))

    return median


def _judge(
    test: Period,
    review: int,
    row: int,
    position: float,
    units: Floats,
    rule: Callable[[int, int, float], float],
) -> tuple[Line, float, float] | None:
    """The line, what it saved, what it is worth; None where its days go beyond the sales."""
    world, costs = test.world, test.world.costs
    day, lead = review * costs.review_days, int(world.lead[row, review])
    span = max(lead, round(costs.lead_mean)) + costs.review_days
    end = day + span
    if day < world.counted or end > world.days:
        return None
    column = test.first + end
    price = float(world.price[row])
    past = Past(
        position=position,
        demand=world.demand[row, day:end],
        deliveries=(Delivery(lead, 1.0),),
        costs=ItemCosts((1 - costs.margin) * price, costs.margin * price),
        onward=_onward(test, row, column),
    )
    saved = past.cost(rule(review, row, position)) - past.cost(float(units[row]))
    line = (test.data.skus[row], day - world.counted, end - world.counted)
    return line, saved, float(units[row]) * past.costs.unit_cost


def _onward(test: Period, row: int, column: int) -> Onward:
    """As ``judge_orders`` has it: the half year before, by the parameters of the item's class."""
    known = test.data.units[:, max(column - 7 * DAILY_WEEKS, 0) : column]
    usual = USUAL[CLASSES[abc_classes((known @ np.ones(known.shape[1])) * test.price)[row]]]
    average = known[row, -USUAL_DAYS:].mean()
    lead = round(test.world.costs.lead_mean)
    given = usual_parameters(
        np.array([average]), np.array([float(lead)]), usual.safety_days, usual.cover_days
    )
    whole = known[row, known.shape[1] % 7 :]
    return Onward(whole, float(given.minimum[0]), float(given.maximum[0]), lead)


if __name__ == "__main__":
    main()
