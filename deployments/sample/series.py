"""The services' metrics: real series of the Numenta Anomaly Benchmark, moved to the present.

Each series covers 14 days in steps of five minutes and is moved by multiples of 7 days, so that
weekday and time of day stay true (source times are read as UTC). Moved by every other such multiple
it also covers the next fortnight, so that a running service never comes to its end. As a monitoring
server with a retention of 14 days, it shows each sample once: what is older, or not yet, is absent.
Which of the two possible weeks each series starts in is chosen so that at any time some labelled
anomaly of the eight series is less than 48 hours old.
"""

from __future__ import annotations

import csv
import gzip
import json
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from operator import itemgetter

from deployments.sample.history import DATA

PERIOD = 14 * 86400
"""Seconds that a series covers; also the retention."""

LOOK_BACK = 300
"""Seconds after which a sample is stale, as in Prometheus."""


@dataclass(frozen=True)
class Metric:
    """A metric of a service and the benchmark's file behind it; moved by a week, or not."""

    name: str
    help: str
    file: str
    weeks: int


SERVICES: dict[str, tuple[Metric, ...]] = {
    "storefront": (
        Metric(
            "request_latency_milliseconds",
            "Mean latency of requests.",
            "ec2_request_latency_system_failure",
            0,
        ),
        Metric(
            "requests_per_five_minutes",
            "Requests at the load balancer.",
            "elb_request_count_8c0756",
            0,
        ),
        Metric("cpu_utilization_percent", "CPU in use.", "ec2_cpu_utilization_53ea38", 1),
    ),
    "checkout": (
        Metric("cpu_utilization_percent", "CPU in use.", "ec2_cpu_utilization_825cc2", 0),
        Metric("network_in_bytes", "Bytes received.", "ec2_network_in_257a54", 0),
        Metric(
            "database_cpu_utilization_percent",
            "CPU in use at the database.",
            "rds_cpu_utilization_e47b3b",
            0,
        ),
    ),
    "warehouse-api": (
        Metric("cpu_utilization_percent", "CPU in use.", "ec2_cpu_utilization_fe7f93", 1),
        Metric("disk_write_bytes", "Bytes written.", "ec2_disk_write_bytes_c0d644", 1),
    ),
}


class History:
    """One metric's samples at any time (Unix seconds)."""

    def __init__(self, metric: Metric) -> None:
        path = DATA / "nab" / f"{metric.file}.csv.gz"
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            samples = [
                (_seconds(row["timestamp"]), float(row["value"])) for row in csv.DictReader(file)
            ]
        samples.sort(key=itemgetter(0))  # of the samples of one time (a clock set back) the last
        start = samples[0][0]
        samples = [(ts - start, value) for ts, value in samples if ts - start < PERIOD]
        self._start = start + metric.weeks * 7 * 86400
        self._offsets = [offset for offset, _ in samples]
        self._values = [value for _, value in samples]

    def at(self, ts: float, *, now: float) -> float | None:
        """The value that counts at ``ts``: the last one of the five minutes before it, if any."""
        if not now - PERIOD < ts <= now:
            return None
        offset = (ts - self._start) % PERIOD
        latest = bisect_right(self._offsets, offset) - 1
        # Index -1, before the first sample, is the last one of the fortnight before.
        age = (offset - self._offsets[latest]) % PERIOD
        return self._values[latest] if age < LOOK_BACK else None

    def between(
        self, start: float, end: float, step: float, *, now: float
    ) -> list[tuple[float, float]]:
        """Time and value at ``start``, ``start + step``, … up to ``end``, where there is one."""
        times = (start + i * step for i in range(int((end - start) // step) + 1))
        return [(ts, value) for ts in times if (value := self.at(ts, now=now)) is not None]


def labelled_anomalies(now: datetime) -> Iterator[tuple[str, str, datetime]]:
    """The anomalies that the benchmark's authors labelled and the services show at ``now``.

    Yields:
        Service, metric, and the instant (UTC) of each anomaly of the last 14 days.
    """
    for service, metrics in SERVICES.items():
        for metric in metrics:
            for label in _labels()[metric.file]:
                moved = _seconds(label) + metric.weeks * 7 * 86400
                age = (now.timestamp() - moved) % PERIOD
                yield service, metric.name, now.astimezone(UTC) - timedelta(seconds=age)


@cache
def _labels() -> dict[str, list[str]]:
    labels: dict[str, list[str]] = json.loads((DATA / "nab" / "labels.json").read_text())
    return labels


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).replace(tzinfo=UTC).timestamp()
