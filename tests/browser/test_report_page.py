"""A report on Prefect's page: names from outside are text there, and nothing to click."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prefect import flow, get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Outcome, Severity
from flows.orchestrator.team.outcome import publish
from flows.reports.model import Report, Section, Table
from tests.browser.chromium import open_browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:.*<socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*<socket:pytest.PytestUnraisableExceptionWarning"),
]

HOSTILE = [
    "Mug https://evil.example/a",
    "Mug www.evil.example/b",
    "Mug someone@evil.example",
    "Mug ftp://evil.example/c",
    "Mug [d](https://evil.example/d)",
    "Mug <a href=//evil.example/e>e</a> <img src=//evil.example/e.png>",
    "Mug ![f](//evil.example/f.png) *bold* _it_ `code`",
    "Mug &lt;a href=//evil.example/g>g",
]


def report() -> Report:
    now = datetime(2026, 11, 28, 6, tzinfo=UTC)
    return Report(
        workflow="daily-health-check",
        title=HOSTILE[0],
        run_id="r1",
        started_at=now,
        finished_at=now + timedelta(seconds=2),
        outcome=Outcome.PARTIAL,
        headline="; ".join(HOSTILE),
        findings=[
            Finding(kind="k", resource="sku:x", severity=Severity.ERROR, title=name, advice=name)
            for name in HOSTILE
        ],
        sections=[
            Section(
                title=name,
                text=name,
                tables=[Table(title=name, columns=[name], rows=[[name]], note=name)],
            )
            for name in HOSTILE
        ],
        missing=HOSTILE,
    )


@flow
async def reporting() -> None:
    await publish(report())


async def test_names_from_outside_are_text_on_prefects_page(ui: str, tmp_path: Path) -> None:
    await reporting()
    async with get_client() as client:
        (artifact,) = await client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["daily-health-check"]))
        )
    for path in (f"artifacts/artifact/{artifact.id}", "artifacts/key/daily-health-check"):
        async with open_browser(tmp_path) as page:
            await page.goto(f"{ui}/{path}")
            await page.get_by_text("bold").first.wait_for()
            alive = await page.evaluate(
                "[...document.querySelectorAll('a, img')].map(e => e.href || e.src)"
                ".filter(address => address.includes('evil'))"
            )
            assert alive == []
            if "artifact/" in path:
                said = await page.inner_text("body")
                for name in HOSTILE:
                    assert " ".join(said.split()).count(name) >= 6, (name, said)
