"""Over a hundred runs killed while they order, and fifty races: judged by the suppliers' books."""

from __future__ import annotations

import pytest

from tests.integration.flows.orchestrator.purchasing.kills import kill_and_judge, race_and_judge
from tests.suppliers import suppliers

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]


async def test_a_hundred_kills_leave_one_order_per_need(ledger_url: str) -> None:
    async with suppliers() as books:
        judged = await kill_and_judge(ledger_url, books, rounds=6)
    print(judged)
    assert judged.kills >= 100
    assert (judged.twice, judged.forgotten) == (0, 0)
    # Each is on the books once, but for those that died before they left and may not be repeated.
    assert (judged.once, judged.asked) == (judged.needs - 6, 12)


async def test_fifty_races_leave_one_order_per_item(ledger_url: str) -> None:
    async with suppliers() as books:
        often = await race_and_judge(ledger_url, books, races=50)
    print(often)
    assert often == {1: 150}
