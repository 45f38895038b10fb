"""The status page in a real browser, on the real API and a real ledger."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import timedelta
from itertools import product
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect
from prefect.context import refresh_global_settings_context

from blocks.ledger import Ledger, TaskRecord, TaskStatus
from blocks.ledger.callers.tokens import Scope
from blocks.ledger.work.approvals import ApprovalStatus
from blocks.settings import get_settings
from blocks.vocabulary.messages import SystemEvent, utc_now
from flows.internal.apply_approval import apply_approval
from flows.orchestrator.approvals.escalation import settle_due
from flows.orchestrator.dispatch.context import shared_ledger
from tests.browser.chromium import CHROMIUM
from tests.browser.served_page import (
    HOSTILE,
    Api,
    browsing,
    fill_with_trouble,
    open_incident,
    question,
)
from tests.conftest import service_missing
from tests.integration.loopback import leave_prefect, own_prefect_server
from tests.plans import held, line, order, plan, report_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:.*<socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*<socket:pytest.PytestUnraisableExceptionWarning"),
]

expect.set_options(timeout=60_000)  # no test asserts a time


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """The ledger of the API, and of the flows that it runs."""
    if not CHROMIUM.exists():
        service_missing(f"{CHROMIUM} is not there")
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path))
    get_settings.cache_clear()
    ledger = shared_ledger(get_settings().effective_ledger_url)
    yield ledger
    ledger.close()
    monkeypatch.undo()
    get_settings.cache_clear()


@pytest.fixture
def own_server(migrated_database: Path, tmp_path: Path) -> Iterator[str]:
    """A Prefect server on which nobody has registered anything."""
    home = tmp_path / "prefect"
    home.mkdir()
    with own_prefect_server(home, migrated_database) as url:
        yield url


@pytest.fixture
def api(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """The API without Prefect's server."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")  # nobody is there
    refresh_global_settings_context()
    with Api(tmp_path) as api:
        yield api
    monkeypatch.undo()
    refresh_global_settings_context()
    leave_prefect()


@pytest.fixture
async def page(api: Api, tmp_path: Path) -> AsyncIterator[Page]:
    async with browsing(api.url, tmp_path) as page:
        yield page


async def serious_violations(page: Page) -> list[str]:
    found = await Axe().run(page)
    return [
        f"{v['id']}: {[node['target'] for node in v['nodes']][:3]} {v['help']}"
        for v in found.response["violations"]
        if v["impact"] in ("serious", "critical")
    ]


async def test_an_empty_ledger_says_what_to_do_in_a_theme_of_ones_choice(
    api: Api, page: Page
) -> None:
    await page.goto(api.url)
    await expect(page.get_by_text("No workflow has run yet.")).to_be_visible()
    await expect(page.get_by_text("Nothing waits for an answer.")).to_be_visible()
    # Nobody is at the address of Prefect's server: the page works, and says so first.
    await expect(page.get_by_role("heading", level=1)).to_have_text("There is serious trouble")
    await expect(page.get_by_text("Prefect's server does not answer")).to_be_visible()
    assert await serious_violations(page) == []
    # The theme is a choice that lasts.
    for name in ("light", "dark"):
        await page.get_by_role("button", name="Theme").click()
        await expect(page.get_by_role("button", name="Theme")).to_have_text(f"Theme: {name}")
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")


async def test_everybody_can_read_it_with_trouble_on_it(
    api: Api, ledger: Ledger, tmp_path: Path
) -> None:
    await fill_with_trouble(ledger)
    for width, scheme in product((1440, 390), ("light", "dark")):
        size = {"width": width, "height": 900}
        async with browsing(api.url, tmp_path, viewport=size, color_scheme=scheme) as page:
            await page.goto(api.url)
            await expect(page.locator("#incident-list li").first).to_be_visible()
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            for summary in await page.locator(".chart summary").all():
                await summary.click()
            assert await serious_violations(page) == [], (width, scheme)
            await page.get_by_role("button", name="Report of daily-health-check").click()
            await expect(page.get_by_role("dialog")).to_contain_text("What needs attention")
            assert await serious_violations(page) == [], (width, scheme)


async def test_hostile_names_are_text_everywhere(api: Api, ledger: Ledger, page: Page) -> None:
    await fill_with_trouble(ledger)
    await page.goto(api.url)
    await expect(page.locator("#stock table")).to_contain_text("<img src=x")
    await page.get_by_role("button", name="Report of daily-health-check").click()
    await expect(page.get_by_role("dialog")).to_contain_text("<img src=x")
    for part in ("approvals", "incidents", "workflows", "timeline", "stock"):
        assert "<img src=x" in await page.locator(f"#{part}").inner_text(), part
    assert await page.locator("main img, dialog img").count() == 0
    assert await page.evaluate("window.hacked") is None
    shown = await page.locator("body").inner_text()
    assert not {"\x1b", "\u202e", "\u202c"} & set(shown)


