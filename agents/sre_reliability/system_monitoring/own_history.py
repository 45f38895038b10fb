"""The history of metrics that no Prometheus keeps: the samples of our own looks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta

import pandas as pd

from blocks.business.services import MonitoredService
from blocks.vocabulary.conform import conform
from blocks.vocabulary.frames import SERIES

Points = Sequence[tuple[datetime, float]]

History = Callable[[Collection[str], datetime, datetime], Awaitable[Mapping[str, Points]]]
"""Reads the values of some series, from one instant on and before another, by name."""


def series_name(service: MonitoredService, metric: str) -> str:
    """The series of a watched metric, which is also what findings and signals name it."""
    return f"metric:{service.name}/{metric}"


async def own_history(
    service: MonitoredService, history: History, now: datetime, hours: float, step: timedelta
) -> dict[str, pd.DataFrame]:
    """What our own looks kept of a service's metrics, the median of each step.

    Metrics of which nothing is kept are left out: nobody has looked at them yet.
    """
    names = {series_name(service, metric): metric for metric in service.metrics}
    kept = await history(list(names), now - timedelta(hours=hours), now)
    return {names[name]: frame_of(points, step) for name, points in kept.items() if points}


def frame_of(points: Points, step: timedelta | None = None) -> pd.DataFrame:
    """Values as a frame of contract SERIES, the median of each step when there is one."""
    raw = pd.DataFrame(
        {
            "ts": pd.to_datetime([at for at, _ in points], utc=True),
            "value": pd.Series([value for _, value in points], dtype=float),
        }
    )
    if step is not None:
        raw = raw.resample(step, on="ts")["value"].median().dropna().reset_index()
    return conform(raw, SERIES)[0]
