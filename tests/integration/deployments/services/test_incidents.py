"""While the stack runs people are told of incidents, by the policy in force."""

from __future__ import annotations

from pathlib import Path

import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock

from blocks.ledger import Ledger
from blocks.settings import get_settings
from deployments.services.incidents import Telling
from tests.incidents import Desk
from tests.loopback import Reply, serve

pytestmark = pytest.mark.prefect


async def test_it_tells_who_is_named_for_it(
    prefect_server: str, no_blocks: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_NOTIFY", "custom-webhook/told-of-incidents")
    get_settings.cache_clear()
    try:
        with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
            desk, telling = Desk(ledger), Telling(ledger)
            await desk.fires()
            async with serve(Reply("ok")) as service:
                block = CustomWebhookNotificationBlock(
                    name="told-of-incidents", url=service.url, method="POST"
                )
                await block.asave("told-of-incidents", overwrite=True)
                assert await telling.look(desk.wait(minutes=1)) == []
                assert await telling.look(desk.wait(minutes=1)) == []
                assert len(service.requests) == 1
    finally:
        get_settings.cache_clear()
