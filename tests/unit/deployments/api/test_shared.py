"""A costly value is made once for all who ask at once, and anew after a failure."""

from __future__ import annotations

import asyncio

import pytest

from blocks.errors import LedgerUnavailable
from deployments.api.context import Shared


async def test_made_once_for_all_who_ask_at_once():
    made = []

    async def make() -> int:
        await asyncio.sleep(0)
        made.append(len(made))
        return made[-1]

    kept = Shared(make, fresh=3600)
    assert await asyncio.gather(*(kept.get() for _ in range(10))) == [0] * 10
    assert await kept.get() == 0


async def test_what_took_long_is_given_out_for_longer():
    made = []

    async def make() -> int:
        await asyncio.sleep(0.05)
        made.append(len(made))
        return made[-1]

    slow = Shared(make, fresh=0, share=1e-6)  # 0.05 s of 14 hours
    assert [await slow.get() for _ in range(3)] == [0, 0, 0]


async def test_a_failure_is_nobodys_value():
    tries = []

    async def make() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise LedgerUnavailable("It is locked.")
        return "made"

    kept = Shared(make, fresh=3600)
    with pytest.raises(LedgerUnavailable):
        await kept.get()
    assert await kept.get() == "made"
