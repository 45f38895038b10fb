"""What trouble with a service puts at risk, before any agent is asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from agents.data_intelligence.takings import Takings
from blocks.business.business import Business
from blocks.business.services import MonitoredService
from flows.orchestrator.events.at_risk import money_at_risk

NOON = datetime(2026, 11, 30, 12, 20, tzinfo=UTC)
NIGHT = NOON + timedelta(hours=12)
HOURS = {
    NOON.replace(minute=0): 200.0,
    NIGHT.replace(minute=0): 0.0,
}


def business(**shares: float) -> Business:
    services = [
        MonitoredService(name=name, health_url=f"http://127.0.0.1/{name}", revenue_share=share)
        for name, share in shares.items()
    ]
    return Business(store=None, services=tuple(services))


def test_a_service_puts_its_share_of_what_the_hour_brings_at_risk() -> None:
    shop = business(checkout=0.5, search=0.1, blog=0.0)
    told = money_at_risk(shop, Takings(HOURS), NOON)
    assert told == {"service:checkout": 100.0, "service:search": 20.0}
    assert money_at_risk(shop, Takings(HOURS), NIGHT) == {}


def test_without_takings_nothing_is_known() -> None:
    assert money_at_risk(business(checkout=0.5), Takings(), NOON) == {}
