"""How well demand is forecast on files of real sales.

The weeks from the cut on are forecast from what was sold before it, for every item that had sold
by then, and once more counting the regular ones alone (sold in at least 40 weeks, and in 5 of the
last 20): by the learned demand, by the daily model (TSB), by the mean of the last 8 weeks, by the
last week; and by dynamic theta and a plain LightGBM over all items, where ``--peers`` names a
Python that has ``statsforecast`` and ``lightgbm``.

Then the total of a protection interval of two weeks from the cut on: pinball loss, and how often
demand stayed within the quantiles, by kind of item. Where the file is a shop's transactions, once
more with stock-outs: the sales of random spells are hidden from the forecast, which is told the
days, and what it says is held against what was really wanted.

    python -m benchmarks.forecast_accuracy [--data FILE] [--cut DATE] [--peers PYTHON] [--json]

``FILE`` is one of "Online Retail II" (Chen, Sain and Guo 2012, doi 10.1057/dbm.2012.17), a slice
of FreshRetailNet-50K (arXiv 2505.16319), or the car parts of Hyndman et al. 2008, whose months
are taken for weeks; without it, the slice of the first that the sample business sells.
"""

from __future__ import annotations

import argparse
import sys
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from agents.data_intelligence.predictive_analytics.demand.fitting import fit
from agents.data_intelligence.predictive_analytics.demand.learned import LearnedDemand
from agents.data_intelligence.predictive_analytics.demand_model import DemandModel
from agents.statistics import Floats
from benchmarks.forecast.data import SAMPLE, Shop, read
from benchmarks.forecast.metrics import QUANTILES, Chosen, accuracy, coverage, kinds, pinball
from benchmarks.forecast.peers import forecasts
from benchmarks.forecast.stockouts import with_gaps
from benchmarks.forecast.totals import total_accuracy
from benchmarks.output import show, show_rows

PROTECTION = 14
RECENT = 8
EMPIRICAL = 26
"""Weeks whose totals of two are the quantiles beside the mean of the last weeks."""

Figures = dict[str, float | str | None]
Table = dict[str, dict[str, float]]


def weekly(demand: LearnedDemand | DemandModel, weeks: int) -> Floats:
    """Expected units in each of the next weeks: one row per SKU."""
    totals = [demand.mean(7 * week) for week in range(weeks + 1)]
    return np.stack([after - before for before, after in pairwise(totals)], 1)


def regular(past: Floats) -> Chosen:
    """Which SKUs sold in at least 40 weeks, and in 5 of the last 20."""
    sold = past > 0
    return np.asarray((sold.sum(axis=1) >= 40) & (sold[:, -20:].sum(axis=1) >= 5))


def compare(
    shop: Shop, cut: date, weeks: int, peers: Path | None
) -> tuple[Table, Figures, LearnedDemand, dict[str, Chosen]]:
    """Weekly forecasts of all contenders; the figures of each, and of the fit."""
    skus = shop.skus(cut)
    model = shop.model(cut, skus)
    began, busy = perf_counter(), process_time()
    rates = fit(model, categories=shop.categories, store=shop.name)
    figures: Figures = {
        "file": shop.name,
        "cut": cut.isoformat(),
        "weeks": float(weeks),
        "skus": float(len(skus)),
        "fit_seconds": perf_counter() - began,
        "fit_cpu_seconds": process_time() - busy,
    }
    learned = LearnedDemand(model, rates)
    past, actual = model.units.weekly.astype(float), shop.actual(cut, skus, weeks)
    contenders: dict[str, Floats | None] = {
        "learned": weekly(learned, weeks),
        "tsb": weekly(model, weeks),
        "mean8": np.repeat(past[:, -RECENT:].mean(axis=1, keepdims=True), weeks, axis=1),
        "naive": np.repeat(past[:, -1:], weeks, axis=1),
        **forecasts(peers, past, weeks),
    }
    often = regular(past)
    rows: Table = {}
    for name, forecast in contenders.items():
        if forecast is None:
            figures[name] = "not installed"
            continue
        rows[name] = accuracy(forecast, actual, past)
        if often.any():
            of_regular = accuracy(forecast[often], actual[often], past[often])
            rows[name] |= {f"{key}_regular": value for key, value in of_regular.items()}
    figures["regular_skus"] = float(often.sum())
    figures |= {f"{name}_{key}": v for name, row in rows.items() for key, v in row.items()}
    return rows, figures, learned, kinds(rates.groups, rates.group)


