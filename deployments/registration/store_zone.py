"""Schedules run by the clocks of the store, also when another store is looked after meanwhile.

``register`` writes the zone that it finds into the deployments. A business that is saved later (the
sample's, one of the Prefect UI, a zone that is changed there) is noticed by whoever looks again.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from blocks.errors import ConfigurationError, NoBusinessConfigured
from deployments.registration.registration import PREFECT_FILE, ZONE

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient


async def follow_store_zone(*, file: Path = PREFECT_FILE) -> list[str]:
    """Have the schedules that go by the store's clocks do so; nothing changes where they do.

    While nobody can tell the store's zone they stay as they are.

    Args:
        file: The list of deployments.

    Returns:
        What was changed, in words.

    Raises:
        SourceError: The Prefect API does not answer as it should.
    """
    from blocks.prefect_api.calls import save_variable
    from blocks.prefect_api.client import prefect_client

    zone = await _zone()
    if zone is None:
        return []
    async with prefect_client() as client:
        known = await client.read_variable_by_name(ZONE)
        if known is not None and known.value == zone:
            return []
        for name, slugs in _by_the_store(file).items():
            await _move(client, name, slugs, zone)
        await save_variable(client, ZONE, zone)  # last: whoever dies before it is followed by all
    return [f"Schedules run by the clocks of {zone} now."]


async def _zone() -> str | None:
    """The zone that is set, else the store's; None when there is none to be told."""
    from blocks.business.business import current_business
    from blocks.settings import get_settings

    if zone := get_settings().timezone:
        return zone
    try:
        store = (await current_business()).store
    except (NoBusinessConfigured, ConfigurationError):
        return None
    return store.timezone if store else None


def _by_the_store(file: Path) -> dict[str, set[str]]:
    """Deployments to their schedules that ``prefect.yaml`` has go by the store's clocks."""
    found = {}
    for stanza in yaml.safe_load(file.read_text()).get("deployments", []):
        schedules = stanza.get("schedules", [])
        if slugs := {each["slug"] for each in schedules if ZONE in each.get("timezone", "")}:
            found[stanza["name"]] = slugs
    return found


async def _move(client: PrefectClient, name: str, slugs: set[str], zone: str) -> None:
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName
    from prefect.client.schemas.schedules import CronSchedule

    named = DeploymentFilter(name=DeploymentFilterName(any_=[name]))
    for deployment in await client.read_deployments(deployment_filter=named):
        for each in deployment.schedules:
            if each.slug in slugs and isinstance(each.schedule, CronSchedule):
                moved = each.schedule.model_copy(update={"timezone": zone})
                await client.update_deployment_schedule(deployment.id, each.id, schedule=moved)
