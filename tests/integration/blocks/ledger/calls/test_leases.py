"""No instance exceeds its capacity: across tasks, processes and crashes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from datetime import timedelta

from blocks.ledger import Ledger
from blocks.ledger.calls.leases import Lease
from blocks.settings import PROJECT_ROOT
from blocks.vocabulary.messages import new_id, utc_now

CAPACITY = 3

TAKER = """
import asyncio, sys
from tests.integration.blocks.ledger.calls.test_leases import take_many
asyncio.run(take_many(sys.argv[1], int(sys.argv[2])))
"""


def lease(instance: str = "a", seconds: float = 60) -> Lease:
    now = utc_now()
    return Lease(
        id=new_id(),
        instance=instance,
        agent="a",
        taken_at=now,
        expires_at=now + timedelta(seconds=seconds),
    )


def within_capacity(wanted: Lease):
    """As dispatch does: take a slot only while there is one."""
    return lambda workload: wanted if workload.get(wanted.instance, 0) < CAPACITY else None


async def take_many(url: str, times: int) -> None:
    """Take slots as often as told, keep them, and say how many there were."""
    with Ledger.open(url) as ledger:
        taken = await asyncio.gather(
            *(ledger.leases.take(utc_now(), within_capacity(lease())) for _ in range(times))
        )
        print(sum(taken), flush=True)
        sys.stdin.readline()


async def test_those_who_choose_at_once_share_what_is_free(ledger_url):
    with Ledger.open(ledger_url) as ledger:
        wanted = [lease() for _ in range(10)]
        taken = await asyncio.gather(
            *(ledger.leases.take(utc_now(), within_capacity(each)) for each in wanted)
        )
        assert sum(taken) == CAPACITY
        assert await ledger.leases.workload(utc_now()) == {"a": CAPACITY}

        first = wanted[taken.index(True)]
        ledger.leases.release(first.id)
        assert await ledger.leases.take(utc_now(), within_capacity(lease()))
        assert not await ledger.leases.take(utc_now(), within_capacity(lease()))
        assert await ledger.leases.take(utc_now(), within_capacity(lease("b")))


def start_taker(url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", TAKER, url, "5"],
        cwd=PROJECT_ROOT,
        env=os.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_processes_share_the_slots_and_a_killed_one_gives_them_back(ledger_url):
    with Ledger.open(ledger_url) as ledger:
        takers = [start_taker(ledger_url) for _ in range(3)]
        counts = [int(await asyncio.to_thread(taker.stdout.readline)) for taker in takers]
        assert sum(counts) == CAPACITY
        for taker in takers:
            taker.send_signal(signal.SIGKILL)
            taker.communicate()
        assert await ledger.leases.workload(utc_now()) == {"a": CAPACITY}
        later = utc_now() + timedelta(seconds=61)
        assert await ledger.leases.workload(later) == {}, "an expired slot is free"
        assert await ledger.leases.take(later, within_capacity(lease()))
