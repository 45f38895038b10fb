"""kill -9 at each point of a webhook's way: never lost, and sent again only with the same id."""

from __future__ import annotations

import asyncio
import signal
from datetime import timedelta

import pytest
from sqlalchemy import update

from blocks.crash_points import VARIABLE
from blocks.ledger import Ledger
from blocks.ledger.webhooks.deliveries import Search
from blocks.ledger.work.effects import WEBHOOK
from blocks.ledger.work.tables import EFFECTS
from blocks.vocabulary.effects import EffectStatus
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.effects.sweep import sweep
from flows.orchestrator.effects.webhooks import webhooks
from tests.effects import Clerk
from tests.endpoints import endpoint, event, in_time, look, numbers, webhook_id
from tests.forked import run_script
from tests.loopback import HANG, Loopback, Reply, serve
from tests.waiting import until

DIE = """
import asyncio, sys
from blocks.ledger import Ledger
from tests.endpoints import endpoint, look
url, server = sys.argv[1:]
with Ledger.open(url, migrate=False) as ledger:
    asyncio.run(look(ledger, endpoint("acme", server)))
"""

POINTS = {
    "webhooks.shared": 0,
    "effect.acting": 0,
    "webhook.sent": 1,
    "effect.acted": 1,
    "effect.closed": 1,
}
"""Where the process dies, and how many webhooks had arrived by then."""


@pytest.mark.parametrize("point", POINTS)
async def test_a_webhook_survives_the_death_of_who_sends_it(ledger_url: str, point: str) -> None:
    with Ledger.open(ledger_url) as ledger:
        await ledger.partner_events.tell([event(1)])
        async with serve(Reply("ok")) as server:
            died = await asyncio.to_thread(
                run_script, DIE, ledger_url, server.url, **{VARIABLE: point}
            )
            assert died.returncode == -signal.SIGKILL, died.stderr
            assert len(server.requests) == POINTS[point]
            past = utc_now() - timedelta(seconds=1)
            leased = update(EFFECTS).where(EFFECTS.c.lease.is_not(None)).values(lease=past)
            await ledger._access.change(leased)
            await sweep(Clerk(ledger), {WEBHOOK: webhooks(ledger)}, utc_now())
            await in_time(ledger, timedelta(seconds=10))
            await look(ledger, endpoint("acme", server.url))
            await look(ledger, endpoint("acme", server.url))
            assert set(numbers(server.requests)) == {1}
            assert len({webhook_id(each) for each in server.requests}) == 1
            is_sent_twice = point in ("webhook.sent", "effect.acted")
            assert len(server.requests) == 1 + is_sent_twice
        [delivery] = await ledger.deliveries.found(Search())
        assert delivery.status is EffectStatus.DONE
        assert await ledger.approvals.list() == [], "nobody need be asked"


async def received(server: Loopback) -> bool:
    return bool(server.requests)


async def test_who_is_called_off_while_sending_sends_it_again(ledger_url: str) -> None:
    with Ledger.open(ledger_url) as ledger:
        await ledger.partner_events.tell([event(1)])
        async with serve(HANG) as server:
            sending = asyncio.create_task(look(ledger, endpoint("acme", server.url)))
            await until(lambda: received(server), "the webhook")
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        [delivery] = await ledger.deliveries.found(Search())
        assert delivery.status is EffectStatus.INTENDED
        assert await ledger.approvals.list() == []
