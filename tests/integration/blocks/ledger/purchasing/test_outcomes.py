"""Outcomes of order lines in the ledger, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from blocks.ledger import Ledger
from tests.orders import NOON, effect_of, order
from tests.unit.flows.orchestrator.purchasing.histories import outcome


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url) as ledger:
        yield ledger


async def test_they_read_back_as_they_were_kept_in_the_order_they_were_settled(ledger: Ledger):
    late, early = outcome(9, -1.23, bad="Wrong."), outcome(3, None, group="rum", order="o")
    untold = early.model_copy(update={"value": None, "detail": {"untold": "Nobody knows."}})
    await ledger.order_outcomes.keep([late, untold])
    assert await ledger.order_outcomes.list() == [untold, late]
    assert await ledger.order_outcomes.list(group="rum") == [untold]
    assert late.savings == Decimal("-1.23")
    await ledger.order_outcomes.keep([])


async def test_what_is_settled_stays_as_it_is(ledger: Ledger):
    first = outcome(3, 5.0)
    await ledger.order_outcomes.keep([first])
    await ledger.order_outcomes.keep([outcome(3, -99.0), outcome(3, 1.0, sku="rum")])
    assert [found.savings for found in await ledger.order_outcomes.list()] == [1, 5]
    assert await ledger.order_outcomes.settled_of(["order-3", "other"]) == {
        ("order-3", "tea"),
        ("order-3", "rum"),
    }


async def test_orders_are_unsettled_until_each_of_their_lines_is(ledger: Ledger):
    both, old = order("tea", "rum"), order("oil", proposed_at=NOON - timedelta(days=300))
    for each in (both, old):
        assert await ledger.orders.propose(each, effect_of(each)) is not None
    since = NOON - timedelta(days=200)

    async def unsettled() -> list[str]:
        return [found.id for found in await ledger.order_outcomes.unsettled(since)]

    assert await unsettled() == [both.id]
    await ledger.order_outcomes.keep([outcome(0, 1.0, order=both.id, sku="tea")])
    assert await unsettled() == [both.id]
    await ledger.order_outcomes.keep([outcome(0, None, order=both.id, sku="rum")])
    assert await unsettled() == []
    assert len(await ledger.order_outcomes.unsettled(NOON - timedelta(days=301))) == 1
