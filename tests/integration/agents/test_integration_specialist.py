"""The Integration Specialist at work on a real store, real suppliers and a real ledger."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from agents.integration_specialist import api_management
from agents.integration_specialist.api_management import (
    check_integrations,
    validate_all_integrations,
)
from agents.integration_specialist.api_management.report import ConnectionCheck, IntegrationReport
from agents.integration_specialist.external_connections.fetching import fetch_data
from blocks.business.business import Business
from blocks.business.services import MonitoredService
from blocks.business.suppliers import SupplierConnection
from blocks.errors import ConfigurationError, InvalidMessage, SourceRefused, SourceUnavailable
from blocks.ledger import Ledger
from blocks.store.block import StoreDatabase
from blocks.vocabulary.findings import Remedy
from blocks.vocabulary.messages import Severity, utc_now
from tests.loopback import HANG, Reply, serve

NOW = datetime(2024, 6, 30, 9, 0, tzinfo=UTC)
CANARY = "canary-2e4c"
OFFERS = json.dumps([{"sku": "a", "unit_cost": 1, "lead_time_days": 3, "min_order_units": 5}])
FRAMES: dict[str, Any] = {
    "products": {
        "table": "goods",
        "columns": {"sku": "sku", "name": "name", "unit_price": "price"},
    },
    "stock": {"table": "shelf", "columns": {"sku": "sku", "on_hand": "units"}},
}


@dataclass
class Shop:
    """A business whose parts can be broken one by one."""

    folder: Path
    servers: AsyncExitStack

    @property
    def file(self) -> Path:
        return self.folder / "shop.db"

    def store(self, **changes: Any) -> StoreDatabase:
        url = SecretStr(f"sqlite:///{self.file}")
        return StoreDatabase(**{"name": "shop", "url": url, "frames": FRAMES, **changes})

    async def supplier(self, name: str, reply: Reply, **changes: Any) -> SupplierConnection:
        server = await self.servers.enter_async_context(serve(reply))
        return SupplierConnection(
            name=name,
            base_url=server.url,
            **{"auth": "bearer", "credential": SecretStr(CANARY), "timeout": 0.5, **changes},
        )

    async def service(self, name: str, reply: Reply) -> MonitoredService:
        server = await self.servers.enter_async_context(serve(reply))
        url = server.url
        return MonitoredService(name=name, health_url=url, metrics_url=url, timeout=0.5)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    connection = sqlite3.connect(tmp_path / "shop.db")
    connection.executescript(
        """CREATE TABLE goods (sku TEXT, name TEXT, price REAL);
           INSERT INTO goods VALUES ('a', 'Apple', 1.5), ('b', 'Pear', 2);
           CREATE TABLE shelf (sku TEXT, units INTEGER);
           INSERT INTO shelf VALUES ('a', 4);"""
    )
    connection.close()
    async with AsyncExitStack() as servers:
        yield Shop(tmp_path, servers)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        yield ledger


def by_name(report: IntegrationReport) -> dict[str, ConnectionCheck]:
    return {check.name: check for check in report.checks}


async def test_a_fetch_is_kept_and_stands_in_when_the_store_is_gone(
    shop: Shop, ledger: Ledger
) -> None:
    business = Business(shop.store())
    fresh = await fetch_data(business, ledger, NOW)
    assert (fresh.stale_because, sorted(fresh.frames)) == ("", ["products", "stock"])

    shop.file.unlink()
    stale = await fetch_data(business, ledger, NOW + timedelta(hours=1))
    assert "gone" in stale.stale_because
    assert stale.taken_at == NOW
    assert stale.frames["products"].equals(fresh.frames["products"])
    assert stale.problems == fresh.problems


async def test_without_an_earlier_snapshot_the_error_stands(shop: Shop, ledger: Ledger) -> None:
    shop.file.unlink()
    with pytest.raises(SourceUnavailable, match="gone"):
        await fetch_data(Business(shop.store()), ledger, NOW)
    with pytest.raises(ConfigurationError, match="has no store"):
        await fetch_data(Business(None), ledger, NOW)


async def test_another_stores_snapshot_never_stands_in(shop: Shop, ledger: Ledger) -> None:
    await fetch_data(Business(shop.store(name="sample-shop")), ledger, NOW)
    shop.file.unlink()
    with pytest.raises(SourceUnavailable, match="gone"):
        await fetch_data(Business(shop.store(name="my-store")), ledger, NOW)


async def test_a_snapshot_without_frames_never_stands_in_for_a_better_one(
    shop: Shop, ledger: Ledger
) -> None:
    await fetch_data(Business(shop.store()), ledger, NOW)
    wrong = {name: {**frame, "table": "gods"} for name, frame in FRAMES.items()}
    later = NOW + timedelta(hours=1)
    nothing = await fetch_data(Business(shop.store(frames=wrong)), ledger, later)
    assert nothing.frames == {}
    assert "Did you mean goods?" in str(nothing.problems[0])
    kept = await ledger.snapshots.latest("shop")
    assert kept
    assert sorted(kept.frames) == ["products", "stock"]


async def test_a_suppliers_offers_are_a_source_too(shop: Shop, ledger: Ledger) -> None:
    acme = await shop.supplier("acme", Reply(OFFERS))
    business = Business(shop.store(currency="EUR"), suppliers=(acme,))
    offers = await fetch_data(business, ledger, NOW, source="acme")
    assert offers.frames["offers"]["sku"].tolist() == ["a"]
    assert offers.currency == "EUR"
    assert await ledger.snapshots.latest("shop") is None  # offers never stand in for the store
    with pytest.raises(InvalidMessage, match=r"no source 'acne'\. Did you mean acme\?"):
        await fetch_data(business, ledger, NOW, source="acne")


async def test_a_refusing_supplier_is_an_error(shop: Shop, ledger: Ledger) -> None:
    acme = await shop.supplier("acme", Reply(status=401))
    with pytest.raises(SourceRefused):
        await fetch_data(Business(None, suppliers=(acme,)), ledger, NOW, source="acme")


async def test_a_healthy_business_has_no_findings(shop: Shop) -> None:
    business = Business(
        shop.store(),
        suppliers=(await shop.supplier("acme", Reply(OFFERS)),),
        services=(await shop.service("web", Reply("up 1\n", content_type="text/plain")),),
    )
    report = await validate_all_integrations(business, NOW)
    assert report.findings == []
    assert report.checked_at == NOW
    assert {c.name: (c.kind, c.ok, c.authenticated, c.shape_ok, c.rows) for c in report.checks} == {
        "shop": ("store", True, True, True, 3),
        "acme": ("supplier", True, True, True, 1),
        "web": ("service", True, True, True, 1),
    }
    assert all(check.latency_ms and check.latency_ms > 0 for check in report.checks)
    assert "open_orders is not mapped" in by_name(report)["shop"].detail

    quick = await check_integrations(business, NOW)
    assert [c.name for c in quick.checks if c.ok] == ["shop", "acme", "web"]
    assert {c.shape_ok for c in quick.checks} == {None}
    assert quick.findings == []


async def test_metrics_that_cannot_be_read_are_a_note_about_a_service_that_works(
    shop: Shop,
) -> None:
    page = await shop.service("page", Reply("<html>Welcome", content_type="text/html"))
    typo = (await shop.service("typo", Reply("OK"))).model_copy(update={"metrics_url": "metrics"})
    ill = await shop.service("ill", Reply('{"status": "red"}'))
    report = await validate_all_integrations(Business(None, services=(page, typo, ill)), NOW)
    checks = by_name(report)
    assert {name: (c.ok, c.healthy, c.shape_ok) for name, c in checks.items()} == {
        "page": (True, True, None),
        "typo": (True, True, None),
        "ill": (False, False, None),
    }
    assert "its metrics cannot be read: " in checks["page"].detail
    assert "not an http or https URL" in checks["typo"].detail
    assert checks["ill"].detail.startswith("it reports status 'red'")


async def test_each_failure_is_named_and_none_hurts_the_others(shop: Shop) -> None:
    late = format_datetime(utc_now() - timedelta(minutes=10), usegmt=True)
    bad_row = {"sku": "b", "unit_cost": "ask", "lead_time_days": 1, "min_order_units": 1}
    half = json.dumps([*json.loads(OFFERS), bad_row])
    replies = {
        "hangs": HANG,
        "locked-out": Reply(status=403),
        "html": Reply("<html>Sorry", content_type="text/html"),
        "broken": Reply(status=500),
        "late": Reply(OFFERS, headers={"Date": late}),
        "half": Reply(half),
        "empty": Reply("[]"),
        "good": Reply(OFFERS),
    }
    suppliers = [await shop.supplier(name, reply) for name, reply in replies.items()]
    slow = await shop.supplier("slow", Reply(OFFERS, pause=0.001), latency_budget_ms=20)
    typo = SupplierConnection(name="typo", base_url="acme.example")
    business = Business(
        shop.store(frames={**FRAMES, "stock": {**FRAMES["stock"], "table": "shelve"}}),
        suppliers=(*suppliers, slow, typo),
        services=(await shop.service("web", Reply(status=500)), await shop.service("db", HANG)),
    )

    report = await validate_all_integrations(business, NOW)

    assert {f.fingerprint: f.severity for f in report.findings} == {
        "store-incomplete/store:shop": Severity.ERROR,
        "supplier-unreachable/supplier:hangs": Severity.ERROR,
        "supplier-refused/supplier:locked-out": Severity.ERROR,
        "supplier-garbled/supplier:html": Severity.ERROR,
        "supplier-unreachable/supplier:broken": Severity.ERROR,
        "clock-skew/supplier:late": Severity.WARNING,
        "supplier-incomplete/supplier:half": Severity.WARNING,
        "supplier-incomplete/supplier:empty": Severity.ERROR,
        "supplier-slow/supplier:slow": Severity.WARNING,
        "supplier-misconfigured/supplier:typo": Severity.ERROR,
    }
    assert all(finding.advice and finding.evidence for finding in report.findings)
    checks = by_name(report)
    assert [name for name, check in checks.items() if check.ok] == ["late", "half", "good", "slow"]
    assert (checks["locked-out"].reached, checks["locked-out"].authenticated) == (True, False)
    assert (checks["html"].authenticated, checks["html"].shape_ok) == (True, False)
    assert checks["hangs"].reached is False
    assert checks["late"].clock_skew_s == pytest.approx(-600, abs=3)
    assert (checks["half"].rows, "ask" in checks["half"].detail) == (2, True)
    assert "Did you mean shelf?" in checks["shop"].detail
    assert (checks["web"].reached, checks["db"].reached) == (True, False)
    assert CANARY not in report.model_dump_json()

    quick = await check_integrations(business, NOW)
    assert {f.kind for f in quick.findings} == {
        "supplier-unreachable",
        "supplier-refused",
        "clock-skew",
        "supplier-slow",
        "supplier-misconfigured",
    }


async def test_a_connection_with_more_patience_than_we_have_hurts_no_other(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_management, "_QUICK", 0.5)
    patient = await shop.supplier("patient", HANG, timeout=1000)
    good = await shop.supplier("good", Reply(OFFERS))
    report = await check_integrations(Business(None, suppliers=(patient, good)), NOW)
    assert [check.ok for check in report.checks] == [False, True]
    assert by_name(report)["patient"].detail == "supplier 'patient' was not done within 0.5 s."
    assert [finding.kind for finding in report.findings] == ["supplier-unreachable"]


async def test_a_store_that_is_gone_can_be_fetched_again(shop: Shop) -> None:
    shop.file.unlink()
    for action in (check_integrations, validate_all_integrations):
        (finding,) = (await action(Business(shop.store()), NOW)).findings
        assert (finding.kind, finding.severity) == ("store-unreachable", Severity.CRITICAL)
        assert finding.remedy == Remedy(agent="sre-reliability", action="refetch_snapshot")
        assert "gone" in finding.evidence["detail"]
