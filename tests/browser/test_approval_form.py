"""A manager answers a question in the Prefect UI, with a real browser and a real click."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright
from prefect.context import refresh_global_settings_context
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker

from blocks.ledger import Ledger
from blocks.ledger.approvals import ApprovalRecord, ApprovalStatus
from blocks.messages import utc_now
from blocks.prefect_env import common_environment
from blocks.settings import get_settings
from flows.apply_approval import APPLIERS
from flows.approval_form import approval_form
from flows.orchestrator import Orchestrator, shared_ledger
from tests.conftest import service_missing
from tests.integration.conftest import migrated_database  # noqa: F401  a fixture
from tests.integration.loopback import run_prefect_server

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    # As in the integration tests: Prefect leaves sockets of its clients to the garbage collector.
    pytest.mark.filterwarnings("ignore:.*<socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*<socket:pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def ui(
    migrated_database: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[str]:
    """A Prefect server of this test's own, with its pages."""
    if not CHROMIUM.exists():
        service_missing(f"{CHROMIUM} is not there")
    home = tmp_path / "prefect"
    home.mkdir()
    shutil.copy(migrated_database, home / "prefect.db")
    with run_prefect_server(home) as url:
        monkeypatch.setenv("PREFECT_API_URL", url)
        for name, value in common_environment(get_settings()).items():
            monkeypatch.setenv(name, value)
        refresh_global_settings_context()
        yield url.removesuffix("/api")
        APILogWorker.drain_all(timeout=10)
        EventsWorker.drain_all(timeout=10)
    monkeypatch.undo()
    refresh_global_settings_context()


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


async def test_a_click_in_the_prefect_ui_answers_and_the_work_goes_on(
    ui: str, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    async def carry_out(team: Orchestrator, record: ApprovalRecord) -> str:
        done.append(record.id)
        return "The stock was synchronised."

    monkeypatch.setitem(APPLIERS, "test", carry_out)
    asked = await ledger.approvals.ask(
        ApprovalRecord(
            need_key="once",
            title="inventory_sync failed: try it again?",
            detail=(
                "The task inventory_sync could not be done. What was tried:\n\n"
                "- primary, integration-specialist: *supplier-north* did not answer within 10 s\n"
                "- secondary, data-intelligence: there is no stock level to estimate from\n\n"
                "**Yes** has it done again from the beginning. **No** closes it as failed."
            ),
            resource="store:main",
            proposal={"kind": "test"},
            asked_at=utc_now(),
            expires_at=utc_now() + timedelta(hours=24),
        )
    )
    running: Any = approval_form(asked.id, return_state=True)
    form = asyncio.create_task(running)
    try:
        await _answer(ui, asked, tmp_path)
        state = await asyncio.wait_for(form, 60)
    finally:
        form.cancel()
        await asyncio.gather(form, return_exceptions=True)
    settled = await ledger.approvals.get(asked.id)
    assert settled.status is ApprovalStatus.APPROVED
    assert (settled.answered_by, settled.via, settled.note) == ("Ada", "prefect-ui", "They are up.")
    assert settled.applied_at is not None
    assert "The stock was synchronised." in str(settled.outcome)
    assert done == [asked.id]
    assert state.is_completed()


async def _answer(ui: str, asked: ApprovalRecord, folder: Path) -> None:
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            str(folder / "chromium"),
            executable_path=CHROMIUM,
            args=ARGUMENTS,
            viewport={"width": 1280, "height": 1000},
        )
        page = context.pages[0]
        try:
            await _click_through(page, ui, asked)
        finally:
            await page.screenshot(
                path=os.environ.get("ORCHESTRATOR_TEST_SCREENSHOT", folder / "last.png")
            )
            await context.close()


async def _click_through(page: Page, ui: str, asked: ApprovalRecord) -> None:
    await page.goto(f"{ui}/runs")
    await page.get_by_text(asked.title).first.click(timeout=60_000)
    await page.get_by_role("button", name="Resume").click()
    await page.wait_for_timeout(3000)
    print(await page.inner_text("body"))
    print(await page.get_by_role("dialog").inner_html())