def protect(
    shop: Shop, cut: date, demand: LearnedDemand, kind: dict[str, Chosen], prefix: str
) -> tuple[Table, Figures]:
    """How often the demand of a protection interval stayed within its quantiles."""
    actual = shop.actual(cut, demand.skus, PROTECTION // 7).sum(axis=1)
    spread = demand.spread(PROTECTION)
    every = np.ones(len(actual), dtype=np.bool_)
    rows: Table = {}
    for name, chosen in {"all": every, **kind}.items():
        shares = coverage(spread, actual, chosen)
        rows[name] = {
            "items": float(chosen.sum()),
            **{f"{100 * p:.0f}%": share for p, share in shares.items()},
        }
    figures: Figures = {
        f"{prefix}within_{key.rstrip('%')}_{name}": value
        for name, row in rows.items()
        for key, value in row.items()
    }
    figures[f"{prefix}pinball_learned"] = pinball(
        {p: spread.quantile(p) for p in QUANTILES}, actual
    )
    return rows, figures


def pinball_of_others(shop: Shop, cut: date, model: DemandModel) -> Figures:
    """Of the daily model, and of each item's own totals of two weeks in the last half year."""
    actual = shop.actual(cut, model.skus, PROTECTION // 7).sum(axis=1)
    spread = model.spread(PROTECTION)
    recent = model.units.weekly[:, -EMPIRICAL:].astype(float)
    totals = recent[:, 1:] + recent[:, :-1]
    own = np.quantile(totals, QUANTILES, axis=1)
    return {
        "pinball_tsb": pinball({p: spread.quantile(p) for p in QUANTILES}, actual),
        "pinball_own_past": pinball(dict(zip(QUANTILES, own, strict=True)), actual),
    }


def censored(shop: Shop, cut: date, weeks: int) -> tuple[Table, Table, Figures]:
    """Forecasts where stock-outs hid some sales, against what was wanted."""
    skus = shop.skus(cut)
    hidden, flags = with_gaps(shop, cut, skus)
    model = hidden.model(cut, skus)
    rates = fit(model, flags, shop.categories)
    learned = LearnedDemand(model, rates)
    actual, past = shop.actual(cut, skus, weeks), model.units.weekly.astype(float)
    out = np.isin(np.array(skus), flags["sku"].unique())
    last = flags.groupby("sku")["date"].max().reindex(skus)
    still = (last >= np.datetime64(cut - timedelta(days=1))).to_numpy()
    rows: Table = {}
    contenders = {"learned": weekly(learned, weeks), "tsb": weekly(model, weeks)}
    for name, forecast in contenders.items():
        for label, chosen in (("was out", out & ~still), ("is out", still)):
            rows[f"{name}, {label}"] = accuracy(forecast[chosen], actual[chosen], past[chosen])
    by_kind = {
        f"hidden-{name}": chosen & out for name, chosen in kinds(rates.groups, rates.group).items()
    }
    covered, figures = protect(shop, cut, learned, by_kind, "censored_")
    figures |= {
        f"censored_{name.replace(', ', '_').replace(' ', '_')}_{key}": value
        for name, row in rows.items()
        for key, value in row.items()
    }
    return rows, covered, figures


def main() -> None:
    """Measure the forecast on a file and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=SAMPLE, help="CSV of sales")
    parser.add_argument("--cut", type=date.fromisoformat, help="first day that is forecast")
    parser.add_argument("--peers", type=Path, help="a Python with statsforecast and lightgbm")
    parser.add_argument("--json", action="store_true", help="print one JSON object as well")
    arguments = parser.parse_args()
    for file in (arguments.data, arguments.peers):
        if file is not None and not file.is_file():
            sys.exit(f"There is no file {file}.")
    try:
        shop = read(arguments.data)
    except ValueError as error:
        sys.exit(str(error))
    cut = arguments.cut or shop.end - timedelta(weeks=shop.weeks)
    weeks = (shop.end - cut).days // 7
    first = shop.sales["date"].min().date()
    if weeks < PROTECTION // 7 or (cut - first).days < 28:
        sys.exit(f"Cut between {first + timedelta(days=28)} and {shop.end - timedelta(days=14)}.")
    rows, figures, learned, kind = compare(shop, cut, weeks, arguments.peers)
    show_rows(f"{shop.name}: {weeks} weeks from {cut}", rows, {}, as_json=False)
    covered, more = protect(shop, cut, learned, kind, "")
    show_rows("Within the quantiles of two weeks", covered, {}, as_json=False)
    figures |= more | pinball_of_others(shop, cut, shop.model(cut, learned.skus))
    if shop.transactions:
        rows, covered, more = censored(shop, cut, weeks)
        show_rows("Stock-outs hid the sales of some", rows, {}, as_json=False)
        show_rows("Within the quantiles, stock-outs hidden", covered, {}, as_json=False)
        often = regular(shop.model(cut, learned.skus).units.weekly.astype(float))
        skus = [sku for sku, is_in in zip(learned.skus, often, strict=True) if is_in]
        figures |= more | total_accuracy(shop, skus)
    show("All figures", figures, as_json=arguments.json)


if __name__ == "__main__":
    main()
