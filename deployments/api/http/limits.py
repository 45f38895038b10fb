"""Limits on how often each caller may ask, and the headers that tell of them.

A bucket per caller and limit, in this process: tokens come at the rate, and a second's worth can be
saved up. Headers as in the IETF draft "RateLimit header fields for HTTP".
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.api.http.problems import Refused

_MOST_BUCKETS = 10_000


@dataclass(frozen=True)
class Limit:
    """So many requests per second."""

    name: str
    per_second: int


@dataclass
class _Bucket:
    tokens: float
    at: float


class Limiter:
    """Counts requests.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def take(self, limit: Limit, caller: str, cost: int = 1) -> dict[str, str]:
        """Count a request.

        Args:
            limit: Which limit it falls under.
            caller: Whose request it is.
            cost: How many it counts as.

        Returns:
            The headers that say what is left.

        Raises:
            Refused: 429 when nothing is left; says when to come back.
        """
        now = self._clock()
        bucket = self._bucket(limit, caller, now)
        bucket.tokens = min(limit.per_second, bucket.tokens + (now - bucket.at) * limit.per_second)
        bucket.at = now
        wanted = min(cost, limit.per_second)  # a batch larger than a second's worth may still pass
        if bucket.tokens < wanted:
            wait = (wanted - bucket.tokens) / limit.per_second
            raise Refused(
                429,
                "rate-limited",
                f"More than {limit.per_second} {limit.name} per second.",
                hint=f"Come back in {wait:.2f} s.",
                headers=_headers(limit, 0, wait) | {"Retry-After": str(math.ceil(wait))},
            )
        bucket.tokens -= wanted
        return _headers(limit, int(bucket.tokens), 1.0)

    def take_rest(self, limit: Limit, caller: str, cost: int) -> dict[str, str]:
        """As ``take``, for a request that was counted as one before it was known to cost more."""
        return self.take(limit, caller, min(cost, limit.per_second) - 1)

    def _bucket(self, limit: Limit, caller: str, now: float) -> _Bucket:
        key = limit.name, caller
        if key not in self._buckets:
            if len(self._buckets) >= _MOST_BUCKETS:  # those of a second ago are full again
                self._buckets = {k: b for k, b in self._buckets.items() if now - b.at < 1.0}
            self._buckets[key] = _Bucket(limit.per_second, now)
        return self._buckets[key]


def _headers(limit: Limit, left: int, reset: float) -> dict[str, str]:
    return {
        "RateLimit-Policy": f'"{limit.name}";q={limit.per_second};w=1',
        "RateLimit": f'"{limit.name}";r={left};t={math.ceil(reset)}',
    }


class RateHeaders:
    """Adds to each answer what a route found to be left of its caller's limit."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything through; touch the headers of answers to counted requests."""

        async def send_on(message: Message) -> None:
            rate = scope.get("state", {}).get("rate")
            if message["type"] == "http.response.start" and rate:
                known = {name.lower() for name, _ in message["headers"]}
                added = [(n.lower().encode(), v.encode()) for n, v in rate.items()]
                headers = [*message["headers"], *(h for h in added if h[0] not in known)]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_on if scope["type"] == "http" else send)
