"""Days of the sample business, one after the other, each lived through in seconds.

Each day the store is filled up to the day before, with the goods that came; its suppliers, on
loopback with books of their own, are asked how the orders stand; critical items are looked for,
orders drafted and placed as far as they are let; and a buyer says yes to whatever is asked. On the
first days the suppliers fail as real ones do. Everything is done by the functions that the
workflows call; only the days are handed to them.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd

from agents.calls import Toolbox
from agents.data_intelligence.predictive_analytics.critical_stock import identify_critical_stock
from agents.data_intelligence.predictive_analytics.purchasing.judging import judge_orders
from agents.data_intelligence.predictive_analytics.purchasing.proposing import propose_orders
from benchmarks.week.suppliers import Suppliers, suppliers_on_loopback
from blocks.business.business import Business
from blocks.ledger import Ledger, RunRecord
from blocks.ledger.purchasing.outcomes import OrderOutcome
from blocks.ledger.purchasing.records import OrderRecord, OrderStage
from blocks.ledger.work.approvals import ApprovalRecord, ApprovalStatus
from blocks.policy.policy import Policy
from blocks.settings import get_settings
from blocks.vocabulary.frames import Snapshot
from blocks.vocabulary.messages import new_id, utc_now
from deployments.sample.ordering.books import deliveries
from deployments.sample.store import TIMEZONE, fill_store
from flows.orchestrator.dispatch.context import RunContext
from flows.orchestrator.effects.answers import do_what_was_let
from flows.orchestrator.effects.purchase_orders import purchase_orders
from flows.orchestrator.effects.sweep import sweep
from flows.orchestrator.purchasing.arriving import take_arrivals
from flows.orchestrator.purchasing.autonomy import levels
from flows.orchestrator.purchasing.following import follow_orders
from flows.orchestrator.purchasing.placing import place_orders
from flows.orchestrator.team.netting import with_orders_under_way
from flows.reports.model import PlacedOrder

TROUBLES = [
    {"northwind-wholesale": "accept-and-time-out", "midland-express": "raise-the-price"},
    {"northwind-wholesale": "confirm-less", "midland-express": "confirm-less"},
    {"northwind-wholesale": "confirm-twice", "continental-import": "accept-and-time-out"},
    {"northwind-wholesale": "html-200", "midland-express": "accept-and-time-out"},
    {"northwind-wholesale": "raise-the-price", "midland-express": "html-200"},
]
"""Who suffers from what on the first days."""


class Buyer(RunContext):
    """Who orders: a run without Prefect, whose questions stand in the ledger."""

    async def escalate(self, record: ApprovalRecord) -> ApprovalRecord:
        """See RunContext."""
        return await self.ledger.approvals.ask(record)


@dataclass
class Day:
    """What a day brought.

    Attributes:
        day: Of the shop.
        troubles: Which supplier suffered from what.
        critical: Items that ran low.
        placed: What became of the drafts, before anybody answered.
        answered: Questions that were answered yes.
        faults: What could not be found out, in words.
        stages: How many orders stand where, at the end of the day.
    """

    day: date
    troubles: dict[str, str] = field(default_factory=dict)
    critical: int = 0
    placed: list[PlacedOrder] = field(default_factory=list)
    answered: int = 0
    faults: list[str] = field(default_factory=list)
    stages: Counter[OrderStage] = field(default_factory=Counter)


@dataclass(frozen=True)
class Lived:
    """What came of some days.

    Attributes:
        days: One after the other.
        orders: All orders, as they stand at the end, proposed at the shop's day.
        outcomes: Of those of their lines whose days were over by then.
    """

    days: list[Day]
    orders: list[OrderRecord]
    outcomes: list[OrderOutcome]


async def live(folder: Path, first: date, days: int) -> Lived:
    """Let days of the sample business pass.

    Args:
        folder: Everything lies there; empty.
        first: The shop's first day, today or later: the orders are on record as of today.
        days: How many.
    """
    with suppliers_on_loopback(folder) as suppliers:
        os.environ["ORCHESTRATOR_BUSINESS_FILE"] = str(suppliers.business_file)
        os.environ["ORCHESTRATOR_STATE_DIR"] = str(folder)
        get_settings.cache_clear()
        with Ledger.open(f"sqlite:///{folder / 'ledger.db'}") as ledger:
            passed = [
                await _pass(ledger, suppliers, first + timedelta(days=number), number)
                for number in range(days)
            ]
            orders = _on_their_days(passed, await ledger.orders.list(limit=1000))
            store = Business.from_toml(suppliers.business_file).store
            assert store is not None, "the sample has one"
            now = _noon(passed[-1].day)
            judged = judge_orders(await store.read_snapshot(now), orders, now)
            return Lived(passed, orders, judged.outcomes)


def _on_their_days(days: Sequence[Day], orders: Sequence[OrderRecord]) -> list[OrderRecord]:
    """Orders as of the shop's day on which they were proposed, and sent where they were."""
    noons = {placed.reference: _noon(day.day) for day in days for placed in day.placed}
    return [
        order.model_copy(
            update={
                "proposed_at": noons[order.reference],
                "sent_at": order.sent_at and noons[order.reference],
            }
        )
        for order in orders
    ]


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), ZoneInfo(TIMEZONE))


