"""Schedules follow the store's clocks, wherever it is and whoever saved it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from prefect import get_client
from prefect.server.schemas.schedules import CronSchedule

from blocks.business.business import Business, save_business
from blocks.settings import get_settings
from blocks.store.block import StoreDatabase
from deployments.registration.registration import ZONE, register
from deployments.registration.store_zone import follow_store_zone

pytestmark = pytest.mark.prefect

BY_THE_CLOCK = {"daily-health-check": 7, "critical-inventory": 6, "fit-demand": 3}


async def adopt(zone: str) -> None:
    store = StoreDatabase(name="shop", url="sqlite:////tmp/none.db", frames={}, timezone=zone)
    await save_business(Business(store=store), origin="test")


async def schedules() -> dict[str, Any]:
    async with get_client() as client:
        return {
            deployment.name: schedule.schedule
            for deployment in await client.read_deployments()
            for schedule in deployment.schedules
        }


async def next_start(schedule: Any, after: datetime) -> datetime:
    """When Prefect would start a run."""
    ours = CronSchedule(cron=schedule.cron, timezone=schedule.timezone)
    (start,) = await ours.get_dates(n=1, start=after)
    return start


@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Sydney"])
async def test_a_business_that_is_adopted_brings_its_zone(
    prefect_server: str, no_blocks: None, zone: str
) -> None:
    await register()
    assert (await schedules())["daily-health-check"].timezone == "UTC"
    await adopt(zone)
    assert await follow_store_zone() == [f"Schedules run by the clocks of {zone} now."]
    assert await follow_store_zone() == []
    found = await schedules()
    for name, hour in BY_THE_CLOCK.items():
        for day in (datetime(2026, 1, 10, tzinfo=UTC), datetime(2026, 7, 10, tzinfo=UTC)):
            start = await next_start(found[name], day)
            assert start.astimezone(ZoneInfo(zone)).hour == hour
    assert found["settle-outcomes"].timezone in (None, "UTC")
    await register()
    assert (await schedules())["daily-health-check"].timezone == zone
    await adopt("Europe/Berlin")
    await follow_store_zone()
    assert (await schedules())["critical-inventory"].timezone == "Europe/Berlin"


async def test_a_zone_that_is_set_comes_first_and_without_a_store_all_stays(
    prefect_server: str, no_blocks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await adopt("Australia/Sydney")
    await register()
    await save_business(Business(store=None), origin="test")
    assert await follow_store_zone() == []
    assert (await schedules())["daily-health-check"].timezone == "Australia/Sydney"
    monkeypatch.setenv("ORCHESTRATOR_TIMEZONE", "Europe/Berlin")
    get_settings.cache_clear()
    try:
        assert await follow_store_zone() != []
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()
    async with get_client() as client:
        variable = await client.read_variable_by_name(ZONE)
    assert variable is not None
    assert variable.value == "Europe/Berlin"
    assert (await schedules())["daily-health-check"].timezone == "Europe/Berlin"


async def test_a_schedule_that_a_person_paused_stays_paused(
    prefect_server: str, no_blocks: None
) -> None:
    await register()
    async with get_client() as client:
        name = "daily-health-check/daily-health-check"
        deployment = await client.read_deployment_by_name(name)
        (schedule,) = deployment.schedules
        await client.update_deployment_schedule(deployment.id, schedule.id, active=False)
        await adopt("America/New_York")
        await follow_store_zone()
        (moved,) = (await client.read_deployment_by_name(name)).schedules
        await client.update_deployment_schedule(deployment.id, moved.id, active=True)
    assert (moved.active, moved.schedule.timezone) == (False, "America/New_York")
