"""Numbers as people and exports write them."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.formats.decimal_marks import read_numbers
from blocks.vocabulary.conform import conform
from blocks.vocabulary.frames import PRODUCTS, STOCK


def numbers(values: list[object], mark=None) -> list[float | str]:
    """Each value as it is read; ``"?"`` where it could be two numbers."""
    column, unclear = read_numbers(pd.Series(values, dtype=object), mark)
    read = pd.to_numeric(column, errors="coerce")
    return ["?" if either else number for number, either in zip(read, unclear, strict=True)]


@pytest.mark.parametrize(
    ("values", "read"),
    [
        (["1.234"], ["?"]),
        (["1,234", "-12,500"], ["?", "?"]),
        (["1.234", "12.5"], [1.234, 12.5]),
        (["1.234", "12,5"], [1234, 12.5]),
        (["1,234", "12.5"], [1234, 12.5]),
        (["1.234", "1.234,50"], [1234, 1234.5]),
        (["1.234", "1.234.567"], [1234, 1234567]),
        (["1,234", "1,234,567.8"], [1234, 1234567.8]),
        (["0.125", "1.234"], [0.125, 1.234]),
        (["0,125", "1.234"], [0.125, 1234]),
        (["1234.567", "1.234"], [1234.567, 1.234]),
        (["12.5", "12,5", "1.234"], [12.5, 12.5, "?"]),
        (["1 234,50", "1'234,50", "1\u202f234,50"], [1234.5, 1234.5, 1234.5]),
        (["17", " 4 ", "+3", "-2"], [17, 4, 3, -2]),
        ([1.234, 17], [1.234, 17]),
        ([1.234, "1.234"], [1.234, "?"]),
        (["1.5e3", ".5"], [1500, 0.5]),
    ],
)
def test_text_is_read_as_the_column_tells(values, read):
    assert numbers(values) == read


def test_a_source_may_say_its_mark():
    assert numbers(["1.234", "5"], ",") == [1234, 5]
    assert numbers(["1.234", "5"], ".") == [1.234, 5]


def test_what_speaks_against_the_mark_is_no_number():
    assert numbers(["1.234", "12.5", "12,5"], ",")[:1] == [1234]
    assert pd.isna(numbers(["12.5"], ",")[0])
    assert pd.isna(numbers(["1.234,5"], ".")[0])


@given(st.lists(st.floats(0.01, 1e9).map(lambda x: round(x, 2)), min_size=1), st.booleans())
def test_two_decimals_survive_in_either_notation(values, german):
    written = [f"{value:,.2f}" for value in values]
    if german:
        written = [text.translate(str.maketrans(",.", ".,")) for text in written]
    assert numbers(written) == values


def products(**columns: list[object]) -> pd.DataFrame:
    usual = {"sku": ["a", "b"], "name": ["A", "B"], "unit_price": [1.0, 2.0]}
    return pd.DataFrame(usual | columns, dtype=object)


def test_a_row_whose_count_could_be_two_is_set_aside_and_told():
    raw = pd.DataFrame({"sku": ["a", "b"], "on_hand": ["1.234", "5"]})
    frame, (problem,) = conform(raw, STOCK)
    assert frame["sku"].tolist() == ["b"]
    assert str(problem) == (
        "stock.on_hand: could be a thousand or a decimal; "
        "decimal_mark = ',' or '.' would tell (1 row, for instance '1.234')"
    )


@pytest.mark.parametrize(("cost", "why"), [("1.234", "a thousand or a decimal"), ("cheap", "unre")])
def test_a_cost_that_cannot_be_read_is_left_out_and_told(cost, why):
    frame, (problem,) = conform(products(unit_cost=[cost, None]), PRODUCTS)
    assert frame["sku"].tolist() == ["a", "b"]
    assert frame["unit_cost"].isna().all()
    assert why in problem.reason
    assert (problem.rows, problem.example, problem.kept) == (1, cost, True)
