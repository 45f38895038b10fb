"""The API, on a ledger that the test fills, and a browser that looks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any, Self

import uvicorn
from playwright.async_api import Page, async_playwright

from blocks.ledger import EffectOutcome, EffectRecord, Ledger, ReportRecord, RunRecord
from blocks.ledger.events.records import IncidentRecord
from blocks.ledger.work.approvals import ApprovalRecord
from blocks.settings import Settings
from blocks.vocabulary.effects import EffectStatus, EffectVerdict
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Outcome, Severity, SystemEvent, new_id, utc_now
from deployments.api.app import create_app, served
from flows.reports.model import Report, Section, Table
from tests.browser.chromium import ARGUMENTS, CHROMIUM
from tests.integration.loopback import free_port
from tests.waiting import wait_until

HOSTILE = '<img src=x onerror="window.hacked=1"> \x1b[31mred\x1b[0m \u202egnitset\u202c'
"""A name that is markup, steers terminals, and turns the text around it."""

COLUMNS = ["SKU", "Product", "On hand", "Arriving", "Sells per day", "Lead time (days)"]
COLUMNS += ["Runs out", "Loss per day (GBP)"]


class Api:
    """The API as it is served, on a folder, in a thread; started and stopped at will."""

    def __init__(self, home: Path, **settings: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._settings = Settings(state_dir=home, api_port=port, **settings)

    def start(self) -> None:
        self._server = uvicorn.Server(
            uvicorn.Config(
                served(create_app(self._settings), self._settings),
                port=self._settings.api_port,
                log_level="warning",
                lifespan="on",
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = Thread(target=self._server.run)
        self._thread.start()
        wait_until(lambda: self._server.started or not self._thread.is_alive(), "the API")
        assert self._server.started

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@asynccontextmanager
async def browsing(url: str, folder: Path, **options: Any) -> AsyncIterator[Page]:
    """A page of a fresh browser; fails on an error in the console, or a request elsewhere."""
    faults: list[str] = []
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            str(folder / f"chromium-{new_id()}"),
            executable_path=CHROMIUM,
            args=ARGUMENTS,
            **{"viewport": {"width": 1280, "height": 900}, "locale": "en-GB", **options},
        )
        page = context.pages[0]
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("console", lambda said: faults.append(said.text) if _is_fault(said) else None)

        def asked(request: Any) -> None:
            if not request.url.startswith((f"{url}/", "data:")):
                faults.append(f"asks {request.url}")

        page.on("request", asked)
        try:
            yield page
        finally:
            await context.close()
    assert faults == []


def _is_fault(said: Any) -> bool:
    # Chromium reports every answer that is an error; the page tells of those itself.
    return said.type == "error" and not said.text.startswith("Failed to load resource")


def question(title: str, **fields: Any) -> ApprovalRecord:
    now = utc_now()
    return ApprovalRecord(
        need_key=new_id(),
        title=title,
        detail="What was tried:\n\n- primary: no answer\n\nYes has it done again.",
        resource="store:main",
        proposal={"kind": "test"},
        asked_at=now,
        expires_at=now + timedelta(hours=24),
        **fields,
    )


async def open_incident(ledger: Ledger, title: str, resource: str) -> None:
    """An event that becomes an incident, as a run does it that takes it from the inbox."""
    now = utc_now()
    event = SystemEvent(source=HOSTILE, type="test.trouble", subject=resource)
    await ledger.inbox.accept([event], now)
    await ledger.inbox.take(now, "run", now + timedelta(minutes=5), 10)
    incident = IncidentRecord(
        need_key=new_id(),
        resource=resource,
        severity=Severity.CRITICAL,
        title=title,
        opened_at=now,
        updated_at=now,
    )
    await ledger.inbox.join([(incident, [(event.source, event.id)])], "run", now)


async def fill_with_trouble(ledger: Ledger) -> None:
    """Something of everything that the page shows, with hostile names."""
    now = utc_now()
    ended = now - timedelta(minutes=10)
    report = Report(
        workflow="daily-health-check",
        title="Daily health check",
        run_id="a" * 32,
        started_at=ended - timedelta(seconds=9),
        finished_at=ended,
        outcome=Outcome.PARTIAL,
        headline=f"Tuesday: 7,664 GBP. {HOSTILE}",
        currency="GBP",
        sections=[
            Section(
                title="Stock at risk",
                text="7 of 186 items are out of stock.",
                tables=[
                    Table(
                        columns=COLUMNS,
                        rows=[["82484", HOSTILE, 0.0, 0.0, 30.8, 2, "now", 204.27]],
                    )
                ],
            )
        ],
        findings=[
            Finding(
                kind="service-down",
                resource="service:checkout",
                severity=Severity.ERROR,
                title=f"checkout does not answer {HOSTILE}",
                advice="Restart it.",
                impact_per_day=1234.5,
            )
        ],
    )
    ledger.record(
        RunRecord(
            id=report.run_id,
            workflow="daily-health-check",
            trigger="schedule",
            flow_run_id="aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa",
            started_at=report.started_at,
            finished_at=ended,
            outcome=Outcome.PARTIAL,
        ),
        RunRecord(
            id="b" * 32,
            workflow=HOSTILE,
            started_at=ended,
            finished_at=ended,
            outcome=Outcome.FAILED,
        ),
        RunRecord(id="c" * 32, workflow="sequential-workflow", started_at=now),
    )
    await ledger.flush()
    await ledger.save_report(
        ReportRecord(
            run_id=report.run_id,
            workflow=report.workflow,
            created_at=ended,
            body=report.model_dump(mode="json"),
        )
    )
    effect = EffectRecord(
        run_id=report.run_id,
        need_key="restart",
        cause="service-down/service:warehouse",
        target="service:warehouse",
        kind="sre-reliability.restart_service",
        intended_at=ended,
    )
    await ledger.effects.intend(effect)
    outcome = EffectOutcome(verdict=EffectVerdict.VERIFIED, detail=HOSTILE)
    await ledger.effects.close(effect, EffectStatus.DONE, outcome, now)
    await open_incident(ledger, f"disk full {HOSTILE}", f"host:{HOSTILE}")
    await ledger.approvals.ask(question(f"Order 1,176 units of {HOSTILE}?"))
