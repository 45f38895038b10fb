"""A service of the sample shop as a process: ``python -m deployments.sample.service_api NAME …``.

``/health`` says that it is well, ``/metrics`` tells its current values in the Prometheus text
format, and ``/api/v1/query`` and ``/api/v1/query_range`` answer like a Prometheus server that has
scraped it for 14 days. Of PromQL it knows selectors of one metric, which is what a client needs to
read a history: ``cpu_utilization_percent`` or ``cpu_utilization_percent{job="checkout"}``. The
checkout also takes orders (see deployments.sample.checkout).
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.sample.checkout import SELLS_NOTHING, Checkout
from deployments.sample.faults import KINDS, Trouble
from deployments.sample.series import SERVICES, History
from deployments.sample.serving import DRILL_TOKEN, STORE_URL, read_place, serve

MAX_POINTS = 11_000
"""Points of one answer, as in Prometheus."""

_SELECTOR = re.compile(r"\s*([a-zA-Z_:][\w:]*)\s*(?:\{(.*)\})?\s*", re.ASCII)
_MATCHER = re.compile(r'\s*([a-zA-Z_]\w*)\s*=\s*"([^"\\]*)"\s*', re.ASCII)
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class BadQuery(ValueError):
    """A request that Prometheus would refuse with 400 ``bad_data``."""


class Current(Collector):
    """Each metric's value now, for ``/metrics``."""

    def __init__(self, service: str, histories: dict[str, History]) -> None:
        self._help = {metric.name: metric.help for metric in SERVICES[service]}
        self._histories = histories

    def collect(self) -> Iterable[Metric]:
        """One gauge per metric that has a value now."""
        now = time.time()
        for name, history in self._histories.items():
            if (value := history.at(now, now=now)) is not None:
                yield GaugeMetricFamily(name, self._help[name], value=value)


class PrometheusApi:
    """The part of Prometheus' HTTP API v1 that reads one service's histories."""

    def __init__(self, service: str, histories: dict[str, History]) -> None:
        self._job = service
        self._histories = histories

    def query(self, parameters: dict[str, str], now: float) -> dict[str, Any]:
        """Answer ``/api/v1/query``: the value at one instant."""
        at = _instant(parameters.get("time", str(now)), "time")
        series = self._select(parameters.get("query", ""))
        result = [
            {"metric": labels, "value": [at, repr(value)]}
            for labels, history in series
            if (value := history.at(at, now=now)) is not None
        ]
        return {"resultType": "vector", "result": result}

    def query_range(self, parameters: dict[str, str], now: float) -> dict[str, Any]:
        """Answer ``/api/v1/query_range``: the values from start to end, one every step."""
        start = _instant(parameters.get("start", ""), "start")
        end = _instant(parameters.get("end", ""), "end")
        step = _duration(parameters.get("step", ""))
        if end < start:
            raise BadQuery('invalid parameter "end": end timestamp must not be before start time')
        if (end - start) / step > MAX_POINTS:
            raise BadQuery(
                f"exceeded maximum resolution of {MAX_POINTS:,} points per timeseries. "
                "Try decreasing the query resolution (?step=XX)"
            )
        result = []
        for labels, history in self._select(parameters.get("query", "")):
            if points := history.between(start, end, step, now=now):
                values = [[ts, repr(value)] for ts, value in points]
                result.append({"metric": labels, "values": values})
        return {"resultType": "matrix", "result": result}

    def _select(self, query: str) -> list[tuple[dict[str, str], History]]:
        selector = _SELECTOR.fullmatch(query)
        if not selector:
            raise BadQuery(
                f'invalid parameter "query": {query[:80]!r} is no selector of one metric; '
                "this server evaluates no further PromQL"
            )
        name, matchers = selector.groups()
        if name not in self._histories:
            return []
        labels = {"__name__": name, "job": self._job}
        for matcher in filter(str.strip, (matchers or "").split(",")):
            pair = _MATCHER.fullmatch(matcher)
            if not pair:
                raise BadQuery(f'invalid parameter "query": bad matcher {matcher[:80]!r}')
            if labels.get(pair[1], "") != pair[2]:
                return []
        return [(labels, self._histories[name])]


def build_app(service: str, *more: Route) -> Starlette:
    """The service's endpoints, and those that it alone has."""
    histories = {metric.name: History(metric) for metric in SERVICES[service]}
    registry = CollectorRegistry()
    registry.register(Current(service, histories))
    api = PrometheusApi(service, histories)
    started = time.monotonic()

    async def health(_: Request) -> Response:
        uptime = round(time.monotonic() - started, 1)
        return JSONResponse({"status": "ok", "service": service, "uptime_seconds": uptime})

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return Starlette(
        routes=[
            Route("/health", health),
            Route("/metrics", metrics),
            Route("/api/v1/query", _prometheus(api.query)),
            Route("/api/v1/query_range", _prometheus(api.query_range)),
            *more,
        ]
    )


def _prometheus(
    answer: Callable[[dict[str, str], float], dict[str, Any]],
) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        try:
            data = answer(dict(request.query_params), time.time())
        except BadQuery as error:
            problem = {"status": "error", "errorType": "bad_data", "error": str(error)}
            return JSONResponse(problem, 400)
        return JSONResponse({"status": "success", "data": data})

    return endpoint


def _instant(text: str, parameter: str) -> float:
    """Unix seconds from a number or an RFC 3339 time."""
    try:
        value = float(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise BadQuery(
                f'invalid parameter "{parameter}": cannot parse {text[:80]!r} to a valid timestamp'
            ) from None
        value = moment.timestamp()
    if not math.isfinite(value):
        raise BadQuery(f'invalid parameter "{parameter}": {text[:80]!r} is not finite')
    return value


def _duration(text: str) -> float:
    """Seconds from a number or a duration such as ``5m``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|[smhdw])?", text, re.ASCII)
    seconds = float(found[1]) * _UNITS[found[2] or "s"] if found else 0.0
    if not 0 < seconds < math.inf:
        raise BadQuery(f'invalid parameter "step": {text[:80]!r} is no positive number or duration')
    return seconds


def main(argv: Sequence[str] | None = None) -> None:
    """Serve the service that the arguments name."""
    place = read_place(argv, list(SERVICES))
    store_url = os.environ.get(STORE_URL, "")
    if not store_url:
        serve(build_app(place.name), place)
        return
    trouble = Trouble((*KINDS, SELLS_NOTHING))
    checkout = Checkout(store_url, os.environ.get(DRILL_TOKEN, ""), trouble)
    serve(build_app(place.name, checkout.route), place, trouble)


if __name__ == "__main__":
    main()
