"""Critical inventory on real data: drafts that explain themselves, and nothing sent."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from prefect import flow

from agents.data_intelligence.predictive_analytics.baskets.drafts import Hold, PurchasePlan
from blocks.ledger import Ledger
from blocks.ledger.purchasing.records import OrderStage
from blocks.ledger.work.approvals import ApprovalStatus
from blocks.vocabulary.messages import Outcome, utc_now
from flows.critical_inventory import critical_inventory
from flows.daily_health_check import daily_health_check
from flows.internal.apply_approval import apply_approval
from flows.orchestrator.approvals.answering import answer_question
from flows.orchestrator.purchasing.by_hand import mark_received
from flows.orchestrator.team.fetching import (
    Fetched,
    fetch_everything,
    fetch_with_last_offers,
    with_offers_of_now,
)
from flows.orchestrator.team.opening import workflow_run
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
    assert titles[:3] == ["Critical stock", "Suppliers", "Draft orders"]
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
    (asked,) = [section for section in report.sections if section.title == "Suppliers"]
    remarks = {row[0]: str(row[-1]) for row in asked.tables[0].rows}
    assert "'globex' answered HTTP 500" in remarks["globex"]
    assert "What it offered 0 hours ago counts" in remarks["globex"]
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


async def test_what_nobody_offers_any_more_is_not_drafted_by_what_was_offered_before(shop: Shop):
    shop.answers |= {"acme": offers(BEST), "globex": offers(BEST)}
    empty_the_shelf(shop, BEST)
    _, before = await ran(critical_inventory)
    assert BEST in lines_of(before.orders)
    shop.answers |= {"acme": Reply("[]"), "globex": Reply("[]")}
    _, report = await ran(critical_inventory)
    assert report.orders.orders == []
    assert BEST in [item.sku for item in report.orders.held if item.hold is Hold.NO_OFFER]


async def test_where_nobody_could_be_asked_the_prices_are_taken_for_old(shop: Shop, ledger: Ledger):
    shop.answers |= {"acme": offers(BEST), "globex": offers(BEST)}
    await ran(critical_inventory)

    @flow
    async def looks() -> Fetched:
        async with workflow_run("critical-inventory") as team:
            fetched = await fetch_with_last_offers(team)
            return await with_offers_of_now(team, fetched, [""])  # no SKU: the question is refused

    fetched = await looks()
    assert fetched.replies[-1].error is not None
    kept = {name: await ledger.snapshots.latest(f"supplier:{name}") for name in ("acme", "globex")}
    assert fetched.down == {name: offered.taken_at for name, offered in kept.items() if offered}


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


async def test_suppliers_are_asked_once_for_what_they_have_now(shop: Shop):
    shop.answers |= {
        "acme": offers(BEST, days=3, available_units=30),
        "globex": offers(BEST, days=9, cost=1.2, available_units=12),
    }
    empty_the_shelf(shop, BEST)
    await ran(critical_inventory)
    before = len(shop.requests)
    shop.answers["acme"] = offers(BEST, days=3, cost=1.4, available_units=20)
    _, report = await ran(critical_inventory)
    asked = [request.path.split("/")[1] for request in shop.requests[before:]]
    assert (asked.count("acme"), asked.count("globex")) == (1, 1)
    (section,) = [section for section in report.sections if section.title == "Suppliers"]
    has = {(row[0], row[1]): row[2] for row in section.tables[1].rows}
    assert has[BEST, "acme"] == 20
    bought = {
        order.supplier: line
        for order in report.orders.orders
        for line in order.lines
        if line.sku == BEST
    }
    assert bought
    assert all(line.units <= {"acme": 20, "globex": 12}[name] for name, line in bought.items())
    if "acme" in bought:
        assert bought["acme"].unit_cost == Decimal("1.4")


async def test_an_item_that_the_suppliers_are_out_of_is_held_and_told(shop: Shop):
    shop.answers |= {"acme": offers(BEST, available_units=0), "globex": offers("84879")}
    empty_the_shelf(shop, BEST)
    _, report = await ran(critical_inventory)
    (held,) = [item for item in report.orders.held if item.sku == BEST]
    assert held.hold is Hold.UNAVAILABLE
    assert "acme: it has 0 and takes no order below 10" in held.reason


async def test_a_price_that_cannot_be_meant_is_not_ordered_at(shop: Shop):
    shop.answers |= {"acme": offers(BEST, cost=150), "globex": offers("84879")}
    empty_the_shelf(shop, BEST)
    _, report = await ran(critical_inventory)
    (held,) = [item for item in report.orders.held if item.sku == BEST]
    assert "times its selling price" in held.reason
    (section,) = [section for section in report.sections if section.title == "Suppliers"]
    row = next(row for row in section.tables[1].rows if row[0] == BEST)
    assert "times its selling price" in str(row[-1])
    assert "supplier-offers-refused" in {finding.kind for finding in report.findings}


async def test_a_draft_becomes_an_order_once_and_a_yes_sends_it(shop: Shop, ledger: Ledger):
    shop.answers |= {"acme": offers(BEST), "globex": offers("84879")}
    empty_the_shelf(shop, BEST)
    shop.description["suppliers"][0]["ordering"] = {"via": "api", "orders_path": "orders"}
    shop.configure()
    _, looked = await ran(critical_inventory, place=False)
    assert "Orders" not in [section.title for section in looked.sections]
    assert await ledger.orders.list() == []

    _, report = await ran(critical_inventory)
    (order,) = await ledger.orders.list()
    assert (order.supplier, order.stage) == ("acme", OrderStage.PROPOSED)
    assert BEST in [line.sku for line in order.lines]
    (section,) = [section for section in report.sections if section.title == "Orders"]
    assert order.reference in [row[0] for row in section.tables[0].rows]
    assert "1 waiting for a yes" in report.headline
    assert [(placed.reference, placed.stage) for placed in report.placed] == [
        (order.reference, OrderStage.PROPOSED)
    ]
    (question,) = await ledger.approvals.list(ApprovalStatus.OPEN)
    assert "acme" in question.title

    _, again = await ran(critical_inventory)
    assert BEST not in lines_of(again.orders)
    assert "It is in an order of" in again.orders.covered[BEST]
    assert BEST in [row[0] for row in again.sections[0].tables[0].rows], "a question brings none"
    assert [each.reference for each in await ledger.orders.list()] == [order.reference]

    answered = await answer_question(ledger, question.id, True, by="ann", via="cli")
    assert answered.counted
    await apply_approval(question.id)  # no worker runs here
    assert (await ledger.orders.get(order.id)).stage is OrderStage.SENT
    _, third = await ran(critical_inventory)
    assert BEST not in lines_of(third.orders)

    @flow
    async def looks() -> set[str]:
        async with workflow_run("sequential-workflow") as team:
            fetched = await fetch_everything(team)
        return set(fetched.snapshot.frames["open_orders"]["order_id"])

    assert order.reference in await looks(), "every workflow knows what is on its way"
    assert len(await ledger.orders.list()) == 1


async def test_what_a_person_says_came_is_not_ordered_again_before_it_is_counted(
    shop: Shop, ledger: Ledger
):
    shop.answers |= {"acme": offers(BEST), "globex": offers("84879")}
    empty_the_shelf(shop, BEST)
    shop.description["suppliers"][0]["ordering"] = {"via": "api", "orders_path": "orders"}
    shop.configure()
    await ran(critical_inventory)
    (order,) = await ledger.orders.list()
    (question,) = await ledger.approvals.list(ApprovalStatus.OPEN)
    await answer_question(ledger, question.id, True, by="ann", via="cli")
    await apply_approval(question.id)
    await mark_received(ledger, order.reference, {}, by="ann", now=utc_now())
    assert (await ledger.orders.get(order.id)).stage is OrderStage.RECEIVED
    _, report = await ran(critical_inventory)
    assert BEST not in lines_of(report.orders), "the store has not counted it yet"
    assert BEST in [row[0] for row in report.sections[0].tables[0].rows], "and it is missing still"
