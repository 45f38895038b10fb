"""Everything the analysis needs to know, fetched at once: the store and its suppliers' offers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import pandas as pd

from agents.calls import Reply
from blocks.business.snapshots import last_offers
from blocks.policy.policy import INTEGRATION
from blocks.vocabulary.frames import Snapshot
from flows.orchestrator.team.team import Orchestrator


@dataclass(frozen=True)
class Fetched:
    """What came of a fetch.

    Attributes:
        replies: One per source, the store's first.
        snapshot: The store's frames with ``offers`` of all suppliers; None when the store could
            not be had at all.
        down: Suppliers that did not answer, with the time of the offers that stand in for theirs.
    """

    replies: list[Reply]
    snapshot: Snapshot | None
    down: Mapping[str, datetime] = field(default_factory=dict)


async def fetch_everything(team: Orchestrator) -> Fetched:
    """Fetch the store and every supplier's offers side by side.

    For a supplier that fails stands what it offered last: its lead times hold.
    """
    suppliers = [supplier.name for supplier in team.business.suppliers]
    store, *answers = await asyncio.gather(
        team.ask(INTEGRATION, "fetch_data"),
        *(team.ask(INTEGRATION, "fetch_data", {"source": name}) for name in suppliers),
    )
    replies = [store, *answers]
    if not store.ok:
        return Fetched(replies, None)
    frames, down = [], {}
    for name, reply in zip(suppliers, answers, strict=True):
        offered = reply.result if reply.ok else await last_offers(name, team.ledger)
        if offered is None:
            continue
        frames.append(offered.frames["offers"])
        if not reply.ok:
            down[name] = offered.taken_at
    known = {"offers": pd.concat(frames, ignore_index=True)} if frames else {}
    snapshot = replace(store.result, frames={**store.result.frames, **known})
    return Fetched(replies, snapshot, down)
