"""The demand that runs judge by: learned over all items by a nightly run, kept in files."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from agents.calls import Reply
from agents.data_intelligence.predictive_analytics.demand.rates import Rates
from agents.data_intelligence.predictive_analytics.demand.stock_outs import load_spells, save_spells
from agents.data_intelligence.trading_calendar import local_day
from blocks.business.business import Business
from blocks.policy.policy import DATA
from blocks.settings import get_settings
from blocks.vocabulary.frames import Snapshot
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.team.team import Orchestrator

if TYPE_CHECKING:
    import pandas as pd

KEPT_DEMAND = "demand"
"""Folder in the state folder of what the nightly runs learned; it may be thrown away."""

_LOOK = 0.2  # seconds between two looks whether another run has done with fitting


async def demand_for(team: Orchestrator, snapshot: Snapshot) -> Rates | None:
    """The learned demand: of the nightly run, or fitted now where that is missing or too old.

    Runs that need it at the same time have it fitted once. None where nothing can be learned, as
    there are no sales, or as the call failed, which says why: what is asked then rests on each
    item's own sales.
    """
    if "sales" not in snapshot.frames:
        return None
    folder = _folder(team.business)
    if rates := await _fresh(folder, snapshot):
        return rates
    async with _alone(folder):
        if rates := await _fresh(folder, snapshot):  # another run has fitted it meanwhile
            return rates
        reply = await _fit(team, snapshot, folder)
    return reply.result.rates if reply.ok else None


async def fit_now(team: Orchestrator, snapshot: Snapshot) -> Reply:
    """Have the demand learned anew, and keep it for all runs of the coming days."""
    folder = _folder(team.business)
    async with _alone(folder):
        return await _fit(team, snapshot, folder)


async def known_out(business: Business) -> pd.DataFrame | None:
    """Spells in which items were out, as the nightly runs saw them; None before the first."""
    return await asyncio.to_thread(load_spells, _folder(business) / "out.csv")


async def _fit(team: Orchestrator, snapshot: Snapshot, folder: Path) -> Reply:
    seen = await known_out(team.business)
    reply = await team.ask(DATA, "fit_demand", {"snapshot": snapshot, "known_out": seen})
    # What an old snapshot tells serves this run; the next one asks the store again.
    if reply.ok and not snapshot.stale_because:
        try:
            await asyncio.to_thread(reply.result.rates.save, folder / "rates.npz")
            await asyncio.to_thread(save_spells, reply.result.out, folder / "out.csv")
        except OSError as error:
            team.notes.append(
                f"The learned demand could not be kept ({error.strerror or error}): it is learned "
                "again by every run until its folder can be written to."
            )
    return reply


async def _fresh(folder: Path, snapshot: Snapshot) -> Rates | None:
    rates = await asyncio.to_thread(Rates.load, folder / "rates.npz")
    today = local_day(utc_now(), snapshot.timezone)
    return rates if rates and rates.fresh(today) else None


def _folder(business: Business) -> Path:
    """Of what was learned from this store as it is mapped now: units and SKUs hang on that."""
    store = business.store
    meaning = store.model_dump(mode="json", include={"frames", "timezone"}) if store else {}
    told = json.dumps(meaning, sort_keys=True)
    name = hashlib.sha256(told.encode()).hexdigest()[:16]
    return get_settings().state_dir / KEPT_DEMAND / business.name / name


def _lock_of(folder: Path) -> IO[str]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return (folder / "fitting").open("w")


@asynccontextmanager
async def _alone(folder: Path) -> AsyncIterator[None]:
    """Wait until no other run on this machine fits; a run that dies leaves no trace of it.

    Where the folder cannot be made, each run fits for itself.
    """
    try:
        lock = _lock_of(folder)
    except OSError:
        yield
        return
    with lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(_LOOK)
        yield
