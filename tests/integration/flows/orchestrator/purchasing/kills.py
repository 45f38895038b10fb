"""Runs that order, each in a process that dies at a named point, judged by the suppliers' books."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from blocks.business.business import Business
from blocks.crash_points import VARIABLE
from blocks.ledger import Ledger
from blocks.ledger.purchasing.records import OrderStage
from blocks.vocabulary.effects import Approval
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.effects.lanes import Lanes
from flows.orchestrator.effects.purchase_orders import purchase_orders
from flows.orchestrator.effects.sweep import sweep
from flows.orchestrator.purchasing.placing import place_orders
from tests.forked import run_script
from tests.integration.flows.orchestrator.purchasing.buyer import Buyer, at
from tests.suppliers import ASKED, KEYED, SILENT, Books, drafts, supplier_at

POINTS = (
    "effect.intended",
    "effect.acting",
    "order.sent",
    "effect.acted",
    "effect.closed",
    "effect.looked-up",
)

DIE = """
import sys
from tests.integration.flows.orchestrator.purchasing.kills import die_all
die_all(*sys.argv[1:])
"""


@dataclass(frozen=True)
class Life:
    """A run that orders one item of one supplier, and where it dies."""

    way: str
    point: str
    number: int

    @property
    def item(self) -> str:
        return f"{self.way}/{self.point}/{self.number}"

    async def live(self, url: str, suppliers_url: str) -> None:
        """Order, and then settle what the lives before have left."""
        business = Business(None, (supplier_at(suppliers_url, self.way),))
        with Ledger.open(url, migrate=False) as ledger:
            await order(ledger, business, self.way, [self.item])
            await settle(ledger, business, days=1)


def lives(rounds: int) -> list[Life]:
    return [
        Life(way, point, number)
        for number in range(rounds)
        for way in (KEYED, ASKED, SILENT)
        for point in POINTS
    ]


async def order(ledger: Ledger, business: Business, way: str, items: Sequence[str]) -> None:
    plan = drafts((way, items))
    await place_orders(Buyer(ledger, business), plan, [], at(Approval.AUTOMATIC))


async def settle(ledger: Ledger, business: Business, days: int) -> None:
    """What the sweeper does, some days later, one supplier after another: a kill hits one act."""

    async def load() -> Business:
        return business

    kind = purchase_orders(ledger, load)
    async with Lanes(at_once=1) as lanes:
        now = utc_now() + timedelta(days=days)
        await sweep(Buyer(ledger, business), {kind.name: kind}, now, lanes=lanes)


def die_all(url: str, suppliers_url: str, rounds: str) -> None:
    """Live each life in a process of its own; prints how each ended."""
    for life in lives(int(rounds)):
        if (child := os.fork()) == 0:
            os.environ[VARIABLE] = life.point
            asyncio.run(life.live(url, suppliers_url))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status))
        sys.stdout.flush()


@dataclass(frozen=True)
class Judged:
    """What the suppliers' books say of runs that died.

    Attributes:
        kills: How many died.
        needs: How many items had to be ordered.
        once: Items that are on the books once.
        twice: Items that are there more often.
        asked: Items of which a person is asked.
        forgotten: Items that are on no book, and of which nobody is asked.
    """

    kills: int
    needs: int
    once: int
    twice: int
    asked: int
    forgotten: int


async def kill_and_judge(url: str, books: Books, rounds: int) -> Judged:
    """Let the runs die, settle what they left, have it all ordered again, and look."""
    Ledger.open(url).close()
    died = await asyncio.to_thread(
        run_script, DIE, url, books.server.url, str(rounds), timeout=600.0
    )
    assert not died.stderr, died.stderr
    business = books.business(KEYED, ASKED, SILENT)
    all_lives = lives(rounds)
    with Ledger.open(url) as ledger:
        for days in (1, 2, 3):
            await asyncio.gather(*(settle(ledger, business, days) for _ in range(2)))
        for way in (KEYED, ASKED, SILENT):
            for life in all_lives:
                if life.way == way:  # the next run finds that it is still needed
                    await order(ledger, business, way, [life.item])
        unknown = {
            line.sku
            for each in await ledger.orders.list([OrderStage.UNKNOWN], limit=10_000)
            for line in each.lines
        }
        asked = {question.resource for question in await ledger.approvals.list(limit=10_000)}
    assert bool(unknown) == bool(asked)
    often = Counter({life.item: books.items[life.item] for life in all_lives})
    return Judged(
        kills=died.stdout.split().count(str(-signal.SIGKILL)),
        needs=len(all_lives),
        once=sum(number == 1 for number in often.values()),
        twice=sum(number > 1 for number in often.values()),
        asked=len(unknown),
        forgotten=sum(number == 0 and item not in unknown for item, number in often.items()),
    )


RACE = """
import sys
from tests.integration.flows.orchestrator.purchasing.kills import race
race(*sys.argv[1:])
"""


def race(url: str, suppliers_url: str, races: str) -> None:
    """Two processes that order the same items, one race after the other, as close as they can."""
    runs = []
    for own in range(2):
        if (child := os.fork()) == 0:
            asyncio.run(_race(url, suppliers_url, int(races), own))
            os._exit(0)
        runs.append(child)
    for child in runs:
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status))


async def _race(url: str, suppliers_url: str, races: int, own: int) -> None:
    ways = (KEYED, ASKED, SILENT)
    business = Business(None, tuple(supplier_at(suppliers_url, way) for way in ways))
    with Ledger.open(url, migrate=False) as ledger:
        for number in range(races):
            # Each wants what the other wants, and not in the same order.
            items = [f"race-{number}/{item}" for item in ("abc", "cab")[own]]
            await order(ledger, business, ways[number % 3], items)


async def race_and_judge(url: str, books: Books, races: int) -> Counter[int]:
    """Let two runs race for the same items; how many items are on the books how often."""
    Ledger.open(url).close()
    raced = await asyncio.to_thread(
        run_script, RACE, url, books.server.url, str(races), timeout=600.0
    )
    assert raced.stdout.split() == ["0", "0"], raced.stderr
    items = [f"race-{number}/{item}" for number in range(races) for item in "abc"]
    return Counter(books.items[item] for item in items)