async def test_an_event_that_becomes_an_incident_appears_by_itself(
    api: Api, ledger: Ledger, page: Page
) -> None:
    await page.goto(api.url)
    await expect(page.locator("#incidents-empty")).to_be_visible()
    waiting = SystemEvent(source="s", type="t")
    await ledger.inbox.accept([waiting], utc_now() - timedelta(minutes=20))
    await expect(page.locator("#reasons")).to_contain_text("1 event waiting, the oldest for 20")
    await open_incident(ledger, "host db-7: disk full", "host:db-7")
    await expect(page.locator("#incident-list")).to_contain_text("Host db-7: disk full")
    await expect(page.locator("#reasons")).to_contain_text("Host db-7: disk full")
    await expect(page.locator("#timeline")).to_contain_text("Host db-7: disk full")


async def test_a_long_list_leaves_the_answer_in_sight(api: Api, ledger: Ledger, page: Page) -> None:
    items = "\n".join(f"- 6 of item {n}" for n in range(30))
    asked = question("Order 30 items?").model_copy(update={"detail": f"For the shop.\n\n{items}"})
    await ledger.approvals.ask(asked)
    await page.goto(api.url)
    await expect(page.get_by_text("For the shop.")).to_be_visible()
    await expect(page.get_by_text("6 of item 29")).to_be_hidden()
    await page.get_by_text("The list: 30 lines").click()
    await expect(page.get_by_text("6 of item 29")).to_be_visible()


@pytest.mark.prefect
async def test_a_click_answers_and_the_answer_takes_effect(
    own_server: str,
    ledger: Ledger,
    tmp_path: Path,
) -> None:
    waiting = await ledger.tasks.accept(
        TaskRecord(task_type="inventory_sync", requested_at=utc_now(), run_id="run")
    )
    await ledger.tasks.settle(
        waiting.model_copy(update={"status": TaskStatus.AWAITING_APPROVAL, "run_id": "run"})
    )
    asked = await ledger.approvals.ask(
        question("inventory_sync failed: try it again?", task_id=waiting.id)
    )
    with Api(tmp_path) as api:
        async with browsing(api.url, tmp_path) as page:
            await page.goto(api.url)
            card = page.get_by_role("article", name=asked.title)
            await card.get_by_label("Note").fill("They are closed today.")
            await card.get_by_role("button", name="Reject").click()
            await expect(card.get_by_role("status")).to_contain_text("You rejected it.")
            due = await settle_due(ledger, utc_now(), apply=apply_approval)
            assert due == [], "as the stack does"
            await expect(card.get_by_role("status")).to_contain_text(
                f"Task {waiting.id} is closed.", timeout=60_000
            )
            await expect(card.get_by_role("status")).to_be_focused()
            await card.get_by_role("button", name="Put away").click()
            await expect(page.get_by_text("Nothing waits for an answer.")).to_be_visible()
    settled = await ledger.approvals.get(asked.id)
    assert (settled.status, settled.via) == (ApprovalStatus.REJECTED, "api")
    assert settled.note == "They are closed today."
    assert settled.applied_at is not None
    closed = await ledger.tasks.get(waiting.id)
    assert closed is not None
    assert closed.status is TaskStatus.FAILED


async def test_with_the_keyboard_alone(api: Api, ledger: Ledger, page: Page) -> None:
    asked = await ledger.approvals.ask(question("Order it?"))
    await page.goto(api.url)
    await page.get_by_role("article", name="Order it?").wait_for()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the status")).to_be_focused()
    await page.keyboard.press("Enter")
    for _ in range(30):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.tagName") == "TEXTAREA":
            break
    await page.keyboard.type("By hand.")
    await open_incident(ledger, "host db-7: disk full", "host:db-7")
    await expect(page.locator("#incident-list")).to_contain_text("Host db-7: disk full")
    # What came meanwhile took neither the words nor the place away.
    await page.keyboard.type(" Really.")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Approve")).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(
        page.get_by_role("article", name="Order it?").get_by_role("status")
    ).to_be_focused()
    settled = await ledger.approvals.get(asked.id)
    assert (settled.status, settled.note) == (ApprovalStatus.REJECTED, "By hand. Really.")


