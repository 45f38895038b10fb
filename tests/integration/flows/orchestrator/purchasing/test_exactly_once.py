"""kill -9 at every point of an order's way, and two runs at once: one order per need."""

from __future__ import annotations

from tests.integration.flows.orchestrator.purchasing.kills import (
    Judged,
    kill_and_judge,
    race_and_judge,
)
from tests.suppliers import suppliers


async def test_whoever_dies_over_it_each_supplier_has_each_order_once(ledger_url: str) -> None:
    async with suppliers() as books:
        judged = await kill_and_judge(ledger_url, books, rounds=1)
    # Of the supplier that can neither be asked nor told twice nobody knows two orders: one whose
    # run died before it left, and one whose run died before it heard the answer.
    assert judged == Judged(kills=18, needs=18, once=17, twice=0, asked=2, forgotten=0)


async def test_of_two_runs_that_want_the_same_items_one_orders_them(ledger_url: str) -> None:
    async with suppliers() as books:
        assert await race_and_judge(ledger_url, books, races=9) == {1: 27}
