"""Everything the analysis needs to know, fetched at once: the store and its suppliers' offers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pandas as pd

from agents.calls import Reply
from blocks.policy.policy import INTEGRATION
from blocks.vocabulary.frames import Snapshot
from flows.orchestrator.team.team import Orchestrator


@dataclass(frozen=True)
class Fetched:
    """What came of a fetch.

    Attributes:
        replies: One per source, the store's first.
        snapshot: The store's frames with ``offers`` of all suppliers that answered; None when
            the store could not be had at all.
    """

    replies: list[Reply]
    snapshot: Snapshot | None


async def fetch_everything(team: Orchestrator) -> Fetched:
    """Fetch the store and every supplier's offers side by side.

    A supplier that fails costs its own offers only: lead times then rest on the others.
    """
    store, *offers = await asyncio.gather(
        team.ask(INTEGRATION, "fetch_data"),
        *(
            team.ask(INTEGRATION, "fetch_data", {"source": supplier.name})
            for supplier in team.business.suppliers
        ),
    )
    if not store.ok:
        return Fetched([store, *offers], None)
    frames = [reply.result.frames["offers"] for reply in offers if reply.ok]
    known = {"offers": pd.concat(frames, ignore_index=True)} if frames else {}
    snapshot = replace(store.result, frames={**store.result.frames, **known})
    return Fetched([store, *offers], snapshot)
