"""Stock in several rows of one item."""

from __future__ import annotations

import pandas as pd

from blocks.store.stock import one_row_per_item


def rows(*values: tuple[str, object, object]) -> pd.DataFrame:
    return pd.DataFrame(values, columns=["sku", "on_hand", "reserved"], dtype=object)


def test_rows_are_added_up_where_that_is_said() -> None:
    found = one_row_per_item(rows(("a", 6, 2), ("b", 1, None), ("a", -1, 0)), summed=True)
    assert found.frame.values.tolist() == [["a", 5.0, 2.0], ["b", 1.0, 0.0]]
    assert found.problems == []


def test_a_sum_with_a_hole_is_no_count() -> None:
    found = one_row_per_item(rows(("a", 6, 0), ("b", 1, 0), ("a", "some", 0)), summed=True)
    assert found.frame["sku"].tolist() == ["b"]
    assert [(p.column, p.rows) for p in found.problems] == [("on_hand", 1), ("sku", 1)]
    assert set(found.refused["sku"]) == {"a"}


def test_of_several_rows_none_is_chosen_unasked() -> None:
    found = one_row_per_item(rows(("a", 6, 0), ("b", 1, 0), ("a", 30, 0)), summed=False)
    assert found.frame["sku"].tolist() == ["b"]
    assert "rows = 'sum' adds them up" in found.problems[0].reason
    assert found.problems[0].rows == 2


def test_what_is_owed_is_a_count() -> None:
    assert one_row_per_item(rows(("a", -3, 0)), summed=False).frame["on_hand"].tolist() == [-3.0]
