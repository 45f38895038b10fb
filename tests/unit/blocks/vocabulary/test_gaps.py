"""What was left out of the store's data, and when it matters."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest

from blocks.vocabulary.frames import Problem, Snapshot
from blocks.vocabulary.gaps import left_out, told

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def lost(frame: str, rows: int, share: float | None, **more: bool) -> Problem:
    return Problem(frame, "units", "not a number", rows, "x", share=share, **more)


def gaps(*problems: Problem) -> list[tuple[str, bool]]:
    return [(str(gap), gap.matters) for gap in left_out(Snapshot(NOW, {}, list(problems)))]


@pytest.mark.parametrize(
    ("problems", "said"),
    [
        ([], []),
        (
            [lost("sale_lines", 1, 0.0099)],
            [("1 row of the sales left out, 1.0% of revenue", False)],
        ),
        (
            [lost("sale_lines", 1200, 0.01)],
            [("1,200 rows of the sales left out, 1.0% of revenue", True)],
        ),
        (
            [lost("sale_lines", 1, 0.006), lost("sale_lines", 2, 0.006)],
            [("3 rows of the sales left out, 1.2% of revenue", True)],
        ),
        (
            [lost("sale_lines", 1, 0.006), lost("sale_lines", 2, None)],
            [("3 rows of the sales left out, their share of revenue cannot be told", True)],
        ),
        (
            [lost("stock", 1, 0.5), lost("stock", 2, 0.5), lost("stock", 3, None)],
            [("6 rows of the stock left out, 50.0% of revenue", True)],
        ),
        (
            [lost("products", 1, None)],
            [("1 row of the products left out, their share of revenue cannot be told", False)],
        ),
        (
            [lost("stock", 1, 0.5), lost("products", 1, 0.0)],
            [
                ("1 row of the products left out, 0.0% of revenue", False),
                ("1 row of the stock left out, 50.0% of revenue", True),
            ],
        ),
        ([lost("sale_lines", 9, None, kept=True)], []),
        ([lost("open_orders", 9, None)], []),
        ([Problem("sale_lines", "", "no such table")], []),
    ],
)
def test_rows_that_were_set_aside_matter_from_a_hundredth_of_revenue_or_if_nobody_knows(
    problems, said
):
    assert gaps(*problems) == said


def test_of_a_table_that_is_gone_the_figures_are_named_that_are_missing():
    gone = Problem("stock", "", "no such table: shelf.")
    assert told(gone) == (
        "stock: no such table: shelf. Missing for it: what is out of stock or at risk, and what "
        "the stock is worth."
    )
    assert told(lost("stock", 2, 0.5)) == str(lost("stock", 2, 0.5))
    assert told(Problem("sale_lines", "", "gone")) == "sale_lines: gone"


def test_days_that_are_not_read_yet_stand_in_the_headline():
    """As long as other days are there; else the missing frame says it."""
    unread = Problem("sale_lines", "", "sales before 2025-01-01 are not read yet")
    read = Snapshot(NOW, {"sales": pd.DataFrame()}, [unread])
    (gap,) = left_out(read)
    assert (str(gap), gap.matters) == ("sales before 2025-01-01 are not read yet", True)
    assert gaps(unread) == []
