"""The stock of an item that lies in several rows: places, lots, owners."""

from __future__ import annotations

import pandas as pd

from blocks.formats.decimal_marks import DecimalMark
from blocks.vocabulary.conform import Conformed, conform_fully
from blocks.vocabulary.frames import STOCK, Problem

_ROWS = STOCK.update_column("sku", unique=False)
"""The contract of a row; that an item has only one is looked at afterwards."""


def one_row_per_item(
    raw: pd.DataFrame, summed: bool, decimal_mark: DecimalMark | None = None
) -> Conformed:
    """Hold stock against its contract, with one row per item at the end.

    A wrong count is worse than none: an item is left out whole when a row of several cannot be
    read, or when it has several and nobody said that they are to be added up.

    Args:
        raw: Rows as they came.
        summed: Rows of one item are added up.
        decimal_mark: As for ``conform``.

    Raises:
        ContractViolation: A required column is missing.
    """
    found = conform_fully(raw, _ROWS, decimal_mark)
    rows, problems = found.frame, found.problems
    holes = rows["sku"].isin(found.refused["sku"]) if summed else rows["sku"].duplicated(keep=False)
    if not holes.any() and not summed:
        return found
    if holes.any():
        reason = (
            "left out: another row of the same item could not be read"
            if summed
            else "left out: the item has several rows; rows = 'sum' adds them up, where chooses"
        )
        count = int(holes.sum())
        problems = [*problems, Problem("stock", "sku", reason, count, rows["sku"][holes].iloc[0])]
    kept = rows[~holes]
    if summed:
        kept = _added_up(kept)
    refused = pd.concat([found.refused, rows[holes]], ignore_index=True)
    return Conformed(kept.reset_index(drop=True), problems, refused)


def _added_up(rows: pd.DataFrame) -> pd.DataFrame:
    how = {"on_hand": "sum", "reserved": "sum", "updated_at": "max"}
    there = {column: kind for column, kind in how.items() if column in rows}
    return rows.groupby("sku", as_index=False, sort=False).agg(there)