async def _pass(ledger: Ledger, suppliers: Suppliers, day: date, number: int) -> Day:
    told = Day(day, TROUBLES[number] if number < len(TROUBLES) else {})
    now = _noon(day)
    suppliers.day = day
    suppliers.suffer(told.troubles)
    fill_store(suppliers.store_url, day, deliveries(suppliers.folder))
    business = Business.from_toml(suppliers.business_file)
    run = RunRecord(id=new_id(), workflow="critical-inventory", started_at=utc_now())
    buyer = Buyer(run, Toolbox(ledger, business), Policy())

    under_way = await ledger.orders.under_way()
    snapshot = await _look(buyer, business, under_way, now)
    kind = purchase_orders(ledger)
    told.faults = await sweep(buyer, {kind.name: kind}, now)
    told.faults += await follow_orders(buyer, business, now)
    critical = identify_critical_stock(snapshot, now)
    told.critical = len(critical.items)
    terms = {supplier.name: supplier.terms for supplier in business.suppliers}
    plan = propose_orders(snapshot, now, terms, critical=critical)
    level_of = await levels(ledger, buyer.policy, now)
    told.placed = await place_orders(buyer, plan, under_way, level_of)
    told.answered = await _say_yes(buyer)
    told.stages = Counter(order.stage for order in await ledger.orders.list(limit=1000))
    return told


async def _look(
    buyer: Buyer, business: Business, under_way: Sequence[OrderRecord], now: datetime
) -> Snapshot:
    """The store and the offers as ``critical-inventory`` sees them."""
    assert business.store is not None, "the sample has one"
    snapshot = await business.store.read_snapshot(now)
    answers = await asyncio.gather(*(s.fetch_offers(now) for s in business.suppliers))
    offers = pd.concat([answer.frame for answer in answers], ignore_index=True)
    snapshot = replace(snapshot, frames={**snapshot.frames, "offers": offers})
    await take_arrivals(buyer.ledger, under_way, snapshot, now)
    return with_orders_under_way(snapshot, under_way)


async def _say_yes(buyer: Buyer) -> int:
    """Answer what is asked about orders that are proposed; what is unknown stays a question."""
    answered = 0
    proposed = await buyer.ledger.orders.list(stages=[OrderStage.PROPOSED], limit=1000)
    for order in proposed:
        assert order.approval_id is not None, "it waits for a yes"
        question = await buyer.ledger.approvals.get(order.approval_id)
        if question.status is ApprovalStatus.OPEN:
            yes, _ = await buyer.ledger.approvals.answer(
                question.id, True, by="the buyer", via="benchmark", now=utc_now()
            )
            await do_what_was_let(buyer, yes)
            answered += 1
    return answered
