"""What the API says of a ledger that takes no writes, or is damaged, and when it is well again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from blocks.ledger import Ledger
from tests.integration.blocks.ledger.engine.test_health import locked, overwrite
from tests.integration.deployments.api.conftest import Api, api_settings, serving
from tests.waiting import until

pytestmark = pytest.mark.prefect


async def ready(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/readyz")
    assert answer.status_code == (200 if set(answer.json().values()) == {"ok", ""} else 503)
    told: dict[str, Any] = answer.json()
    return told


async def figure(client: httpx.AsyncClient, name: str) -> float:
    text = (await client.get("/metrics")).text
    [sample] = [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"orchestrator_{name}"
    ]
    return sample.value


async def test_a_ledger_that_takes_no_writes_is_told_everywhere_until_it_does(api: Api) -> None:
    assert await ready(api.client) == {"ledger": "ok", "prefect": "ok", "why": ""}
    assert await figure(api.client, "ledger_ok") == 1
    with locked(api.settings.effective_ledger_url):

        async def is_told() -> bool:
            return (await ready(api.client))["ledger"] == "unavailable"

        await until(is_told, "the trouble is told")
        told = await ready(api.client)
        assert "no write" in told["why"] or "cannot be written" in told["why"]
        assert told["prefect"] == "ok"
        assert str(api.settings.state_dir) not in told["why"], "open to all"

        async def is_shown() -> bool:
            page = (await api.client.get("/orchestrate/overview")).json()
            return bool(page["health"]["state"] == "unhealthy")

        await until(is_shown, "the trouble is shown")
        page = (await api.client.get("/orchestrate/overview")).json()
        [reason] = [r for r in page["health"]["reasons"] if "ledger" in r["text"]]
        assert reason == page["health"]["reasons"][0] | {"part": "health"}
        status = (await api.client.get("/orchestrate/status")).json()
        assert status["system_health"] == "unhealthy"
        assert status["ledger_fault"] in status["reasons"]
        assert await figure(api.client, "ledger_ok") == 0

    async def is_well() -> bool:
        return (await ready(api.client))["ledger"] == "ok"

    await until(is_well, "all is well again")

    async def is_shown_no_more() -> bool:
        page = (await api.client.get("/orchestrate/overview")).json()
        return not any("ledger" in reason["text"] for reason in page["health"]["reasons"])

    await until(is_shown_no_more, "the trouble is shown no more")
    assert await figure(api.client, "ledger_ok") == 1


async def test_an_overwritten_page_is_found_when_the_api_starts(
    registered: str, tmp_path: Path
) -> None:
    settings = api_settings(tmp_path)
    Ledger.open(settings.effective_ledger_url).close()
    overwrite(tmp_path / "ledger.db", "reports")
    with serving(settings) as url:
        async with httpx.AsyncClient(
            base_url=url, trust_env=False, verify=False, timeout=60
        ) as client:

            async def is_told() -> bool:
                return "is damaged" in (await ready(client))["why"]

            await until(is_told, "the trouble is told")
            page = (await client.get("/orchestrate/overview")).json()
            assert page["health"]["state"] == "unhealthy"
            assert "damaged" in page["health"]["reasons"][0]["text"]
