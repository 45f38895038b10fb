"""The groups of items that are trusted, or not, together."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd

from agents.data_intelligence.predictive_analytics.ordering.rules import CLASSES, abc_classes
from agents.data_intelligence.trading_calendar import completed, since
from blocks.vocabulary.frames import Snapshot

YEAR_DAYS = 364
"""Days whose revenue makes an item's class: whole weeks, so that each weekday counts alike."""


def groups_of(snapshot: Snapshot, today: date, skus: pd.Index) -> pd.Series:
    """The group of each item: its category where the store has one, else ``class`` and its class.

    Args:
        snapshot: Uses ``sales``, and ``products`` where it is there.
        today: The store's date.
        skus: Distinct items.

    Returns:
        A text per SKU.
    """
    return _categories(snapshot, skus).fillna("class " + classes_of(snapshot, today, skus))


def classes_of(snapshot: Snapshot, today: date, skus: pd.Index) -> pd.Series:
    """The class of each item by value: A, B or C.

    A are the items that sell the first 80% of what all sold in the year before today, B the next
    15%, C the rest.
    """
    (sales,) = snapshot.need("sales")
    year = since(completed(sales, today), today - timedelta(days=YEAR_DAYS))
    value = year.groupby("sku")["revenue"].sum()
    value = value.reindex(value.index.union(skus)).fillna(0.0)
    named = [CLASSES[number] for number in abc_classes(value.to_numpy(dtype=float))]
    return pd.Series(named, index=value.index, dtype=object).reindex(skus)


def _categories(snapshot: Snapshot, skus: pd.Index) -> pd.Series:
    """What the store files each item under; NaN where it says nothing."""
    products = snapshot.frames.get("products")
    if products is None or "category" not in products:
        return pd.Series(None, index=skus, dtype=object)
    told = products.set_index("sku")["category"].reindex(skus).astype(object)
    return told.where(told.notna() & (told != ""))
