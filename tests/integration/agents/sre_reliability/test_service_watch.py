"""The services, looked at all the time: what is told of them, and the samples that are left."""

from __future__ import annotations

from datetime import UTC, datetime

from agents.sre_reliability.system_monitoring.service_watch import look_at_services
from blocks.business.services import MonitoredService
from blocks.vocabulary.messages import Severity
from tests.loopback import Reply, Request, serve

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
DEGRADED = '{"status": "degraded"}'


def service(name: str, url: str, share: float = 0.0, budget: float = 5000) -> MonitoredService:
    return MonitoredService(
        name=name, health_url=url, revenue_share=share, latency_budget_ms=budget, timeout=1
    )


async def test_what_is_ill_is_told_and_slowness_is_not() -> None:
    replies = {
        "/well": Reply("{}"),
        "/ill": Reply(status=500),
        "/complains": Reply(DEGRADED),
        "/slow": Reply("{}", pause=0.03),
    }
    async with serve(lambda request: replies[request.path]) as server:
        seen = await look_at_services(
            [
                service("well", f"{server.url}/well"),
                service("ill", f"{server.url}/ill", share=0.5),
                service("complains", f"{server.url}/complains"),
                service("slow", f"{server.url}/slow", budget=10),
                service("down", "http://127.0.0.1:9/"),
                service("inside", "http://10.255.255.1/"),
            ],
            NOW,
            confirm_after=0.01,
        )
    told = {signal.subject: (signal.kind, signal.severity) for signal in seen.signals}
    assert told == {
        "service:ill": ("service.ill", Severity.CRITICAL),
        "service:down": ("service.ill", Severity.ERROR),
        "service:complains": ("service.degraded", Severity.WARNING),
    }
    up = {s.series: s.value for s in seen.samples if s.series.endswith("/up")}
    assert up == {
        "service:well/up": 1.0,
        "service:ill/up": 0.0,
        "service:complains/up": 1.0,
        "service:slow/up": 1.0,
        "service:down/up": 0.0,
    }
    assert "service:down/latency_ms" not in {sample.series for sample in seen.samples}
    assert "service:inside" not in seen.covered
    assert len(seen.missing) == 1


async def test_one_bad_answer_is_no_outage() -> None:
    asked: list[Request] = []

    def answer(request: Request) -> Reply:
        asked.append(request)
        return Reply(status=500) if len(asked) == 1 else Reply("{}")

    async with serve(answer) as server:
        seen = await look_at_services([service("web", server.url)], NOW, confirm_after=0.01)
    assert len(asked) == 3
    assert seen.signals == ()
