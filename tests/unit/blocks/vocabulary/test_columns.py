"""Columns of frames that have millions of rows."""

from __future__ import annotations

import pandas as pd

from blocks.vocabulary.columns import distinct


def test_each_value_is_told_once_wherever_it_is() -> None:
    column = pd.Series(["a", None, "b"] * 200_000 + ["last"], dtype="str")
    assert distinct(column) == {"a", "b", "last"}
    assert distinct(column.iloc[:0]) == set()
