"""A partner that is down for an hour: at most the promised number of calls reach it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from blocks.egress import PERSON
from blocks.errors import SourceUnavailable
from blocks.partners.breaker import MINIMUM, OPEN, PROBES
from blocks.partners.memory import SharedMemory
from blocks.partners.partner import Partner
from blocks.partners.quota import PRICE, TOKENS
from tests.integration.blocks.partners.clocks import Fast
from tests.loopback import Reply, serve

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("every", [1.0, 7.0])
async def test_an_hour_of_calls(tmp_path: Path, every: float) -> None:
    clock, end = Fast(), Fast().at + HOUR
    made = 0
    async with serve(lambda _: Reply(status=503 if clock.at < end else 200)) as server:
        while clock.at < end:
            # Each run is a process of its own, and so has a partner and a memory of its own.
            it = Partner(
                "it", reach=PERSON, timeout=5, memory=SharedMemory(tmp_path / "p"), clock=clock
            )
            with pytest.raises(SourceUnavailable) as caught:
                await it.get(server.url)
            made += "HTTP 503" in caught.value.what
            await clock.sleep(every)
        reached = len(server.requests)
        clock.at += OPEN
        assert (await it.get(server.url)).ok
    assert reached <= MINIMUM + PROBES * (HOUR // OPEN) == 610
    assert reached - made <= TOKENS // PRICE == 35  # retries, of which most calls had none
    assert made >= 0.4 * reached  # it was not just left alone
