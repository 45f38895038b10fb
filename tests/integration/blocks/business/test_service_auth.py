"""A service that wants to know who asks is told, and nobody else is."""

from __future__ import annotations

from datetime import UTC, datetime

from blocks.business.services import MonitoredService
from tests.loopback import Reply, Request, serve

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
SECRET = "canary-7f3a"


def answer(request: Request) -> Reply:
    if request.headers.get("authorization") != f"Bearer {SECRET}":
        return Reply(status=401)
    return Reply("up 1\n" if request.path == "/metrics" else "{}", content_type="text/plain")


async def test_health_and_metrics_of_one_host_are_asked_with_its_credential() -> None:
    async with serve(answer) as server, serve(Reply("up 1\n")) as other:
        own = MonitoredService(
            name="checkout",
            health_url=f"{server.url}/health",
            metrics_url=f"{server.url}/metrics",
            auth="bearer",
            credential=SECRET,
        )
        assert (await own.probe(NOW)).healthy
        assert (await own.scrape()).samples == {"up": 1.0}

        elsewhere = own.model_copy(update={"metrics_url": f"{other.url}/metrics"})
        await elsewhere.scrape()
        assert "authorization" not in other.requests[0].headers

        unknown = own.model_copy(update={"auth": "none"})
        refused = await unknown.probe(NOW)
    assert not refused.healthy
    assert SECRET not in f"{refused}{own!r}"
