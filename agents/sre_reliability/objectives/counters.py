"""Requests that a service counts itself, read from its Prometheus and kept as our samples."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd

from agents.sre_reliability.objectives.counting import Points, increments
from agents.sre_reliability.objectives.traffic import MAX_COUNT
from blocks.business.services import MonitoredService
from blocks.errors import SourceGarbled
from blocks.policy.watching.objective_rules import Requests
from blocks.vocabulary.looks import Sample

AT_MOST = timedelta(hours=6)
"""How far back counters are read when nothing was for a while: what is older stays unknown."""


def total_series(objective: str) -> str:
    """The series that keeps how many requests an objective counted."""
    return f"objective:{objective}/total_count"


def bad_series(objective: str) -> str:
    """The series that keeps how many of them were bad."""
    return f"objective:{objective}/bad_count"


async def read_counters(
    service: MonitoredService,
    objective: str,
    source: Requests,
    last: datetime | None,
    now: datetime,
) -> list[Sample]:
    """What the counters grew by since they were read last.

    They are read at whole multiples of the step, so that what is read twice is the same; the growth
    between two of these instants is told at the later one.

    Args:
        service: Whose ``history_url`` is asked.
        objective: The objective's name.
        source: The two queries.
        last: The last instant that is kept already; None when there is none.
        now: Up to when.

    Raises:
        ConfigurationError: No ``history_url``, or a query yields several series.
        SourceError: One of its family, see blocks.partners.http.
    """
    step = timedelta(seconds=source.step_seconds)
    begin = _grid(max(now - AT_MOST, last or now - AT_MOST), step)
    end = _grid(now, step)
    if end <= begin:
        return []
    totals = _points(await service.history(source.total, begin, end, step))
    bads = _points(await service.history(source.bad, begin, end, step))
    bad_grew = dict(increments(_from_its_start(bads, totals)))
    samples = []
    for at, grew in increments(totals):
        if last is None or at > last:
            if not 0 <= grew <= MAX_COUNT:
                raise SourceGarbled(
                    f"{source.total} of service {service.name!r} grew by {grew:g} until {at}.",
                    hint="The query must yield a counter of requests, such as sum(requests_total).",
                )
            pairs = (total_series(objective), grew), (bad_series(objective), bad_grew.get(at, 0.0))
            samples += [Sample(series=name, at=at, value=round(value)) for name, value in pairs]
    return samples


def _from_its_start(bads: Points, totals: Points) -> Points:
    """A counter of errors, which is there from the first error on, with the 0 before it."""
    if not bads:
        return bads
    before = [at for at, _ in totals if at < bads[0][0]]
    return [(before[-1], 0.0), *bads] if before else bads


def _grid(at: datetime, step: timedelta) -> datetime:
    seconds = int(step.total_seconds())
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, UTC)


def _points(frame: pd.DataFrame) -> Points:
    return [
        (at.to_pydatetime(), float(value))
        for at, value in zip(frame["ts"], frame["value"], strict=True)
    ]
