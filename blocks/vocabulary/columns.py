"""Columns of frames that have millions of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

_AT_ONCE = 250_000  # rows of which copies are made at a time


def distinct(column: pd.Series[Any]) -> set[Any]:
    """The values of a column without those that are missing; it is not copied as a whole."""
    found: set[Any] = set()
    for at in range(0, len(column), _AT_ONCE):
        found.update(np.asarray(column.iloc[at : at + _AT_ONCE].dropna().unique(), dtype=object))
    return found
