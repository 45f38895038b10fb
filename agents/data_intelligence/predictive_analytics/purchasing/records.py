"""Records that no order may rest on: what the store's reading set aside, and what cannot be."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from agents.data_intelligence.predictive_analytics.purchasing.critical_items import HeldRecord
from agents.data_intelligence.predictive_analytics.stock_facts import names_of
from blocks.vocabulary.frames import Snapshot

FRAMES = ("products", "stock", "open_orders", "offers")
"""Frames whose rows decide what is ordered."""

MOST_UNITS = 1e9
"""More units on hand than this are a slip of the keyboard."""

_AHEAD = timedelta(days=1)  # by how much another's clock may be off, or its zone mistaken


def invalid_records(snapshot: Snapshot, now: datetime) -> tuple[list[HeldRecord], set[str]]:
    """Records that fail validation, and the SKUs that must not be acted on for it.

    Args:
        snapshot: Uses its problems, ``products``, ``stock`` and ``sales``.
        now: No record is from after this instant.

    Returns:
        One entry per SKU where it is known, else per reason; and the SKUs with a row in ``stock``
        that is not to be trusted.
    """
    found = [
        HeldRecord(sku="", name="", reason=str(problem), rows=problem.rows)
        for problem in snapshot.problems
        if problem.frame in FRAMES and problem.rows and not problem.kept
    ]
    faults = _faults(snapshot.frames["stock"], now)
    names = names_of(snapshot, pd.Index(list(faults)))
    found += [
        HeldRecord(sku=sku, name=str(names[sku]), reason=reason) for sku, reason in faults.items()
    ]
    return found + _unread(snapshot), set(faults)


def _faults(stock: pd.DataFrame, now: datetime) -> dict[str, str]:
    """Per SKU why its row in the stock cannot be."""
    on_hand = stock["on_hand"]
    reserved = stock["reserved"].fillna(0.0) if "reserved" in stock else on_hand * 0.0
    updated = (
        stock["updated_at"]
        if "updated_at" in stock
        else pd.Series(pd.NaT, index=stock.index, dtype="datetime64[us, UTC]")
    )
    wrong = {
        "stock.sku: appears more than once": stock["sku"].duplicated(keep=False),
        "stock.updated_at: after the reading": updated > now + _AHEAD,
        "stock.reserved: below zero or no number": ~np.isfinite(reserved) | (reserved < 0),
        "stock.on_hand: no number": ~np.isfinite(on_hand),
        "stock.on_hand: more than anybody has": on_hand.abs() > MOST_UNITS,
    }
    return {
        str(row["sku"]): f"{reason} ({_value(row, reason)})"
        for reason, bad in wrong.items()
        for _, row in stock[bad].iterrows()
    }


def _value(row: pd.Series, reason: str) -> str:
    return str(row[reason.partition(":")[0].partition(".")[2]])


def _unread(snapshot: Snapshot) -> list[HeldRecord]:
    """Products that sell and have no row in the stock, where rows of it could not be read."""
    lost = [p for p in snapshot.problems if p.frame == "stock" and p.rows and not p.kept]
    if not lost or "products" not in snapshot.frames:
        return []
    products = snapshot.frames["products"]
    if "stocked" in products:
        products = products[products["stocked"].fillna(1.0) != 0]
    known = set(snapshot.frames["stock"]["sku"])
    sold = set(snapshot.frames["sales"]["sku"].unique())
    why = "; ".join(f"{problem.column}: {problem.reason}" for problem in lost)
    return [
        HeldRecord(
            sku=str(sku),
            name=str(name),
            reason=f"nobody knows its stock: rows of it could not be read ({why})",
        )
        for sku, name in zip(products["sku"], products["name"], strict=True)
        if sku not in known and sku in sold
    ]
