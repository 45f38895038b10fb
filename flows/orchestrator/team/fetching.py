"""Everything the analysis needs to know, fetched at once: the store and its suppliers' offers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import pandas as pd

from agents.calls import Reply
from agents.integration_specialist.external_connections.delivery_times import (
    learn,
    with_learned_times,
)
from agents.integration_specialist.external_connections.supplier_inventory import MOST_ASKED
from blocks.business.snapshots import last_offers
from blocks.ledger.purchasing.records import OrderRecord, OrderStage
from blocks.policy.policy import INTEGRATION
from blocks.vocabulary.frames import Problem, Snapshot
from flows.orchestrator.team.netting import with_orders_under_way
from flows.orchestrator.team.team import Orchestrator


@dataclass(frozen=True)
class Fetched:
    """What came of a fetch.

    Attributes:
        replies: One per source, the store's first.
        snapshot: The store's frames with ``offers`` of all suppliers, and with our orders that are
            let and under way among its ``open_orders``; None when the store could not be had at
            all.
        down: Suppliers that did not answer, with the time of the offers that stand in for theirs.
        asked: Suppliers that were asked, and answered.
        under_way: Our orders that were under way before the store was read, those included that
            wait for a yes.
    """

    replies: list[Reply]
    snapshot: Snapshot | None
    down: Mapping[str, datetime] = field(default_factory=dict)
    asked: Sequence[str] = ()
    under_way: Sequence[OrderRecord] = ()

    @property
    def proposed(self) -> list[OrderRecord]:
        """Our orders that wait for a yes: nothing is on its way of them."""
        return [order for order in self.under_way if order.stage is OrderStage.PROPOSED]


async def fetch_everything(team: Orchestrator) -> Fetched:
    """Fetch the store and every supplier's offers side by side.

    For a supplier that fails stands what it offered last: its lead times hold.
    """
    return await _fetch(team, [supplier.name for supplier in team.business.suppliers])


async def fetch_with_last_offers(team: Orchestrator) -> Fetched:
    """Fetch the store; of each supplier counts what it offered last.

    Only those of whom nothing is kept are asked; ``with_offers_of_now`` asks the others.
    """
    names = [supplier.name for supplier in team.business.suppliers]
    kept = await asyncio.gather(*(last_offers(name, team.ledger) for name in names))
    unknown = [name for name, offers in zip(names, kept, strict=True) if offers is None]
    return await _fetch(team, unknown)


async def with_offers_of_now(team: Orchestrator, fetched: Fetched, skus: Sequence[str]) -> Fetched:
    """What was fetched with what the suppliers offer now, who were not asked yet.

    Args:
        team: The run.
        fetched: As it came; without a snapshot the offers are asked for and kept all the same.
        skus: Items that are to be told of one by one, most important first.
    """
    if not team.business.suppliers:
        return fetched
    wanted = {"items": list(skus[:MOST_ASKED]), "urgency": "high", "asked": [*fetched.asked]}
    reply = await team.ask(INTEGRATION, "check_supplier_inventory", wanted)
    fetched.replies.append(reply)
    if not reply.ok:
        return replace(fetched, down=await _not_heard_of(team, fetched.asked))
    if fetched.snapshot is None:
        return fetched
    found = reply.result
    problems = [Problem("offers", "", text) for text in found.missing]
    snapshot = replace(fetched.snapshot, problems=[*fetched.snapshot.problems, *problems])
    # Empty, they take the place of what was offered before; where nobody ever did, there are none.
    if len(found.offers) or "offers" in snapshot.frames:
        snapshot = replace(snapshot, frames={**snapshot.frames, "offers": found.offers})
    down = {each.name: each.offered_at for each in found.suppliers if not each.answered}
    return replace(
        fetched,
        snapshot=snapshot,
        down={name: at for name, at in down.items() if at is not None},
    )


async def _not_heard_of(team: Orchestrator, asked: Sequence[str]) -> dict[str, datetime]:
    """All suppliers but those that were asked, with the time of the offers that stand in."""
    names = [each.name for each in team.business.suppliers if each.name not in asked]
    kept = await asyncio.gather(*(last_offers(name, team.ledger) for name in names))
    return {name: offers.taken_at for name, offers in zip(names, kept, strict=True) if offers}


async def _fetch(team: Orchestrator, asked: Sequence[str]) -> Fetched:
    """The store, the offers of some suppliers, and what the others offered last."""
    # Read before the store is: what comes in between counts as on its way for once.
    under_way = await team.ledger.orders.under_way()
    store, *answers = await asyncio.gather(
        team.ask(INTEGRATION, "fetch_data"),
        *(team.ask(INTEGRATION, "fetch_data", {"source": name}) for name in asked),
    )
    replies = [store, *answers]
    if not store.ok:
        return Fetched(replies, None, under_way=under_way)
    came = {name: reply.result for name, reply in zip(asked, answers, strict=True) if reply.ok}
    frames, down, learned = [], {}, {}
    for name in (supplier.name for supplier in team.business.suppliers):
        offered = came.get(name) or await last_offers(name, team.ledger)
        if offered is None:
            continue
        frames.append(offered.frames["offers"])
        learned[name] = learn(await team.ledger.orders.lead_times(name))
        if name in asked and name not in came:
            down[name] = offered.taken_at
    known = {}
    if frames:
        known = {"offers": with_learned_times(pd.concat(frames, ignore_index=True), learned)}
    snapshot = replace(store.result, frames={**store.result.frames, **known})
    let = [order for order in under_way if order.stage is not OrderStage.PROPOSED]
    snapshot = with_orders_under_way(snapshot, let)
    return Fetched(replies, snapshot, down, list(came), under_way)
