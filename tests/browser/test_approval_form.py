"""A manager answers a question in the Prefect UI, with a real browser and a real click."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page
from playwright.async_api import TimeoutError as NotShown
from prefect import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterName,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType

from blocks.ledger import Ledger
from blocks.ledger.work.approvals import ApprovalRecord, ApprovalStatus
from blocks.settings import get_settings
from blocks.vocabulary.messages import utc_now
from flows.internal.apply_approval import APPLIERS
from flows.internal.approval_form import approval_form
from flows.orchestrator.dispatch.context import shared_ledger
from flows.orchestrator.team.team import Orchestrator
from tests.browser.chromium import open_browser
from tests.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    # As in the integration tests: Prefect leaves sockets of its clients to the garbage collector.
    pytest.mark.filterwarnings("ignore:.*<socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*<socket:pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def ledger(ui: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    monkeypatch.setenv("ORCHESTRATOR_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    business = tmp_path / "business.toml"
    business.write_text('[[services]]\nname = "shop"\nhealth_url = "http://127.0.0.1:9/"\n')
    monkeypatch.setenv("ORCHESTRATOR_BUSINESS_FILE", str(business))
    get_settings.cache_clear()
    ledger = shared_ledger(get_settings().effective_ledger_url)
    yield ledger
    ledger.close()
    monkeypatch.undo()
    get_settings.cache_clear()


@pytest.fixture
def carried_out(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the approvals whose proposal was carried out."""
    done: list[str] = []

    async def carry_out(team: Orchestrator, record: ApprovalRecord) -> str:
        done.append(record.id)
        return "The stock was synchronised."

    monkeypatch.setitem(APPLIERS, "test", carry_out)
    return done


async def test_a_click_in_the_prefect_ui_answers_and_the_work_goes_on(
    ui: str, ledger: Ledger, carried_out: list[str], tmp_path: Path
) -> None:
    async with open_browser(tmp_path) as page:
        asked = await ask(ledger, "inventory_sync failed: try it again?")
        async with shown(asked) as form:
            await open_form(page, ui, asked)
            await page.get_by_role("switch").click()
            name, note = await page.get_by_role("dialog").get_by_role("textbox").all()
            await name.fill("Ada")
            await note.fill("They are up again.")
            if picture := os.environ.get("ORCHESTRATOR_TEST_SCREENSHOT"):
                await page.screenshot(path=picture)
            await page.get_by_role("button", name="Submit").click()
            state = await form
        await page.get_by_text("Completed").first.wait_for()
        settled = await ledger.approvals.get(asked.id)
        assert settled.status is ApprovalStatus.APPROVED
        assert (settled.answered_by, settled.via) == ("Ada", "prefect-ui")
        assert settled.note == "They are up again."
        assert settled.applied_at is not None
        assert "The stock was synchronised." in str(settled.outcome)
        assert carried_out == [asked.id]
        assert state.is_completed()

        # Nobody says yes by sending a form as it came.
        asked = await ask(ledger, "data_anomaly failed: try it again?")
        async with shown(asked) as form:
            await open_form(page, ui, asked)
            await page.get_by_role("button", name="Submit").click()
            await form
        assert (await ledger.approvals.get(asked.id)).status is ApprovalStatus.REJECTED
        assert asked.id not in carried_out


async def ask(ledger: Ledger, title: str) -> ApprovalRecord:
    detail = (
        "The task inventory_sync (store:main) could not be done. What was tried:\n\n"
        "- primary, integration-specialist: supplier-north did not answer within 10 s\n"
        "- secondary, data-intelligence: there is no stock level to estimate from\n\n"
        "Yes has it done again from the beginning. No closes it as failed."
    )
    now = utc_now()
    return await ledger.approvals.ask(
        ApprovalRecord(
            need_key=title,
            title=title,
            detail=detail,
            resource="store:main",
            proposal={"kind": "test"},
            asked_at=now,
            expires_at=now + timedelta(hours=24),
        )
    )


@asynccontextmanager
async def shown(asked: ApprovalRecord) -> AsyncIterator[asyncio.Task[Any]]:
    """The question's form, in this process; the task ends with the run's state."""
    running: Any = approval_form(asked.id, return_state=True)
    form = asyncio.create_task(running)
    try:
        yield form
    finally:
        form.cancel()
        await asyncio.gather(form, return_exceptions=True)


async def open_form(page: Page, ui: str, asked: ApprovalRecord) -> None:
    """From the list of runs to the form, as a person gets there."""
    async with get_client() as client:
        look = partial(client.read_flow_runs, flow_run_filter=_paused(asked))
        await until(look, "the paused form")
    link = page.get_by_text(asked.title).first

    async def is_listed() -> bool:
        """The list ends with the second before it was loaded; a run of this one needs a reload."""
        await page.goto(f"{ui}/runs")
        with suppress(NotShown):
            await link.wait_for(timeout=3000)
        return await link.is_visible()

    await until(is_listed, "the form in the list of runs")
    await link.click()
    await page.get_by_role("button", name="Resume").click()
    await page.get_by_role("heading", name=asked.title).wait_for()
    await page.get_by_role("switch").wait_for()


def _paused(asked: ApprovalRecord) -> FlowRunFilter:
    return FlowRunFilter(
        name=FlowRunFilterName(any_=[asked.title]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PAUSED])),
    )
