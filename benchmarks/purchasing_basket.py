"""What it costs to buy baskets at three suppliers: ours beside the best rule.

    python -m benchmarks.purchasing_basket [--cut DATE] [--seeds N] [--json]

The demand is the sample slice's, real and day by day. The suppliers are drawn (``basket.shop``):
prices with steps, packs, minimum order values, freight, free freight, and lead times of 3, 9 and 24
days that vary (gamma); all policies see the same ones, the same model of demand, fitted anew each
week on what was sold before, and pay the same: holding 25% a year, 15 per order line, margin 40% of
the list price, and what is not there is not sold.

The rule buys each item at its cheapest landed supplier, joins a supplier's due lines each week,
fills up to a minimum or free freight where that pays, and buys elsewhere what cannot wait. Both are
tuned on the half year before the cut, one setting after the other, for each draw of suppliers, and
measured on the half year after it.

Cost is all that a policy can change: freight, order lines, holding, lost margin, and what goods
cost above their least price; what is left over counts at its least price.
``basket_cost_vs_best_rule`` is ours over the rule's, all seeds together.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from datetime import date, timedelta

from benchmarks.basket import ours as ours_module
from benchmarks.basket import rule as rule_module
from benchmarks.basket.bound import bound
from benchmarks.basket.ours import Own, Planned
from benchmarks.basket.replay import Cost, mean_cost, replay
from benchmarks.basket.rule import CheapestLanded, Settings, tuned
from benchmarks.basket.shop import (
    Forecasts,
    Foreseen,
    draw_lead_times,
    draw_market,
    mondays,
    read_shop,
)
from benchmarks.output import show_rows

CUT = date(2011, 4, 1)
WEEKS = 26
SEEDS = 3


def one_seed(cut: date, seed: int) -> dict[str, Cost | float | str]:
    """Both tuned before the cut and measured after it, and the bound."""
    shop = read_shop()
    forecasts = Forecasts(shop)
    market = draw_market(shop, seed)
    before = mondays(cut - timedelta(weeks=WEEKS), cut - timedelta(days=7))
    last = shop.first + timedelta(days=shop.units.shape[1] - 7)
    after = mondays(cut, min(cut + timedelta(weeks=WEEKS), last))
    early, late = draw_lead_times(seed, len(before)), draw_lead_times(seed + 500, len(after))

    def rule(settings: Settings, weeks: list[date]) -> Cost:
        policy = CheapestLanded(shop, market, forecasts, settings)
        return replay(shop, market, early if weeks is before else late, weeks, policy)

    def ours(settings: Own, weeks: list[date]) -> Cost:
        policy = Planned(shop, market, forecasts.at, settings)
        return replay(shop, market, early if weeks is before else late, weeks, policy)

    best = tuned(lambda tried: rule(tried, before).total, Settings(), rule_module.CHOICES)
    own = tuned(lambda tried: ours(tried, before).total, Own(), ours_module.CHOICES, rounds=1)
    known = Planned(shop, market, lambda today: Foreseen(shop, today), own)
    return {
        "best rule": rule(best, after),
        "ours": ours(own, after),
        "ours, demand known": replay(shop, market, late, after, known),
        "bound": bound(shop, market, after),
        "settings": f"{best}; {own}",
    }


def main() -> None:
    """Measure on the slice and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--cut", type=date.fromisoformat, default=CUT, help="first day after tuning"
    )
    parser.add_argument("--seeds", type=int, default=SEEDS, help="draws of suppliers")
    parser.add_argument("--json", action="store_true", help="print one JSON object as well")
    arguments = parser.parse_args()
    seeds = range(1, arguments.seeds + 1)
    with ProcessPoolExecutor(max_workers=2) as pool:
        measured = list(pool.map(one_seed, [arguments.cut] * len(seeds), seeds))
    for seed, found in zip(seeds, measured, strict=True):
        sys.stdout.write(f"seed {seed}: {found['settings']}\n")
    rows: dict[str, dict[str, float]] = {}
    means: dict[str, Cost] = {}
    for name in ("best rule", "ours", "ours, demand known"):
        costs = [m[name] for m in measured]
        means[name] = mean_cost([c for c in costs if isinstance(c, Cost)])
        rows[name] = {"total": means[name].total, **asdict(means[name])}
    least = sum(m["bound"] for m in measured if isinstance(m["bound"], float)) / len(measured)
    rows["bound"] = {"total": least}
    best, own = means["best rule"], means["ours"]
    figures: dict[str, float | str | None] = {
        "basket_cost_vs_best_rule": own.total / best.total,
        **{f"seed_{at}": _ratio(m) for at, m in enumerate(measured, 1)},
        "fill_rate": own.fill,
        "fill_rate_best_rule": best.fill,
        "bound_vs_best_rule": least / best.total,
        "demand_known_vs_best_rule": means["ours, demand known"].total / best.total,
        "gap_to_bound_closed": (best.total - own.total) / (best.total - least),
    }
    show_rows(
        f"Baskets over {WEEKS} weeks from {arguments.cut}, mean of {arguments.seeds} draws",
        rows, figures, as_json=arguments.json,
    )  # fmt: skip


def _ratio(measured: dict[str, Cost | float | str]) -> float:
    ours, rule = measured["ours"], measured["best rule"]
    assert isinstance(ours, Cost)
    assert isinstance(rule, Cost)
    return ours.total / rule.total


if __name__ == "__main__":
    main()
