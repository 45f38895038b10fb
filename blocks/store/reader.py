"""Reads a mapped store into a snapshot: one statement per frame, checked, then added up by day."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd

from blocks.errors import DataError
from blocks.machine.memory import give_back
from blocks.store import sql
from blocks.store.days.kept import KeptMonths
from blocks.store.days.lines import SalesRead, read_lines
from blocks.store.days.reading import LONGEST_READING, DayReader
from blocks.store.days.trading_days import Period
from blocks.store.mapping import StoreSource
from blocks.store.money import priced_in_one_currency
from blocks.store.rows import FrameReader, FrameSample
from blocks.vocabulary.frames import Problem, Snapshot


def read_store(store: StoreSource, now: datetime) -> Snapshot:
    """See StoreDatabase.read_snapshot, which calls this in a thread."""
    zone = ZoneInfo(store.timezone)
    today = pd.Timestamp(now.astimezone(zone)).tz_localize(None).normalize()
    period = Period("sold_at", today - timedelta(days=store.history_days), today)
    snapshot = Snapshot(
        now,
        {},
        currency=store.currency,
        timezone=store.timezone,
        store=store.name,
        amounts=store.amounts,
    )
    lost: dict[str, set[str]] = {}
    others = {name: frame for name, frame in store.frames.items() if name != "sale_lines"}
    with sql.reading(store.url, store.statement_timeout, store.reach) as connection:
        reader = FrameReader(connection, zone, store.decimal_mark)
        for name, mappings in others.items():
            try:
                found = reader.read(name, mappings, store.max_rows)
            except DataError as error:
                reason = str(error).removeprefix(f"{name}: ")  # which is said beside it
                snapshot.problems.append(Problem(name, "", reason))
                continue
            snapshot.frames[name] = found.frame
            snapshot.problems += found.problems
            if "sku" in found.refused:
                lost[name] = set(found.refused["sku"].dropna()) - set(found.frame["sku"])
    if "sale_lines" in store.frames:
        try:
            sales = _sales(store, zone, period)
        except DataError as error:
            snapshot.problems.append(Problem("sale_lines", "", str(error)))
        else:
            snapshot.frames |= {"sales": sales.sales, "orders": sales.orders}
            snapshot.currency = sales.currency
            snapshot.problems = _with_shares(snapshot, lost) + sales.problems
    if "products" in snapshot.frames:
        snapshot.frames["products"], unpriced = priced_in_one_currency(
            snapshot.frames["products"], snapshot.currency, store.rates
        )
        snapshot.problems += unpriced
    snapshot.problems += _absent(snapshot)
    return snapshot


def _sales(store: StoreSource, zone: ZoneInfo, period: Period) -> SalesRead:
    """Sales by day: added up by the database where it can read their columns, else line by line."""
    with sql.reading(store.url, LONGEST_READING, store.reach) as connection:
        with sql.limited(connection, store.url, store.statement_timeout):
            reader = FrameReader(connection, zone, store.decimal_mark)
            days = DayReader(store, reader, period, _kept(store))
            if not days.possible:
                return read_lines(store, reader, period)
        read = days.read()
    give_back()  # before the snapshot is kept
    return read


def _kept(store: StoreSource) -> KeptMonths | None:
    """The settled months of a store under what its sales mean today."""
    if store.kept_in is None:
        return None
    lines = [mapping.model_dump() for mapping in store.frames["sale_lines"]]
    money = [store.currency, dict(store.rates)]
    url = store.url.set(password=None).render_as_string()
    meaning = [url, lines, money, store.timezone, store.decimal_mark]
    return KeptMonths(store.kept_in, store.name, meaning)


@dataclass(frozen=True)
class StoreCheck:
    """A quick look at a store: is it there, and are its newest rows what they should be?

    Attributes:
        latency_ms: Time to connect and answer the first question.
        clock_skew_s: The server's clock minus ours; None for a file.
        samples: The newest rows of each mapped frame.
    """

    latency_ms: float
    clock_skew_s: float | None
    samples: list[FrameSample]


def check_store(store: StoreSource, rows: int) -> StoreCheck:
    """Connect, ask for the time, and read the newest ``rows`` rows of each mapped frame."""
    began = time.perf_counter()
    with sql.reading(store.url, store.statement_timeout, store.reach) as connection:
        skew = sql.clock_skew(connection)
        latency_ms = (time.perf_counter() - began) * 1000
        reader = FrameReader(connection, ZoneInfo(store.timezone), store.decimal_mark)
        mappings = store.frames.items() if rows else ()
        return StoreCheck(latency_ms, skew, [reader.newest(n, m, rows) for n, m in mappings])


def _with_shares(snapshot: Snapshot, lost: dict[str, set[str]]) -> list[Problem]:
    """The problems of products and stock, with the revenue of the items that they cost.

    Which of several problems cost an item is not told apart: all carry the sum.
    """
    if not any(lost.values()):
        return snapshot.problems
    earned = snapshot.frames["sales"].groupby("sku")["revenue"].sum().clip(lower=0)
    shares = {
        name: float(earned.reindex(sorted(skus)).sum() / earned.sum())
        for name, skus in lost.items()
        if name in ("products", "stock") and skus and earned.sum() > 0
    }
    return [
        replace(problem, share=shares[problem.frame])
        if problem.frame in shares and problem.rows and not problem.kept
        else problem
        for problem in snapshot.problems
    ]


def _absent(snapshot: Snapshot) -> list[Problem]:
    """Why frames are absent that no problem names yet."""
    told = {p.frame for p in snapshot.problems}
    lines = "which could not be read" if "sale_lines" in told else "which is not mapped"
    reasons = dict.fromkeys(("products", "stock", "open_orders"), "is not mapped")
    reasons |= dict.fromkeys(("sales", "orders"), f"is added up from sale_lines, {lines}")
    return [
        Problem(name, "", reason)
        for name, reason in reasons.items()
        if name not in snapshot.frames and name not in told
    ]