async def test_a_token_is_asked_for_kept_and_forgotten(
    api: Api, ledger: Ledger, page: Page
) -> None:
    now = utc_now()
    reader, _ = await ledger.tokens.create("reader", [Scope.READ], by="test", now=now)
    asked = await ledger.approvals.ask(question("Order it?"))
    await page.goto(api.url)
    field = page.get_by_label("Token", exact=True)
    await expect(field).to_be_focused()
    assert await serious_violations(page) == []
    await field.fill("orc_wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("unknown, expired or revoked")).to_be_visible()
    await field.fill(reader)
    await page.get_by_role("button", name="Show the status").click()
    card = page.get_by_role("article", name="Order it?")
    await card.get_by_label("Note").fill("Yes!")
    await card.get_by_role("button", name="Approve").click()
    await expect(card.get_by_role("alert")).to_contain_text("lacks the scope approve")
    assert await card.get_by_label("Note").input_value() == "Yes!"
    assert (await ledger.approvals.get(asked.id)).status is ApprovalStatus.OPEN
    await page.reload()
    await expect(card).to_be_visible()
    await page.get_by_role("button", name="Forget token").click()
    await expect(field).to_be_visible()
    assert await page.evaluate("sessionStorage.length") == 0
    assert "Order it?" not in await page.locator("body").inner_text()


async def test_stale_data_say_so_and_the_page_recovers(
    api: Api, ledger: Ledger, page: Page
) -> None:
    await ledger.approvals.ask(question("Order it?"))
    await page.goto(api.url)
    await expect(page.locator("#live-text")).to_contain_text("Live")
    api.stop()
    await expect(page.get_by_role("alert").first).to_contain_text("does not answer")
    await expect(page.locator("#live-text")).to_contain_text("Stale")
    await expect(page.get_by_role("article", name="Order it?")).to_be_visible()
    api.start()
    await expect(page.locator("#live-text")).to_contain_text("Live")
    await expect(page.locator("#notice")).to_be_empty()


async def test_the_draft_orders_are_shown_and_saved_as_a_file(
    api: Api, page: Page, ledger: Ledger, tmp_path: Path
) -> None:
    await page.goto(api.url)
    await expect(page.locator("#orders")).to_contain_text("No orders have been drafted yet.")
    drafted = plan(order("acme", line("a", name=HOSTILE), freight="7.50"), held=[held("x")])
    await ledger.save_report(report_of(drafted))
    shown = page.locator("#orders")
    await expect(shown).to_contain_text("37.50 GBP")
    await expect(shown).to_contain_text("1 held for a person")
    await expect(shown).to_contain_text("No order is under way")
    await expect(shown).to_contain_text("<img src=x")
    assert await page.evaluate("window.hacked") is None
    assert await serious_violations(page) == []
    async with page.expect_download() as saving:
        await shown.get_by_role("button", name="CSV").click()
    file = tmp_path / "drafts.csv"
    await (await saving.value).save_as(file)
    assert file.read_text(encoding="utf-8").count("acme") == 1


@pytest.mark.prefect
async def test_the_public_page_shows_what_is_allowed_and_leaks_nothing(
    own_server: str,
    ledger: Ledger,
    tmp_path: Path,
) -> None:
    await fill_with_trouble(ledger)
    await ledger.tokens.create("reader", [Scope.READ], by="test", now=utc_now())
    with Api(tmp_path, public_page="health,workflows,timeline") as api:
        async with httpx.AsyncClient(base_url=api.url, trust_env=False) as client:
            assert (await client.get("/orchestrate/overview")).status_code == 401
            text = (await client.get("/public/overview")).text
        told = json.loads(text)
        assert told["parts"] == ["health", "workflows", "timeline"]
        shown = {name for name, value in told.items() if value}
        assert shown == {"health", "workflows", "timeline", "parts"}
        secrets = ("Order", "disk full", "checkout", "warehouse", "7,664", "1234", "82484", "aaaa")
        assert [secret for secret in secrets if secret in text] == []
        async with browsing(api.url, tmp_path) as page:
            await page.goto(f"{api.url}/public")
            await expect(page.get_by_role("heading", level=1)).to_be_visible()
            await expect(page.locator("#workflows")).to_contain_text("daily-health-check")
            for hidden in ("approvals", "incidents", "agents", "stock", "orders", "activity"):
                await expect(page.locator(f"#{hidden}")).to_be_hidden()
            await expect(page.get_by_role("button", name="Run a workflow")).to_be_hidden()
            assert await page.locator("main form:visible").count() == 0
            assert await serious_violations(page) == []
            # Nor when something breaks: an error of the ledger names its file.
            with closing(sqlite3.connect(tmp_path / "ledger.db")) as database:
                database.execute("DROP TABLE incidents")
            await expect(page.locator("#live-text")).to_contain_text("Stale")
            await expect(page.locator("#notice")).to_contain_text("cannot be told just now")
            async with httpx.AsyncClient(base_url=api.url, trust_env=False) as client:
                answer = await client.get("/public/overview")
            assert answer.status_code == 503
            assert "ledger" not in answer.text


def test_files_are_closed_to_all_else_and_asked_for_again_only_when_they_changed(
    api: Api,
) -> None:
    with httpx.Client(base_url=api.url, trust_env=False) as client:
        for path in ("/", "/page/app.js", "/page/app.css", "/page/mark.svg"):
            answer = client.get(path)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy, path
            assert "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            again = client.get(path, headers={"If-None-Match": answer.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
            assert client.head(path).headers["etag"] == answer.headers["etag"]
        nowhere = ("/page/%2e%2e%2fpage.py", "/page/nothing.js", "/page/page.py")
        unconfigured = ("/public", "/public/overview")
        for path in nowhere + unconfigured:
            assert client.get(path).status_code == 404, path
        tag = client.get("/orchestrate/overview").headers["etag"]
        again = client.get("/orchestrate/overview", headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
