"""The replay on worlds small enough to be worked out by hand: fair, and without a look ahead."""

from __future__ import annotations

import json
from datetime import date, timedelta
from itertools import product

import numpy as np
import pandas as pd
import pytest

from benchmarks.purchasing import compare, tuning
from benchmarks.purchasing.__main__ import main
from benchmarks.purchasing.bound import lower_bound
from benchmarks.purchasing.daily_sales import DailySales, read
from benchmarks.purchasing.policies import averages, known_at, learned
from benchmarks.purchasing.replay import known_items
from benchmarks.purchasing.world import Costs, Outcome, World, run

COSTS = Costs(lead_mean=2, lead_cv=0, review_days=1, line_cost=10.0)


def world(demand: list[float], start: float = 0.0, lead: int = 2, costs: Costs = COSTS) -> World:
    days = np.array([demand], dtype=float)
    leads = np.full((1, -(-days.shape[1] // costs.review_days)), lead, dtype=np.intp)
    return World(days, np.array([10.0]), leads, np.array([start], float), 0, costs)


def shop(days: int = 200, items: int = 12, seed: int = 5) -> DailySales:
    chance = np.random.default_rng(seed)
    often = chance.uniform(0.05, 0.9, (items, 1))
    units = np.where(chance.random((items, days)) < often, chance.poisson(3, (items, days)) + 1, 0)
    skus = [f"A{i}" for i in range(items)]
    return DailySales(skus, date(2026, 1, 5), units.astype(float), 8.0 * units)


def test_days_are_lived_through_as_by_hand():
    """5 on hand, 2 a day; 7 are ordered on day 1 and come on day 3; on day 2 one sale is lost."""
    orders = {1: 7.0}
    outcome = run(
        world([2, 2, 2, 2, 2], 5), lambda review, position: np.full(1, orders.get(review, 0.0))
    )
    assert outcome.lost.tolist() == [1.0]
    assert outcome.placed.tolist() == [1.0]
    nights = 3 + 1 + 0 + 5 + 3
    assert outcome.holding == pytest.approx(nights * 6 * 0.25 / 365)


def test_position_counts_what_is_under_way():
    seen: list[float] = []

    def order(review: int, position: np.ndarray) -> np.ndarray:
        seen.append(float(position[0]))
        return np.full(1, 4.0 if review == 0 else 0.0)

    run(world([1, 1, 1, 1], 1), order)
    assert seen == [1.0, 4.0, 4.0, 3.0]


def test_order_lines_are_borne_as_their_goods_sell():
    """One line of 10, of which 6 sell: six tenths of it; all of it once all is sold."""
    once = {0: 10.0}
    order = lambda review, position: np.full(1, once.get(review, 0.0))  # noqa: E731
    assert run(world([0, 0, 2, 2, 2]), order).lines == pytest.approx(0.6)
    assert run(world([0, 0, 2, 2, 2, 9]), order).lines == pytest.approx(1.0)


def cheapest(world: World) -> float:
    """Least total over all orders that are possible, by trying them."""
    days, best = world.days, np.inf
    for placed in product(range(7), repeat=days - 2):
        orders = (*placed, 0, 0)
        found = run(world, lambda review, _, orders=orders: np.full(1, float(orders[review])))
        total = found.placed_cost(world) + world.costs.margin * world.price * found.lost
        best = min(best, float(total[0]))
    return best


@pytest.mark.parametrize(
    ("line_cost", "holding", "review_days"),
    [(0.1, 40, 1), (3, 40, 1), (30, 40, 1), (3, 200, 1), (3, 200, 2), (3, 300, 2)],
)
def test_bound_is_what_the_best_of_all_orders_costs(
    line_cost: float, holding: float, review_days: int
):
    """At 40 a year a unit is held for 6 days rather than lost, at 200 for one, at 300 for none."""
    costs = Costs(holding, line_cost, lead_mean=2, lead_cv=0, review_days=review_days)
    here = world([1, 0, 2, 1, 3], 2.0, costs=costs)
    none = run(here, lambda review, position: np.zeros(1))
    assert lower_bound(here, none)[0] == pytest.approx(cheapest(here))


def test_bound_is_below_every_policy():
    data = shop()
    found = compare.Replay(data, data.first + timedelta(days=140), 2).compare(Costs())
    for outcome in found.outcomes.values():
        placed = outcome.placed_cost(found.world).sum()
        lost = (found.world.costs.margin * found.world.price * outcome.lost).sum()
        assert found.bound.sum() < placed + lost


def test_policies_know_nothing_of_the_days_to_come():
    data, costs = shop(), Costs()
    first, reviews = 105, 4
    after = data.units.copy()
    after[:, first + 21 :] = 50.0  # from the last review on
    other = DailySales(data.skus, data.first, after, 8.0 * after)
    price = np.full(len(data.skus), 8.0)
    levels = [
        learned(known_at(d, first, reviews, costs), price, costs) for d in (data, other)
    ]  # fmt: skip
    assert (levels[0].reorder == levels[1].reorder).all()
    assert (levels[0].up_to == levels[1].up_to).all()
    windows = [averages(d, 91, first, reviews, 7) for d in (data, other)]
    assert (windows[0] == windows[1]).all()


def test_rules_are_tuned_before_the_cut_alone(monkeypatch: pytest.MonkeyPatch):
    data = shop()
    cut = data.first + timedelta(days=140)
    chosen: list[list[int]] = []
    search = tuning.by_class

    def remembered(totals: np.ndarray, classes: np.ndarray) -> list[int]:
        chosen.append(search(totals, classes))
        return chosen[-1]

    monkeypatch.setattr(tuning, "by_class", remembered)
    other = data.units.copy()
    other[:, 140:] = 9.0
    for units in (data.units, other):
        shop_then = DailySales(data.skus, data.first, units, 8.0 * units)
        compare.Replay(shop_then, cut, 1).compare(Costs())
    assert chosen[: len(chosen) // 2] == chosen[len(chosen) // 2 :]


def test_lead_times_are_the_same_whoever_orders():
    ones = np.ones((3, 30))
    worlds = [
        World.draw(ones, np.ones(3), np.ones(3), 0, Costs(), range(1, 3)) for _ in range(2)
    ]  # fmt: skip
    assert (worlds[0].lead == worlds[1].lead).all()
    assert (worlds[0].lead[:3] != worlds[0].lead[3:]).any()
    assert worlds[0].lead.min() >= 1


def test_fill_rates_are_equal_and_the_interval_holds_the_ratio():
    data = shop(days=260)
    found = compare.Replay(data, data.first + timedelta(days=190), 2).compare(Costs())
    fills = [found.outcomes[n].fill_rate(found.world) for n in (compare.SCALED, found.best)]
    assert fills[0] == pytest.approx(fills[1], abs=0.01)  # in so few items a unit is a tenth
    low, high = found.interval()
    assert low < found.ratio(compare.SCALED) < high
    assert len(found.losers(3)) == 3


def test_unscaled_ratio_of_the_best_rule_is_one():
    data = shop()
    found = compare.Replay(data, data.first + timedelta(days=140), 1).compare(Costs())
    assert found.ratio(found.best) == found.total_ratio(found.best) == 1.0
    assert isinstance(found.outcomes[found.best], Outcome)


def test_items_without_a_sale_before_the_cut_are_left_out():
    units = np.array([[1.0, 0, 1], [0, 0, 5]])
    data = DailySales(["A", "B"], date(2026, 1, 5), units, units)
    assert known_items(data, 2).skus == ["A"]


def test_transactions_are_netted_within_the_day(tmp_path):
    file = tmp_path / "lines.csv"
    lines = [
        ("1", "85048", "2026-01-05 09:00", 74215, 2.0),
        ("C2", "85048", "2026-01-05 09:10", -74215, 2.0),
        ("3", "85048", "2026-01-06 09:00", 5, 2.0),
        ("4", "85048", "2026-01-06 10:00", 1, 4.0),
        ("5", "POST", "2026-01-06 10:00", 1, 4.0),
    ]
    names = ["invoice", "stock_code", "ts", "quantity", "unit_price"]
    pd.DataFrame(lines, columns=names).to_csv(file, index=False)
    data = read(file)
    assert data.skus == ["85048"]
    assert data.units.tolist() == [[0.0, 6.0]]
    assert data.revenue.tolist() == [[0.0, 14.0]]


def test_days_without_a_row_are_days_without_sales(tmp_path):
    file = tmp_path / "days.csv.gz"
    rows = [("A", "2026-01-05", 2, 3.0), ("A", "2026-01-08", 1, 3.0), ("B", "2026-01-06", 4, 1.0)]
    pd.DataFrame(rows, columns=["sku", "date", "units", "unit_price"]).to_csv(file, index=False)
    data = read(file)
    assert data.units.tolist() == [[2, 0, 0, 1], [0, 4, 0, 0]]
    assert data.prices(1)[0] == 3.0
    assert np.isnan(data.prices(1)[1])


def test_file_without_the_columns_is_refused_in_words(tmp_path):
    file = tmp_path / "other.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(SystemExit, match="unit_price"):
        read(file)
    with pytest.raises(SystemExit, match="no file"):
        read(tmp_path / "none.csv")


def test_last_line_is_one_object_with_the_figures(tmp_path, capsys):
    data, file = shop(items=4), tmp_path / "days.csv"
    row, day = np.nonzero(data.units)
    dates = [data.first + timedelta(days=int(d)) for d in day]
    frame = pd.DataFrame({"sku": np.array(data.skus)[row], "date": dates})
    frame["units"], frame["unit_price"] = data.units[row, day], 8.0
    frame.to_csv(file, index=False)
    main(["--data", str(file), "--cut", "2026-05-25", "--seeds", "1", "--json"])
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {
        "cost_vs_best_rule",
        "total_vs_best_rule",
        "fill_rate",
        "fill_rate_best_rule",
        "gap_to_bound_closed",
    } <= figures.keys()
    with pytest.raises(SystemExit, match="leaves too little"):
        main(["--data", str(file), "--cut", "2026-01-20"])
