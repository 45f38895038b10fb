"""Objectives over HTTP, and in the metrics."""

from __future__ import annotations

from datetime import timedelta

import pytest

from blocks.business.business import SAMPLE, Business, save_business
from blocks.business.services import MonitoredService
from blocks.vocabulary.looks import Sample
from blocks.vocabulary.messages import utc_now
from tests.integration.deployments.api.conftest import Api

pytestmark = pytest.mark.prefect


async def test_each_objective_is_told_and_exposed(api: Api) -> None:
    now = utc_now()
    service = MonitoredService(name="checkout", health_url="http://127.0.0.1:1/")
    await save_business(Business(store=None, services=(service,)), origin=SAMPLE)
    looks = [
        Sample(series="service:checkout/up", at=now - i * timedelta(seconds=30), value=float(i > 3))
        for i in range(20)
    ]
    await api.ledger.samples.keep(looks)
    await api.ledger.samples.keep(
        [
            Sample(series=f"objective:checkout-availability/{what}", at=now, value=value)
            for what, value in (("budget_left_percent", 62.5), ("burn_rate", 3.0))
        ]
    )
    found = (await api.client.get("/objectives")).json()
    told = {one["name"]: one for one in found}["checkout-availability"]
    assert (told["total"], told["bad"]) == (20, 4)
    assert told["calls"] is None
    exposed = (await api.client.get("/metrics")).text
    assert 'orchestrator_objective_budget_left{objective="checkout-availability"} 0.625' in exposed
    assert 'orchestrator_objective_burn_rate{objective="checkout-availability"} 3.0' in exposed
