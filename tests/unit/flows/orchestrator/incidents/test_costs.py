"""What an incident costs: by the hours that it lasted, and by those to come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.data_intelligence.takings import HOUR, Takings
from blocks.business.business import Business
from blocks.business.services import MonitoredService
from blocks.ledger.events.records import IncidentRecord, IncidentStatus
from blocks.vocabulary.messages import Severity
from flows.orchestrator.incidents.costs import Cost, cost_of

MIDNIGHT = datetime(2026, 11, 30, tzinfo=UTC)
TAKINGS = Takings({MIDNIGHT + n * HOUR: (100.0 if 8 <= n % 24 < 20 else 0.0) for n in range(72)})
"""100 an hour from 8 to 20 o'clock."""

SHOP = Business(
    store=None,
    services=(
        MonitoredService(name="checkout", health_url="http://127.0.0.1/", revenue_share=0.5),
    ),
)


def at(hour: float) -> datetime:
    return MIDNIGHT + timedelta(hours=hour)


def incident(begin: float, impact: float | None = 50.0, **more: Any) -> IncidentRecord:
    told: dict[str, Any] = {
        "need_key": "it",
        "resource": "service:checkout",
        "severity": Severity.ERROR,
        "title": "checkout is down",
        "opened_at": at(begin),
        "responded_at": at(begin),
        "updated_at": at(begin),
        "status": IncidentStatus.STANDING,
        "impact_per_hour": impact,
    }
    return IncidentRecord(**told | more)


def test_each_hour_counts_what_it_brings() -> None:
    """From 18 to 22 o'clock only two hours sell; the next 24 hours sell for twelve."""
    found = cost_of(incident(18), SHOP, TAKINGS, at(22))
    assert found == Cost(share=0.5, per_hour=0.0, so_far=100.0, next_day=600.0, by_hour=True)


def test_what_is_over_costs_no_more() -> None:
    ended = incident(9, status=IncidentStatus.SETTLED, settled_at=at(11))
    found = cost_of(ended, SHOP, TAKINGS, at(30))
    assert (found.so_far, found.per_hour, found.next_day) == (100.0, None, None)


def test_the_share_is_that_which_was_judged() -> None:
    assert cost_of(incident(9, impact=25.0), SHOP, TAKINGS, at(10)).share == 0.25


def test_judged_at_night_a_service_has_its_own_share_and_others_none() -> None:
    assert cost_of(incident(2, impact=0.0), SHOP, TAKINGS, at(9)).so_far == pytest.approx(50.0)
    other = incident(2, impact=0.0, resource="sku:tea")
    assert cost_of(other, SHOP, TAKINGS, at(9)).so_far is None


def test_nothing_is_made_up() -> None:
    assert cost_of(incident(9, impact=None), SHOP, TAKINGS, at(10)) == Cost()
    unknown = cost_of(incident(9), SHOP, Takings(), at(10))
    assert (unknown.per_hour, unknown.so_far, unknown.by_hour) == (50.0, None, False)


def test_an_average_says_that_it_is_one() -> None:
    found = cost_of(incident(9), SHOP, Takings(averaged=50.0), at(11))
    assert (found.share, found.so_far, found.by_hour) == (1.0, 100.0, False)
