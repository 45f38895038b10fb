"""What the suppliers have: asked at once, told item by item, and what cannot be meant refused."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import SecretStr

from agents.integration_specialist.external_connections.inventory import (
    ItemInventory,
    SupplierInventory,
    SupplierState,
)
from agents.integration_specialist.external_connections.supplier_inventory import (
    check_supplier_inventory,
)
from blocks.business.business import Business
from blocks.business.suppliers import SupplierConnection
from blocks.errors import ConfigurationError, InvalidMessage
from blocks.ledger import EffectOutcome, Ledger
from blocks.store.block import StoreDatabase
from blocks.vocabulary.effects import EffectStatus
from blocks.vocabulary.frames import OFFERS, Snapshot
from tests.loopback import HANG, Loopback, Reply, serve
from tests.orders import NOON, effect_of, order, received

NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
TERMS = {"lead_time_days": 4, "min_order_units": 1}


def rows(*some: dict[str, Any], **more: Any) -> Reply:
    return Reply(json.dumps([TERMS | more | row for row in some]))


@dataclass
class Shop:
    """A store with its products in the ledger, and suppliers that answer as told."""

    ledger: Ledger
    servers: AsyncExitStack
    suppliers: list[SupplierConnection] = field(default_factory=list)
    asked: dict[str, Loopback] = field(default_factory=dict)

    async def supplier(self, name: str, reply: Reply, **changes: Any) -> None:
        server = await self.servers.enter_async_context(serve(reply))
        self.asked[name] = server
        self.suppliers = [each for each in self.suppliers if each.name != name]
        self.suppliers.append(SupplierConnection(name=name, base_url=server.url, **changes))

    async def sells(self, **prices: float) -> None:
        products = pd.DataFrame(
            {
                "sku": pd.Series([*prices], dtype="str"),
                "name": pd.Series([f"Item {sku}" for sku in prices], dtype="str"),
                "unit_price": pd.Series([*prices.values()], dtype=float),
            }
        )
        await self.ledger.snapshots.save(
            Snapshot(NOW - timedelta(hours=1), {"products": products}, currency="EUR", store="shop")
        )

    async def check(self, *items: str, **more: Any) -> SupplierInventory:
        store = StoreDatabase(
            name="shop",
            url=SecretStr("sqlite:///nowhere.db"),
            currency="EUR",
            rates={"USD": 0.5},
            frames={"stock": {"table": "s", "columns": {"sku": "sku", "on_hand": "n"}}},
        )
        business = Business(store, tuple(self.suppliers))
        return await check_supplier_inventory(business, self.ledger, NOW, list(items), **more)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        async with AsyncExitStack() as servers:
            yield Shop(ledger, servers)


def item(found: SupplierInventory, sku: str) -> ItemInventory:
    (one,) = [each for each in found.items if each.sku == sku]
    return one


def state(found: SupplierInventory, name: str) -> SupplierState:
    (one,) = [each for each in found.suppliers if each.name == name]
    return one


async def test_each_supplier_is_read_in_its_own_format_and_told_item_by_item(shop: Shop):
    await shop.sells(cup=9.0, mug=9.0)
    steps = [{"unit_cost": c, "min_order_units": m} for m, c in ((1, 3.2), (48, 2.9), (480, 2.1))]
    await shop.supplier(
        "json", rows(*({"sku": "cup", "available_units": 700} | step for step in steps))
    )
    await shop.supplier(
        "csv",
        Reply("sku;unit_cost;lead_time_days;min_order_units;pack_units\ncup;6,00;2;12;6\n"),
        format="csv",
        terms={"currency": "USD", "min_order_value": 250, "freight": 9},
        prices="net",
    )
    await shop.supplier(
        "xml",
        Reply("<r><a><sku>mug</sku><unit_cost>2.38</unit_cost></a></r>"),
        format="xml",
        defaults=TERMS,
        prices="gross",
        tax_rate="0.19",
    )
    found = await shop.check("cup", "mug", urgency="high")
    assert (found.urgency, found.deadline_seconds, found.partial) == ("high", 20, False)
    assert [each.answered for each in found.suppliers] == [True] * 3
    by_csv, by_json = item(found, "cup").offers
    assert item(found, "cup").name == "Item cup"
    assert (by_json.available_units, by_csv.available_units) == (700, None)
    assert [(s.from_units, s.unit_cost) for s in by_json.steps] == [
        (1, Decimal("3.2")),
        (48, Decimal("2.9")),
        (480, Decimal("2.1")),
    ]
    (usd,) = by_csv.steps
    assert (by_csv.currency, usd.unit_cost, usd.in_store_currency) == ("USD", 6, 3)
    assert (by_csv.lead_time_days, by_csv.min_order_units, by_csv.pack_units) == (2, 12, 6)
    assert item(found, "mug").offers[0].steps[0].unit_cost == 2
    assert state(found, "csv").terms.min_order_value == 250
    assert state(found, "csv").tax == "net"
    assert state(found, "json").tax == ""
    assert "19.0%" in state(found, "xml").tax
    assert found.missing == []
    OFFERS.validate(found.offers)
    assert set(found.offers["supplier"]) == {"json", "csv", "xml"}
    for name in ("json", "csv", "xml"):
        assert await shop.ledger.snapshots.latest(f"supplier:{name}") is not None


async def test_one_that_hangs_holds_up_nobody_and_counts_with_its_last_offers(shop: Shop):
    await shop.sells(cup=9.0)
    await shop.supplier("slow", rows({"sku": "cup", "unit_cost": 2}))
    await shop.supplier("good", rows({"sku": "cup", "unit_cost": 3}))
    await shop.supplier("broken", Reply("<html>Back at 9</html>", content_type="text/html"))
    await shop.check("cup")
    await shop.supplier("slow", HANG, timeout=30)
    found = await shop.check("cup", deadline_seconds=4)
    assert found.partial
    assert [each.supplier for each in item(found, "cup").offers] == ["good", "slow"]
    slow, broken = state(found, "slow"), state(found, "broken")
    assert not slow.answered
    assert slow.detail == (
        "supplier 'slow' gave no complete answer within 4 s. What it offered 0 hours ago counts."
    )
    assert slow.offered_at == NOW
    assert "Back at 9" in broken.detail
    assert "Nothing is known of what it offers" in broken.detail
    assert {f"{f.kind}/{f.resource}" for f in found.findings} >= {
        "supplier-unreachable/supplier:slow",
        "supplier-garbled/supplier:broken",
    }
    assert len(found.missing) == 2


async def test_who_was_asked_in_this_run_is_not_asked_again(shop: Shop):
    await shop.supplier("acme", rows({"sku": "cup", "unit_cost": 2}))
    await shop.check("cup")
    found = await shop.check("cup", asked=["acme"])
    assert len(shop.asked["acme"].requests) == 1
    assert item(found, "cup").offers[0].steps[0].unit_cost == 2
    assert state(found, "acme").answered


async def delivered(ledger: Ledger, supplier: str, *days: int) -> None:
    """Orders of ours that a supplier delivered after so many days."""
    for number, took in enumerate(days):
        wanted = order(f"{supplier}{number}", supplier=supplier)
        await ledger.orders.propose(wanted, effect_of(wanted))
        begun = await ledger.effects.begin(
            await ledger.effects.get(wanted.effect_id), NOON, NOON + timedelta(days=1)
        )
        assert begun is not None
        assert await ledger.effects.close(begun, EffectStatus.DONE, EffectOutcome(), NOON)
        came = received().model_copy(update={"at": NOON + timedelta(days=took)})
        await ledger.orders.enter(wanted.id, came)


async def test_lead_times_are_learned_from_our_own_orders(shop: Shop):
    await shop.supplier("acme", rows({"sku": "cup", "unit_cost": 2}))
    await shop.supplier("globex", rows({"sku": "cup", "unit_cost": 2}))
    await delivered(shop.ledger, "acme", 6, 6, 7, 7, 7, 8, 8, 15)
    await delivered(shop.ledger, "globex", 9)
    found = await shop.check("cup")
    times = state(found, "acme").delivery
    assert times is not None
    assert (times.deliveries, times.mean, times.median) == (8, 8.0, 7.0)
    by_supplier = found.offers.set_index("supplier")
    assert by_supplier["lead_time_days"].to_dict() == {"acme": 8.0, "globex": 4.0}
    assert by_supplier["lead_time_deviation"]["acme"] == pytest.approx(times.deviation)
    # What is told of an item is what its supplier promises.
    assert [offer.lead_time_days for offer in item(found, "cup").offers] == [4, 4]
    kept = await shop.ledger.snapshots.latest("supplier:acme")
    assert kept is not None
    assert kept.frames["offers"]["lead_time_days"].tolist() == [4.0]


async def test_prices_that_cannot_be_meant_are_refused_with_their_factor(shop: Shop):
    await shop.sells(**{"SCREW-5": 0.09, "DRILL-1": 59.0, "FREE": 3.0})
    await shop.supplier(
        "per-hundred",
        rows(
            {"sku": "SCREW-5", "unit_cost": 2.40},
            {"sku": "DRILL-1", "unit_cost": 31.0},
            {"sku": "FREE", "unit_cost": 0},
        ),
    )
    found = await shop.check("SCREW-5", "DRILL-1", "FREE")
    assert item(found, "DRILL-1").offers[0].refused == ""
    assert "costs 26.7 times its selling price" in item(found, "SCREW-5").offers[0].refused
    assert item(found, "FREE").offers[0].refused == "it has no price"
    assert found.unoffered == ["SCREW-5", "FREE"]
    assert any(text.startswith("SCREW-5: it costs 26.7") for text in found.suppliers[0].refused)
    (finding,) = found.findings
    assert finding.kind == "supplier-offers-refused"


async def test_a_whole_catalogue_per_hundred_is_told_as_one(shop: Shop):
    await shop.sells(**{f"S{n}": 0.09 for n in range(30)})
    await shop.supplier("acme", rows(*({"sku": f"S{n}", "unit_cost": 2.4} for n in range(30))))
    told = state(await shop.check(), "acme").refused
    assert told[0].startswith("nothing is ordered by 30 of its 30 offers: are its prices per")
    assert told[-1] == "and 25 more"
    assert len(told) == 7


async def test_a_price_in_money_without_a_rate_is_never_read_as_ours(shop: Shop):
    await shop.sells(cup=9.0)
    await shop.supplier("yen", rows({"sku": "cup", "unit_cost": 300, "currency": "JPY"}))
    await shop.supplier("terms", rows({"sku": "cup", "unit_cost": 30}), terms={"currency": "CHF"})
    found = await shop.check("cup")
    by_terms, by_yen = item(found, "cup").offers
    assert by_terms.refused == "it is priced in CHF, which has no rate in EUR"
    assert by_yen.refused == "it is priced in JPY, which has no rate in EUR"
    assert by_yen.steps[0].in_store_currency is None
    assert found.unoffered == ["cup"]


async def test_skus_that_the_store_writes_otherwise_are_named(shop: Shop):
    await shop.sells(**{"00123": 9.0, "4006381333931": 3.0})
    body = (
        b'[{"sku": 123, "unit_cost": "4.20", "lead_time_days": "3", "min_order_units": 6},'
        b' {"sku": 4006381333931.0, "unit_cost": 1, "lead_time_days": 3, "min_order_units": 1},'
        b' {"sku": "1.23457E+12", "unit_cost": 1, "lead_time_days": 3, "min_order_units": 1}]'
    )
    await shop.supplier("numbers", Reply(body))
    found = await shop.check("00123", "4006381333931")
    told = state(found, "numbers").refused
    assert "123: the store has no such SKU; is it 00123?" in told
    assert any("mangled by a spreadsheet" in text and "1.23457E+12" in text for text in told)
    assert found.unoffered == ["00123"]


async def test_a_part_of_a_catalogue_is_told_as_missing(shop: Shop):
    some = [TERMS | {"sku": "P-1", "unit_cost": 1}]
    await shop.supplier(
        "paged", Reply(json.dumps({"rows": some, "total": 4213})), records_path="rows"
    )
    found = await shop.check("P-1", "P-4000")
    (missing,) = found.missing
    assert missing == state(found, "paged").part
    assert "names 4,213 in all" in missing
    assert found.unoffered == ["P-4000"]
    # Who was asked already is not forgotten to have sent a part.
    assert (await shop.check("P-1", asked=["paged"])).missing == [missing]


async def test_what_nobody_has_enough_of_is_told(shop: Shop):
    some = {"cup": 3, "mug": 12, "jug": None}
    await shop.supplier(
        "acme",
        rows(
            *({"sku": sku, "unit_cost": 1, "available_units": n} for sku, n in some.items()),
            min_order_units=10,
        ),
    )
    found = await shop.check("cup", "mug", "jug")
    assert found.unavailable == ["cup"]
    assert not item(found, "cup").offers[0].has_enough
    assert item(found, "jug").offers[0].available_units is None


async def test_without_items_all_of_the_store_are_looked_at_and_some_are_told(shop: Shop):
    await shop.sells(**{f"S{n:04d}": 3.0 for n in range(500)})
    await shop.supplier("acme", rows(*({"sku": f"S{n:04d}", "unit_cost": 1} for n in range(400))))
    found = await shop.check()
    assert (found.asked_items, len(found.items)) == (500, 200)
    assert (found.unoffered_items, found.unoffered) == (100, [f"S{n:04d}" for n in range(400, 500)])
    assert "500 items nobody offers 100" in found.summary


async def test_a_catalogue_of_a_hundred_thousand_offers_is_read(shop: Shop):
    many = "\n".join(f"S{n:06d};1,50;4;1;12" for n in range(95_000))
    head = "sku;unit_cost;lead_time_days;min_order_units;available_units\n"
    await shop.sells(**{f"S{n:06d}": 3.0 for n in range(95_000)})
    await shop.supplier("acme", Reply(head + many, content_type="text/csv"), format="csv")
    found = await shop.check("S000007", deadline_seconds=100)
    assert len(found.offers) == 95_000
    assert item(found, "S000007").offers[0].available_units == 12


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"urgency": "hihg"}, "high"),
        ({"deadline_seconds": 0}, "deadline_seconds is 0"),
        ({"deadline_seconds": float("nan")}, "deadline_seconds is nan"),
        ({"deadline_seconds": 1e9}, "at most 600"),
        ({"items": [7]}, "no list of SKUs"),
        ({"items": ["x"] * 10_001}, "10,001 items"),
    ],
)
async def test_what_is_asked_for_wrongly_is_refused(shop: Shop, params: dict[str, Any], says: str):
    await shop.supplier("acme", rows())
    items = params.pop("items", ["cup"])
    with pytest.raises(InvalidMessage) as caught:
        await shop.check(*items, **params)
    assert says in str(caught.value)
    assert shop.asked["acme"].requests == []


async def test_without_suppliers_there_is_nobody_to_ask(shop: Shop):
    with pytest.raises(ConfigurationError, match="no suppliers"):
        await shop.check("cup")
