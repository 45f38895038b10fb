"""Critical inventory on real data: drafts that explain themselves, and nothing sent."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from agents.data_intelligence.predictive_analytics.baskets.drafts import Hold, PurchasePlan
from blocks.ledger import Ledger
from blocks.vocabulary.messages import Outcome
from flows.critical_inventory import critical_inventory
from flows.daily_health_check import daily_health_check
from flows.reports.last_orders import last_orders
from tests.integration.flows.seen import ran
from tests.integration.flows.shop import SICK, Shop
from tests.loopback import Reply

pytestmark = pytest.mark.prefect

BEST = "85123A"
"""A best seller that both suppliers offer."""


def offers(*skus: str, days: float = 4, cost: float = 1.5, **more: object) -> Reply:
    terms = {"unit_cost": cost, "lead_time_days": days, "min_order_units": 10} | more
    return Reply(json.dumps([{"sku": sku} | terms for sku in skus]))


def empty_the_shelf(shop: Shop, *skus: str) -> None:
    for sku in skus:
        shop.sql(
            f"UPDATE stock SET on_hand = 0, backordered = 40 WHERE sku = '{sku}'",
            f"DELETE FROM purchase_orders WHERE sku = '{sku}' AND received_at IS NULL",
        )


def lines_of(plan: PurchasePlan) -> dict[str, str]:
    return {line.sku: order.supplier for order in plan.orders for line in order.lines}


async def test_what_is_owed_is_first_and_drafted_with_its_reasons(shop: Shop, ledger: Ledger):
    shop.answers |= {
        "acme": offers(BEST, "22423", pack_units=12),
        "globex": offers(BEST, "84879", cost=1.2, days=9),
    }
    empty_the_shelf(shop, BEST)
    _, report = await ran(critical_inventory)
    assert report.outcome is Outcome.SUCCEEDED
    assert "owed to customers" in report.headline
    assert "draft order" in report.headline
    assert report.findings[0].severity >= "warning"

    plan = report.orders
    assert plan is not None
    assert BEST in lines_of(plan)
    for order in plan.orders:
        assert order.supplier in ("acme", "globex")
        assert order.total == order.goods + order.freight
        assert order.goods == sum((line.value for line in order.lines), Decimal(0))
        for line in order.lines:
            assert line.units % line.pack_units == 0
            assert line.value == line.unit_cost * line.units
            assert line.why_item
            assert line.why_units
            assert line.why_supplier
            assert set(line.rules) == {"Tryton", "Odoo", "ERPNext"}
    assert {item.hold for item in plan.held} >= {Hold.NO_OFFER}, "most are offered by nobody"
    titles = [section.title for section in report.sections]
    assert titles[:2] == ["Critical stock", "Draft orders"]
    assert "Held for a person" in titles

    found = await last_orders(ledger)
    assert (found.run_id, found.plan) == (report.run_id, plan)


async def test_what_was_ordered_is_not_ordered_again(shop: Shop):
    shop.answers |= {"acme": offers(BEST), "globex": offers(BEST)}
    empty_the_shelf(shop, BEST)
    _, report = await ran(critical_inventory)
    (line,) = [x for order in report.orders.orders for x in order.lines if x.sku == BEST]
    shop.sql(
        "INSERT INTO purchase_orders (order_id, supplier, sku, units, unit_cost, ordered_at,"
        f" expected_at) VALUES ('drafted', 'midland-express', '{BEST}', {line.units}, 1.5,"
        " '2020-01-01', '2020-01-02')"  # and overdue ever since
    )
    _, report = await ran(critical_inventory)
    assert BEST not in lines_of(report.orders)
    assert "chase" in report.orders.covered[BEST]


async def test_a_supplier_that_is_down_costs_no_item_its_lead_time_nor_its_draft(
    shop: Shop, ledger: Ledger
):
    shop.answers |= {"acme": offers("22423", days=30), "globex": offers(BEST, days=20)}
    empty_the_shelf(shop, BEST)
    _, before = await ran(critical_inventory)
    shop.answers["globex"] = SICK
    state, report = await ran(critical_inventory)
    assert (state.name, report.outcome) == ("Partial", Outcome.PARTIAL)
    assert any("'globex' answered HTTP 500" in line for line in report.missing)
    assert lines_of(report.orders) == lines_of(before.orders)
    (order,) = [order for order in report.orders.orders if order.supplier == "globex"]
    assert "globex did not answer: prices and lead times are those of" in order.notes[0]
    why = {row[0]: str(row[-1]) for row in report.sections[0].tables[0].rows}
    assert "globex did not answer" in why[BEST]
    assert (await ledger.snapshots.latest("supplier:globex")) is not None
    # The daily check goes by the same lead time.
    _, daily = await ran(daily_health_check)
    (stock,) = [section for section in daily.sections if section.title == "Stock at risk"]
    lead = stock.tables[0].columns.index("Lead time (days)")
    assert {row[lead] for row in stock.tables[0].rows if row[0] == BEST} == {20}


async def test_nothing_is_drafted_of_a_supplier_that_never_answered(shop: Shop):
    shop.answers |= {"acme": SICK, "globex": SICK}
    empty_the_shelf(shop, BEST)
    _, report = await ran(critical_inventory)
    assert report.orders.orders == []
    assert {item.hold for item in report.orders.held} == {Hold.NO_OFFER}
    assert any("none has answered yet" in line for line in report.missing)


async def test_a_budget_is_kept(shop: Shop):
    shop.answers |= {"acme": offers(BEST, "22423"), "globex": offers(BEST, "84879")}
    empty_the_shelf(shop, BEST, "22423", "84879")
    _, report = await ran(critical_inventory, budget=20)
    assert 0 < report.orders.total <= 20
    assert Hold.BUDGET in {item.hold for item in report.orders.held}


async def test_a_record_that_cannot_be_read_is_held_and_not_acted_on(shop: Shop):
    shop.answers |= {"acme": offers(BEST), "globex": offers(BEST)}
    empty_the_shelf(shop, BEST)
    shop.sql(f"UPDATE stock SET on_hand = 'plenty' WHERE sku = '{BEST}'")
    _, report = await ran(critical_inventory)
    assert BEST not in lines_of(report.orders)
    held = [item for item in report.orders.held if item.hold is Hold.INVALID]
    assert any(item.sku == BEST and "nobody knows its stock" in item.reason for item in held)


async def test_terms_are_the_suppliers_of_the_business_file(shop: Shop):
    shop.answers |= {"acme": offers(BEST), "globex": offers("84879")}
    empty_the_shelf(shop, BEST)
    shop.description["suppliers"][0]["terms"] = {"freight": 12.5, "free_freight_from": 1e9}
    shop.configure()
    _, report = await ran(critical_inventory)
    (order,) = [order for order in report.orders.orders if order.supplier == "acme"]
    assert (order.freight, order.total) == (Decimal("12.5"), order.goods + Decimal("12.5"))
