"""What trouble with a service puts at risk, before any agent is asked."""

from __future__ import annotations

import pytest

from blocks.business.business import Business
from blocks.business.services import MonitoredService
from flows.orchestrator.events.at_risk import money_at_risk


def business(**shares: float) -> Business:
    services = [
        MonitoredService(name=name, health_url=f"http://127.0.0.1/{name}", revenue_share=share)
        for name, share in shares.items()
    ]
    return Business(store=None, services=tuple(services))


def test_a_service_puts_its_share_of_the_revenue_at_risk() -> None:
    told = money_at_risk(business(checkout=0.5, search=0.1, blog=0.0), 200.0)
    assert told == {"service:checkout": 100.0, "service:search": 20.0}


@pytest.mark.parametrize("revenue", [None, 0.0, -1.0])
def test_without_revenue_nothing_is_known(revenue: float | None) -> None:
    assert money_at_risk(business(checkout=0.5), revenue) == {}
