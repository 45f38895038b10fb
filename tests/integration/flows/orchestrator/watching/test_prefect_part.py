"""Prefect's troubles become alerts of our own, and are over when a look does not find them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.settings import PREFECT_API_URL, temporary_settings

from agents.sre_reliability.incident_response import respond_to_event
from blocks.business.business import Business
from blocks.ledger import Ledger
from blocks.policy.policy import Policy
from blocks.prefect_api.client import PrefectApi
from blocks.vocabulary.messages import Severity, utc_now
from blocks.vocabulary.responses import EventResponse
from flows.orchestrator.watching.parts import PARTS, Watch
from flows.orchestrator.watching.watch import watch_once

(PART,) = [part for part in PARTS if part.name == "prefect"]

LATER = timedelta(minutes=10)


@pytest.mark.prefect
@pytest.mark.usefixtures("prefect_server")
async def test_a_lost_slot_is_an_alert_until_it_is_given_back_or_its_limit_is_gone(tmp_path: Path):
    names = [f"w{uuid4().hex[:8]}" for _ in range(2)]
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:

        async def firing(after: timedelta) -> dict[str, Severity]:
            watch = Watch(
                business=Business(store=None),
                ledger=ledger,
                prefect=PrefectApi(),
                policy=Policy(),
                now=utc_now() + after,
            )
            (look,) = await watch_once(watch, [PART])
            assert not look.missing
            found = await ledger.inbox.firing("orchestrator.watch.prefect")
            return {
                one.event.subject: one.event.severity
                for one in found
                if one.event.type == "prefect.slot_without_holder"
            }

        async with get_client() as client:
            await client.create_work_pool(
                WorkPoolCreate(name=names[0], type="process", is_paused=True)
            )
            for name in names:
                body = {"name": name, "limit": 1, "active": True, "active_slots": 1}
                await client.request("POST", "/v2/concurrency_limits/", json=body)
            lost = {f"limit:{name}": Severity.ERROR for name in names}
            found = await firing(LATER)
            assert found.items() >= lost.items()
            paused = await ledger.inbox.firing("orchestrator.watch.prefect")
            told = next(o.event for o in paused if o.event.subject == f"limit:{names[0]}")

            async def asked() -> EventResponse:
                """What the agent says of it, when it responds to the incident."""
                event = told.model_dump(mode="json")
                at = utc_now() + LATER
                return await respond_to_event(event, Business(store=None), ledger, at, PrefectApi())

            assert (await asked()).well is False
            assert "--active-slots 0" in (await asked()).advice
            assert f"pool:{names[0]}" not in {one.event.subject for one in paused}, "information"
            await client.request(
                "PATCH", f"/v2/concurrency_limits/{names[0]}", json={"active_slots": 0}
            )
            await client.request("DELETE", f"/v2/concurrency_limits/{names[1]}")
            assert (await asked()).well is True
        assert not (await firing(LATER + LATER)).keys() & lost.keys()
        known = await ledger.samples.names("prefect:")
        assert {"prefect:api/latency_ms", "prefect:runs/late"} <= set(known)


async def test_a_prefect_that_does_not_answer_is_an_alert_and_ends_no_other(tmp_path: Path):
    with (
        Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger,
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}),
    ):
        watch = Watch(
            business=Business(store=None),
            ledger=ledger,
            prefect=PrefectApi(),
            policy=Policy(),
            now=utc_now(),
        )
        (look,) = await watch_once(watch, [PART])
        assert look.covered == {"prefect:api"}
        (alert,) = await ledger.inbox.firing("orchestrator.watch.prefect")
    assert (alert.event.type, alert.event.subject) == ("prefect.unreachable", "prefect:api")
    assert alert.event.severity is Severity.ERROR
