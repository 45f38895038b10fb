"""How far groups of items go by themselves, over HTTP."""

from __future__ import annotations

import pytest

from tests.integration.deployments.api.conftest import Api
from tests.unit.flows.orchestrator.purchasing.histories import history

pytestmark = pytest.mark.prefect


async def test_each_group_is_told_with_what_it_rests_on(api: Api) -> None:
    assert (await api.client.get("/autonomy")).json() == []
    await api.ledger.order_outcomes.keep(history([6.0] * 30))
    (tea,) = (await api.client.get("/autonomy")).json()
    assert (tea["group"], tea["earned"], tea["level"]) == ("tea", "automatic", "ask")
    assert tea["ceiling"] == "ask"
    assert tea["moves"][0]["after"] == "automatic"
    assert tea["why"].startswith("It has earned automatic, and its ceiling is ask.")
