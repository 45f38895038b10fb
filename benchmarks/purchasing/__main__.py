"""What ordering costs by our levels and by the rules of ERP systems, on a shop's real sales.

History up to the cut fits and tunes; the days after it are lived through, one by one: deliveries
arrive, the stock is looked at once a week, customers buy what is there, and the rest is lost. The
demand is learned anew at each look, from the days before it. Tryton's, Odoo's and ERPNext's rules
have their parameters (window of the average, safety days, days of cover) searched for on the days
before the cut, per ABC class and per item, and set anew each week; a base-stock policy on quantiles
of past demand and the bound of whoever knows demand and lead times (Wagner and Whitin) stand beside
them. All live through the same demand and the same lead times, from the same stock, and settle for
some weeks before costs count. Cost is holding and order lines, our levels multiplied by the one
factor at which their fill rate by value equals that of the best rule tuned per class. An order line
is borne by its goods as they sell: counted when it is placed, buying for a year just before the
days that count would seem free (``placed_cost_vs_best_rule`` counts it so).

    python -m benchmarks.purchasing [--data FILE] [--cut DATE] [--json] [--sensitivity] [--scale]

``FILE`` is a CSV (gzip allowed) with ``sku,date,units,unit_price``; or transactions with
``invoice``, ``ts``, ``stock_code``, ``quantity`` and ``unit_price``, as "Online Retail II" (Chen,
Sain and Guo 2012, doi 10.1057/dbm.2012.17) has them; or FreshRetailNet-50K's days (``city_id,
store_id, product_id, date, sales``; a price of 10 is assumed). Without it: the project's sample.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter

from benchmarks.output import show, show_rows
from benchmarks.purchasing.compare import BOUND, OURS, SCALED, Comparison, Replay
from benchmarks.purchasing.daily_sales import FORMATS, read
from benchmarks.purchasing.world import Costs
from blocks.settings import PROJECT_ROOT

SAMPLE = PROJECT_ROOT / "deployments/sample/data/online_retail_slice.csv.gz"
SAMPLE_CUT = date(2011, 7, 1)
SEEDS = 3


def main(argv: list[str] | None = None) -> None:
    """Replay a file and print what each policy costs."""
    arguments = _arguments(argv)
    if arguments.scale:
        from benchmarks.purchasing.scale import show_scale

        show_scale(as_json=arguments.json)
        return
    began = perf_counter()
    data = read(arguments.data, arguments.format)
    cut = arguments.cut or (
        SAMPLE_CUT if arguments.data == SAMPLE else data.first + timedelta(days=data.days * 2 // 3)
    )
    if not 56 <= data.day(cut) < data.days:
        sys.exit(
            f"The cut {cut} leaves too little: the file goes from {data.first} to "
            f"{data.first + timedelta(days=data.days - 1)}, and eight weeks must lie before it."
        )
    costs = Costs(
        arguments.holding,
        arguments.line_cost,
        arguments.margin,
        arguments.lead_mean,
        arguments.lead_cv,
        arguments.review_days,
    )
    replay = Replay(data, cut, arguments.seeds)
    found = replay.compare(costs)
    if arguments.sensitivity:
        rows = {name: _short(replay.compare(other)) for name, other in _variations(costs)}
        show_rows("Ours against the best rule at other costs", rows, {}, as_json=False)
    losers = {str(row.pop("sku")): row for row in found.losers()}
    show_rows(
        f"Where ours costs most beyond the rule ({found.loses_on():.0%} of the items lose)",
        {name: {k: float(v) for k, v in row.items()} for name, row in losers.items()},
        {},
        as_json=False,
    )
    title = (
        f"{len(replay.data.skus):,} items from {cut}, {found.world.days - found.world.counted} "
        f"days, {arguments.seeds} seeds" + (f" ({data.note})" if data.note else "")
    )
    show_rows(title, _table(found), {}, as_json=False)
    figures = _figures(found) | {
        "items": len(replay.data.skus),
        "seconds": round(perf_counter() - began, 1),
    }
    show("Ours against the best rule tuned per class", figures, as_json=arguments.json)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.purchasing",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    costs = Costs()
    parser.add_argument("--data", type=Path, default=SAMPLE, help="CSV; the sample's by default")
    parser.add_argument("--format", choices=FORMATS, help="told by the columns by default")
    parser.add_argument("--cut", type=date.fromisoformat, help="first day tested (YYYY-MM-DD)")
    parser.add_argument("--json", action="store_true", help="print one JSON object as well")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="draws of the lead times")
    parser.add_argument("--holding", type=float, default=costs.holding_per_year)
    parser.add_argument("--line-cost", type=float, default=costs.line_cost)
    parser.add_argument("--margin", type=float, default=costs.margin)
    parser.add_argument("--lead-mean", type=float, default=costs.lead_mean)
    parser.add_argument("--lead-cv", type=float, default=costs.lead_cv)
    parser.add_argument("--review-days", type=int, default=costs.review_days)
    parser.add_argument("--sensitivity", action="store_true", help="again at other costs")
    parser.add_argument(
        "--scale", action="store_true", help="time and memory of many items instead"
    )
    return parser.parse_args(argv)


def _table(found: Comparison) -> dict[str, dict[str, float]]:
    """A row per policy, costs per seed."""
    world, seeds = found.world, found.test.seeds
    rows = {
        name: {
            "cost": float(outcome.cost(world).sum()) / seeds,
            "holding": float(outcome.holding.sum()) / seeds,
            "lines": float(outcome.lines.sum()) / seeds,
            "placed": float(outcome.placed.sum()) / seeds,
            "fill rate": outcome.fill_rate(world),
            "total": float(outcome.total(world).sum()) / seeds,
            "of the rule's": found.total_ratio(name),
        }
        for name, outcome in found.outcomes.items()
    }
    bound, best = float(found.bound.sum()), found.outcomes[found.best]
    rows[BOUND] = {name: float("nan") for name in rows[OURS]} | {
        "total": bound / seeds,
        "of the rule's": bound / float(best.total(world).sum()),
    }
    return rows


def _figures(found: Comparison) -> dict[str, float | str | None]:
    low, high = found.interval()
    return {
        "cost_vs_best_rule": found.ratio(SCALED),
        "total_vs_best_rule": found.total_ratio(SCALED),
        "fill_rate": found.outcomes[SCALED].fill_rate(found.world),
        "fill_rate_best_rule": found.outcomes[found.best].fill_rate(found.world),
        "gap_to_bound_closed": found.gap_closed(SCALED),
        "cost_vs_best_rule_low": low,
        "cost_vs_best_rule_high": high,
        "best_rule": found.best,
        "factor": found.factor,
        "placed_cost_vs_best_rule": found.placed_ratio(SCALED),
        "total_unscaled_vs_best_rule": found.total_ratio(OURS),
        "fill_rate_unscaled": found.outcomes[OURS].fill_rate(found.world),
    }


def _short(found: Comparison) -> dict[str, float]:
    return {
        "cost": found.ratio(SCALED),
        "total": found.total_ratio(SCALED),
        "total unscaled": found.total_ratio(OURS),
        "fill rate": found.outcomes[SCALED].fill_rate(found.world),
        "of the rule": found.outcomes[found.best].fill_rate(found.world),
        "gap closed": found.gap_closed(SCALED),
    }


def _variations(costs: Costs) -> Iterator[tuple[str, Costs]]:
    """Each cost at half and at twice what it is, where that is possible."""
    for name in ("holding_per_year", "line_cost", "margin", "lead_mean", "lead_cv"):
        for times in (0.5, 2.0):
            value = getattr(costs, name) * times
            if name == "margin" and value >= 1:
                continue
            yield f"{name} {value:g}", replace(costs, **{name: value})


if __name__ == "__main__":
    main()
