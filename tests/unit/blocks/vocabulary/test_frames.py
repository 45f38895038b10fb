from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.errors import ContractViolation
from blocks.vocabulary.conform import conform
from blocks.vocabulary.frames import CONTRACTS, OPEN_ORDERS, PRODUCTS, SALE_LINES, Problem, Snapshot


def test_types_are_read_and_codes_stay_text():
    raw = pd.DataFrame({"sku": [85048, " 22041 "], "name": ["a", "b"], "unit_price": ["2.5", 1]})
    frame, problems = conform(raw, PRODUCTS)
    assert list(frame["sku"]) == ["85048", "22041"]
    assert list(frame["unit_price"]) == [2.5, 1.0]
    assert problems == []


def test_a_bad_cell_takes_its_row_and_says_why():
    raw = pd.DataFrame(
        {"sku": ["a", None, "c", "d"], "name": list("wxyz"), "unit_price": [1, 2, "abc", -3]}
    )
    frame, problems = conform(raw, PRODUCTS)
    assert list(frame["sku"]) == ["a", "c"]  # a product whose price is unknown is one
    assert problems == [
        Problem("products", "sku", "empty or unreadable", 1, ""),
        Problem("products", "unit_price", "below 0", 1, "-3"),
        Problem("products", "unit_price", "unreadable; taken as empty", 1, "abc", kept=True),
    ]


def test_of_two_products_with_one_code_the_first_is_kept():
    raw = pd.DataFrame({"sku": ["a", "a"], "name": ["first", "second"], "unit_price": [1, 2]})
    frame, problems = conform(raw, PRODUCTS)
    assert list(frame["name"]) == ["first"]
    assert problems[0].rows == 1


@pytest.mark.parametrize(
    "absurd", [float("inf"), -float("inf"), 1e300, 10**400, [1, 2], float("nan")]
)
def test_absurd_numbers_are_set_aside(absurd):
    raw = pd.DataFrame(
        {
            "order_id": ["1"],
            "sku": ["a"],
            "sold_at": ["2026-01-01 10:00"],
            "units": [absurd],
            "unit_price": [1],
        }
    )
    frame, problems = conform(raw, SALE_LINES)
    assert frame.empty
    assert problems[0].column == "units"


def test_instants_become_utc():
    raw = pd.DataFrame(
        {
            "order_id": ["1"],
            "supplier": ["s"],
            "sku": ["a"],
            "units": [1],
            "ordered_at": ["2026-07-01T10:00:00+02:00"],
            "expected_at": [None],
        }
    )
    frame, problems = conform(raw, OPEN_ORDERS)
    assert frame["ordered_at"][0] == pd.Timestamp("2026-07-01 08:00", tz="UTC")
    assert problems == []


def test_days_lose_their_zone_whatever_form_they_come_in():
    raw = pd.DataFrame({"order_id": list("123"), "sku": "a", "units": 1, "unit_price": 1})
    raw["sold_at"] = ["2026-01-01 10:00", "2026-01-01T10:00+02:00", pd.Timestamp("2026-05-05")]
    frame, problems = conform(raw, SALE_LINES)
    assert problems == []
    assert list(frame["sold_at"].dt.strftime("%m-%d %H")) == ["01-01 10", "01-01 08", "05-05 00"]


def test_a_missing_column_is_named_with_what_was_found():
    with pytest.raises(
        ContractViolation, match=r"missing columns sku, unit_price \(found: name, price\)"
    ):
        conform(pd.DataFrame({"name": ["a"], "price": [1]}), PRODUCTS)


def test_an_empty_frame_keeps_its_types():
    raw = pd.DataFrame(columns=["order_id", "sku", "sold_at", "units", "unit_price"])
    frame, problems = conform(raw, SALE_LINES)
    assert problems == []
    assert str(frame["sold_at"].dtype) == "datetime64[us]"
    assert str(frame["units"].dtype) == "float64"


CELL = st.none() | st.text() | st.integers() | st.floats() | st.booleans() | st.datetimes()
CELL |= st.just(10**400) | st.lists(st.integers()) | st.dictionaries(st.text(), st.integers())


@given(st.sampled_from(sorted(CONTRACTS)), st.data())
def test_any_rows_at_all_are_either_valid_or_set_aside(name, data):
    contract = CONTRACTS[name]
    columns = list(contract.columns)
    rows = data.draw(st.lists(st.lists(CELL, min_size=len(columns), max_size=len(columns))))
    raw = pd.DataFrame(rows, columns=columns, dtype=object)
    frame, problems = conform(raw, contract)
    contract.validate(frame)
    set_aside = len(raw) - len(frame)
    assert (set_aside > 0) == any(not problem.kept for problem in problems)
    assert set_aside <= sum(problem.rows for problem in problems)


def test_a_snapshot_says_why_a_frame_is_absent():
    snapshot = Snapshot(
        datetime(2026, 1, 1, tzinfo=UTC), {}, [Problem("stock", "", "no table 'inventory'")]
    )
    with pytest.raises(ContractViolation, match="no table 'inventory'"):
        snapshot.need("stock")
