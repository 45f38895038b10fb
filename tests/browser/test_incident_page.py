"""An incident in the browser: opened from the page or by its address, seen to, its story told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from blocks.ledger import EffectOutcome, EffectRecord, Ledger
from blocks.ledger.events.records import IncidentState
from blocks.vocabulary.effects import EffectStatus, EffectVerdict
from blocks.vocabulary.looks import Sample
from blocks.vocabulary.messages import utc_now
from tests.browser.served_page import HOSTILE, Api, browsing, open_incident

CHECKOUT = "service:checkout"


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        yield ledger


async def an_incident(ledger: Ledger) -> str:
    """Open since now, with a restart that helped and what was measured."""
    await open_incident(ledger, f"service checkout: down {HOSTILE}", CHECKOUT)
    (incident,) = await ledger.incidents.open()
    now = utc_now()
    series = [
        Sample(
            series=f"{CHECKOUT}/latency_ms", at=now - timedelta(minutes=20 - n), value=20.0 + n % 7
        )
        for n in range(20)
    ]
    await ledger.samples.keep(series)
    restart = EffectRecord(
        kind="sre-reliability.restart_service", target=CHECKOUT, need_key="r", intended_at=now
    )
    await ledger.effects.intend(restart)
    begun = await ledger.effects.begin(restart, now, now + timedelta(minutes=1))
    assert begun is not None
    helped = EffectOutcome(verdict=EffectVerdict.VERIFIED, detail="Three good answers.")
    await ledger.effects.close(begun, EffectStatus.DONE, helped, now)
    return incident.id


async def test_an_incident_is_opened_seen_to_and_closed(ledger: Ledger, tmp_path: Path) -> None:
    incident = await an_incident(ledger)
    with Api(tmp_path) as api:
        async with browsing(api.url, tmp_path) as page:
            await page.goto(api.url)
            await page.get_by_role("button", name="Service checkout: down").click()
            window = page.get_by_role("dialog")
            await expect(window.get_by_role("heading", name="Incident report")).to_be_visible()
            await expect(
                window.get_by_text("Restart service (service:checkout): verified")
            ).to_be_visible()
            await expect(window.get_by_text("What was measured")).to_be_visible()
            assert page.url.endswith(f"#incident-{incident}")
            await window.get_by_label("Note").fill("I restart the cache.")
            await window.get_by_role("button", name="I see to it").click()
            await expect(window.get_by_text("seen to by")).to_be_visible()
            await expect(window.get_by_text("I restart the cache.")).to_be_visible()
            assert await state(ledger, incident) is IncidentState.ACKNOWLEDGED
            await window.get_by_role("button", name="It is dealt with").click()
            await expect(window.get_by_text("resolved", exact=True)).to_be_visible()
            assert await state(ledger, incident) is IncidentState.RESOLVED
            assert await is_harmless(page)


async def test_an_address_leads_to_its_incident(ledger: Ledger, tmp_path: Path) -> None:
    incident = await an_incident(ledger)
    with Api(tmp_path) as api:
        async with browsing(api.url, tmp_path) as page:
            await page.goto(f"{api.url}/#incident-{incident}")
            window = page.get_by_role("dialog")
            await expect(window.get_by_role("heading", name="Timeline")).to_be_visible()
            await window.get_by_role("button", name="Close").click()
            assert "#" not in page.url
            await page.goto(f"{api.url}/#incident-abcdef99")
            await expect(window.get_by_role("alert")).to_contain_text("no incident 'abcdef99'")


async def state(ledger: Ledger, incident: str) -> IncidentState:
    found = await ledger.inbox.incident(incident)
    assert found is not None
    return found.state(utc_now())


async def is_harmless(page: Page) -> bool:
    return not await page.evaluate("window.hacked")
