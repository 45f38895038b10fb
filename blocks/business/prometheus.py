"""The history of a metric, from a Prometheus server (HTTP API v1)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from blocks.egress import Reach
from blocks.errors import ConfigurationError, SourceGarbled, SourceRefused, SourceUnavailable
from blocks.partners.answers import Answer, require_success
from blocks.partners.partner import Partner
from blocks.vocabulary.conform import conform
from blocks.vocabulary.frames import SERIES

_SHOWN = 3  # series that are named where one was wanted


async def query_range(
    url: str,
    expression: str,
    when: tuple[datetime, datetime, timedelta],
    *,
    source: str,
    headers: Mapping[str, str],
    reach: Reach,
    timeout: float,
) -> pd.DataFrame:
    """One series within a time.

    Args:
        url: Base address of the server.
        expression: PromQL that yields one series.
        when: First and last instant, and the distance of samples; at most 11,000 are given.
        source: Who asks, for errors.
        headers: Authenticate us.
        reach: Which internal hosts may be called.
        timeout: Seconds that it may take, attempts included.

    Returns:
        Frame of contract SERIES, empty when nothing was recorded.

    Raises:
        ConfigurationError: The expression yields several series, or no numbers.
        SourceError: One of its family, see blocks.partners.http; SourceUnavailable where the
            answer lacks a part of what was asked.
    """
    start, end, step = when
    answer = await Partner(source, reach=reach, timeout=timeout).get(
        url.rstrip("/") + "/api/v1/query_range",
        deadline=timeout,
        headers=headers,
        params={
            "query": expression,
            "start": str(start.timestamp()),
            "end": str(end.timestamp()),
            "step": str(step.total_seconds()),
        },
    )
    return _parse_range(answer, expression, source)


def _labels(series: list[dict[str, Any]]) -> str:
    """What tells the first of several series apart."""
    shown = []
    for each in series[:3]:
        own = {name: text for name, text in each.get("metric", {}).items() if name != "__name__"}
        shown.append("{" + ", ".join(f'{name}="{text}"' for name, text in own.items()) + "}")
    return ", ".join(shown) + (", …" if len(series) > 3 else "")


def _parse_range(answer: Answer, metric: str, source: str) -> pd.DataFrame:
    try:
        document = answer.json()
        if answer.status == 400:  # Prometheus says here what it dislikes about the query
            raise SourceRefused(f"{source} refused {metric!r}: {str(document['error'])[:200]}.")
        require_success(answer, source)
        partly = [str(w) for w in document.get("warnings") or [] if not str(w).startswith("PromQL")]
        if partly:
            raise SourceUnavailable(
                f"{source} answered in part only: {partly[0][:200]}.",
                hint="What is missing would make the figures wrong; see what it reads from.",
            )
        series = document["data"]["result"]
        if len(series) > 1:
            raise ConfigurationError(
                f"{source}: {metric!r} yields {len(series)} series: {_labels(series)}.",
                hint=f"Name one of them, or aggregate them, for instance sum({metric}).",
            )
        if series and "values" not in series[0] and "histograms" in series[0]:
            raise ConfigurationError(
                f"{source}: {metric!r} is a native histogram, not a number.",
                hint=f"Ask for one, for instance histogram_quantile(0.95, rate({metric}[10m])).",
            )
        pairs = series[0]["values"] if series else []
        raw = pd.DataFrame(
            {
                "ts": pd.to_datetime([float(ts) for ts, _ in pairs], unit="s", utc=True),
                "value": pd.Series([float(value) for _, value in pairs], dtype=float),
            }
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        require_success(answer, source)
        raise SourceGarbled(
            f"{source} answered {answer.content_type or 'something untyped'} instead of a "
            f"Prometheus range: {answer.beginning()!r}.",
            hint="history_url must be the base address of a Prometheus HTTP API.",
        ) from None
    return conform(raw.dropna(), SERIES)[0]  # NaN is Prometheus' mark for 'no value'
