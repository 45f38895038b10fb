"""The proposal for many items once more, in parts, on Prefect's Dask task runner.

The demand of all items is learned once; each part of them is then proposed by a task on a real
``distributed.LocalCluster``. The table must be the one that a single process makes.

    python -m benchmarks.purchasing.on_dask [--items N] [--workers N] [--json]

prefect-dask is no dependency of the product: run it with a Python that has both
(``pip install -r requirements.txt prefect-dask``).
"""

from __future__ import annotations

import argparse
import os
import pickle
import sys
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchmarks.output import show

if TYPE_CHECKING:
    import pandas as pd

    from agents.data_intelligence.predictive_analytics.demand_model import DemandModel
    from agents.data_intelligence.predictive_analytics.ordering.rules import Parameters

PART = 12_500
"""Items that one task proposes."""


def main(argv: list[str] | None = None) -> None:
    """Propose alone and on Dask, compare, and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.purchasing.on_dask",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print one JSON object as well")
    arguments = parser.parse_args(argv)
    if find_spec("prefect_dask") is None:
        sys.exit("prefect-dask is not installed here; --help tells how to run this.")
    with TemporaryDirectory() as folder:
        show(
            f"Orders for {arguments.items:,} items, alone and on Dask",
            _measured(Path(folder), arguments.items, arguments.workers),
            as_json=arguments.json,
        )


def _measured(folder: Path, items: int, workers: int) -> dict[str, float | str | None]:
    # Nothing of the user's own: the runs go to a server of this benchmark alone.
    os.environ |= {"PREFECT_HOME": str(folder / "prefect"), "DO_NOT_TRACK": "1"}
    os.environ |= {"PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    os.environ |= {"PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120"}
    work = str(_learned_shop(folder, items))
    began = perf_counter()
    alone = propose_some(work, 0, items)
    alone_done = perf_counter()
    together = _on_dask(work, items, workers)
    ended = perf_counter()
    return {
        "alone_seconds": alone_done - began,
        "dask_seconds": ended - alone_done,
        "workers": float(workers),
        "due": float(together["due"].sum()),
        "columns_that_differ": ", ".join(_differing(alone, together)) or "none",
    }


def _learned_shop(folder: Path, items: int) -> Path:
    """A file with the stock, its learned demand, and the ERP rules' parameters over all items."""
    from agents.data_intelligence.predictive_analytics.ordering.levels import daily_rate
    from agents.data_intelligence.predictive_analytics.ordering.rules import (
        abc_classes,
        usual_by_class,
    )
    from benchmarks.purchasing.scale import learned, many_items

    sales, stock, today = many_items(items)
    model = learned(sales, stock, today)
    rate, lead_days = daily_rate(model), stock["lead_days"].to_numpy()
    classes = abc_classes(rate * stock["price"].to_numpy())
    work = folder / "shop.pickle"
    with work.open("wb") as file:
        given = (stock, model, usual_by_class(rate, lead_days, classes))
        pickle.dump(given, file, protocol=pickle.HIGHEST_PROTOCOL)
    return work


def _on_dask(work: str, items: int, workers: int) -> pd.DataFrame:
    import pandas as pd
    from prefect import flow, task
    from prefect.cache_policies import NO_CACHE
    from prefect_dask import DaskTaskRunner

    cluster: dict[str, Any] = {"n_workers": workers, "threads_per_worker": 1, "processes": True}
    runner = DaskTaskRunner(cluster_class="distributed.LocalCluster", cluster_kwargs=cluster)
    marked = task(name="propose-some", cache_policy=NO_CACHE, persist_result=False)
    some: Any = marked(propose_some)

    @flow(name="proposals-on-dask", task_runner=runner, persist_result=False)
    def proposals() -> pd.DataFrame:
        going_on = [some.submit(work, begin, end) for begin, end in _parts(items)]
        proposed: pd.DataFrame = pd.concat([each.result() for each in going_on])
        return proposed

    return proposals()


def propose_some(work: str, begin: int, end: int) -> pd.DataFrame:
    """The proposal for some of the items of a shop that lies in a file of this benchmark's own."""
    from agents.data_intelligence.predictive_analytics.ordering.proposals import Rules, propose
    from agents.data_intelligence.predictive_analytics.ordering.rules import Parameters

    stock, model, rules = _shop_in(work)
    given = Parameters(
        *(each[begin:end] for each in (rules.minimum, rules.maximum, rules.quantity))
    )
    return propose(stock.iloc[begin:end], model, past=model.units, rules=Rules(given))


@lru_cache(maxsize=1)
def _shop_in(work: str) -> tuple[pd.DataFrame, DemandModel, Parameters]:
    with Path(work).open("rb") as file:
        found: tuple[pd.DataFrame, DemandModel, Parameters] = pickle.load(file)
    return found


def _parts(items: int) -> Iterator[tuple[int, int]]:
    for begin in range(0, items, PART):
        yield begin, min(begin + PART, items)


def _differing(one: pd.DataFrame, other: pd.DataFrame) -> list[str]:
    if list(one.index) != list(other.index):
        return ["the items"]
    return [str(column) for column in one if not one[column].equals(other[column])]


if __name__ == "__main__":
    main()
