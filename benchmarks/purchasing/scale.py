"""Time and memory of a proposal for many items: model of demand, levels, quantities, reasons.

Items are drawn from the sample's: each has the daily units of one of them, some weeks later and
times a factor. Each size runs in a process of its own. The peak memory is that of the work alone,
the frame of sales, which is there already, included.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date, timedelta
from math import log
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

from benchmarks.output import show, show_rows

if TYPE_CHECKING:
    import pandas as pd

    from agents.data_intelligence.predictive_analytics.demand_model import DemandModel
    from benchmarks.purchasing.daily_sales import DailySales

SIZES = (1_000, 10_000, 100_000)

_LATEST_SHIFT = 12  # weeks

Figures = dict[str, float]


def show_scale(*, as_json: bool) -> None:
    """Measure each size and print it."""
    rows = {f"{items:,} items": measured(items) for items in SIZES}
    show_rows("Proposing orders for many items", rows, {}, as_json=False)
    smaller, largest = (rows[f"{items:,} items"]["seconds"] for items in SIZES[-2:])
    figures: dict[str, float | str | None] = {**rows[f"{SIZES[-1]:,} items"]}
    figures["exponent"] = log(largest / smaller) / log(SIZES[-1] / SIZES[-2])
    show(f"{SIZES[-1]:,} items", figures, as_json=as_json)


def measured(items: int) -> Figures:
    """``measure`` in a new process."""
    command = [sys.executable, "-m", "benchmarks.purchasing.scale", str(items)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if ended.returncode:
        raise SystemExit(f"The proposal for {items:,} items failed.")
    found: Figures = json.loads(ended.stdout.splitlines()[-1])
    return found


def measure(items: int) -> Figures:
    """Processor seconds of each part, and the memory it took beyond the frame of sales."""
    from agents.data_intelligence.predictive_analytics.ordering.proposals import propose

    sales, stock, today = many_items(items)
    before = _from_now_on()
    began = process_time()
    model = learned(sales, stock, today)
    modelled = process_time()
    table = propose(stock, model, past=model.units)
    ended = process_time()
    return {
        "seconds": ended - began,
        "model_seconds": modelled - began,
        "proposal_seconds": ended - modelled,
        "frame_mb": before,
        "peak_mb": _megabytes("VmHWM"),
        "due": float(table["due"].sum()),
        "sales_rows": float(len(sales)),
    }


def many_items(items: int) -> tuple[pd.DataFrame, pd.DataFrame, date]:
    """A SALES frame of two years, what there is of each item by SKU, and the day after it."""
    import numpy as np
    import pandas as pd

    from benchmarks.purchasing.__main__ import SAMPLE
    from benchmarks.purchasing.daily_sales import read

    sales, skus, today = _shop(read(SAMPLE), items)
    chance = np.random.default_rng(1)
    stock = pd.DataFrame(
        {
            "free": np.round(chance.gamma(1.0, 40.0, items)),
            "on_order": np.where(chance.random(items) < 0.3, 24.0, 0.0),
            "lead_days": chance.choice([5.0, 7.0, 10.0, 14.0, 21.0, 35.0], items),
            "unit_cost": chance.lognormal(1.0, 0.8, items),
            "pack_units": chance.choice([1.0, 6.0, 12.0], items),
        },
        index=skus,
    )
    stock["price"] = stock["unit_cost"] / 0.6
    return sales, stock, today


def learned(sales: pd.DataFrame, stock: pd.DataFrame, today: date) -> DemandModel:
    """The demand of the items."""
    import pandas as pd

    from agents.data_intelligence.predictive_analytics.demand_model import DemandModel
    from agents.data_intelligence.trading_calendar import TradingCalendar

    traded = pd.DatetimeIndex(sales["date"].unique()).date
    return DemandModel(sales, TradingCalendar.learn(traded), today, list(stock.index))


def _from_now_on() -> float:
    """Megabytes in memory; the peak is measured from here on (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")
    return _megabytes("VmRSS")


def _megabytes(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def _shop(sample: DailySales, items: int) -> tuple[pd.DataFrame, list[str], date]:
    """A SALES frame of two years, its SKUs, and the day after it; sorted by day."""
    import numpy as np
    import pandas as pd

    chance = np.random.default_rng(2)
    days = sample.days // 7 * 7
    like = chance.integers(0, len(sample.skus), items)
    shift = 7 * chance.integers(0, _LATEST_SHIFT + 1, items)
    times = np.exp(chance.normal(0.0, 0.5, items))
    skus = np.array([f"A{item:06}" for item in range(items)], dtype=object)
    day_of, row_of, units_of = [], [], []
    for day in range(days):
        # Weekdays stay what they are: shifts and the period are whole weeks.
        drawn = sample.units[like, (day - shift) % days] * times
        sold = np.flatnonzero(drawn > 0)
        day_of.append(np.full(len(sold), day, dtype=np.int32))
        row_of.append(sold.astype(np.int32))
        units_of.append(np.maximum(np.rint(drawn[sold]), 1.0))
    dates = np.datetime64(sample.first, "s") + np.concatenate(day_of).astype("timedelta64[D]")
    sold_by, units = skus[np.concatenate(row_of)], np.concatenate(units_of)
    frame = pd.DataFrame({"date": dates, "sku": sold_by, "units": units})
    frame["returned"], frame["revenue"] = 0.0, 2.0 * frame["units"]
    return frame, skus.tolist(), sample.first + timedelta(days=days)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(int(sys.argv[1]))) + "\n")
