"""The loop that watches while the stack runs, on a real business, with and without Prefect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from blocks.ledger import Ledger
from blocks.policy.policy import Policy
from blocks.settings import get_settings
from blocks.vocabulary.looks import Look
from blocks.vocabulary.messages import utc_now
from deployments.services.watching import keep_watching
from flows.orchestrator.dispatch.policy import forget_policy
from tests.loopback import Loopback, Reply, serve
from tests.waiting import until

SOURCE = "orchestrator.watch.services"
QUICK = {"services_seconds": 1.0, "services_confirm_seconds": 0.1}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as opened:
        yield opened


@pytest.fixture(autouse=True)
def without_prefect() -> Iterator[None]:
    """Nobody answers where Prefect should be."""
    forget_policy()
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        yield
    forget_policy()


@asynccontextmanager
async def watched(
    ledger: Ledger, folder: Path, patch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Loopback, list[Look], list[str]]]:
    """A service, watched; what the loop saw and said."""
    looks: list[Look] = []
    said: list[str] = []
    async with serve(Reply("{}")) as server:
        file = folder / "business.toml"
        file.write_text(f'[[services]]\nname = "checkout"\nhealth_url = "{server.url}"\n')
        patch.setenv("ORCHESTRATOR_BUSINESS_FILE", str(file))
        get_settings.cache_clear()
        task = asyncio.create_task(keep_watching(ledger, said.append, looks.append))
        try:
            yield server, looks, said
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            get_settings.cache_clear()


async def _has_fired(ledger: Ledger) -> bool:
    return bool(await ledger.inbox.firing(SOURCE))


async def test_a_service_is_watched_while_prefect_is_silent(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = Policy.extended({"watch": QUICK})
    await ledger.policies.keep(policy.version, policy.model_dump(mode="json"), utc_now())
    async with watched(ledger, tmp_path, monkeypatch) as (server, looks, said):
        await until(lambda: _seen_by("services", looks), "a look at the service")
        assert {"service:checkout"} in [look.covered for look in looks]
        assert not await _has_fired(ledger)

        server.answer = lambda _: Reply(status=500)
        await until(lambda: _has_fired(ledger), "an alert of our own")
        server.answer = lambda _: Reply("{}")

        async def is_over() -> bool:
            return not await _has_fired(ledger)

        await until(is_over, "the end of the alert")
    names = ["service:checkout/latency_ms", "service:checkout/up"]
    assert await ledger.samples.names("service:") == names
    assert [fault for fault in said if "service" in fault] == []


async def test_watching_can_be_switched_off(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = Policy.extended({"watch": {**QUICK, "without": ["services"], "probes_seconds": 1.0}})
    await ledger.policies.keep(policy.version, policy.model_dump(mode="json"), utc_now())
    async with watched(ledger, tmp_path, monkeypatch) as (server, looks, _):
        await until(lambda: _seen_by("probes", looks), "a look at the probes")
        assert {look.part for look in looks}.isdisjoint({"services"})
        assert server.requests == []


async def _seen_by(part: str, looks: list[Look]) -> bool:
    return any(look.part == part for look in looks)
