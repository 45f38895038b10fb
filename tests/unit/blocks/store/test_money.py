"""Money of order lines: from prices, from totals, and in several currencies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from blocks.errors import ContractViolation
from blocks.store.money import amounts, in_one_currency, priced_in_one_currency
from blocks.vocabulary.frames import NO_CURRENCY


def lines(**columns: list[object]) -> pd.DataFrame:
    return pd.DataFrame({"units": [2.0, 1.0, 1.0], **columns})


def test_a_line_total_goes_before_its_price() -> None:
    priced = lines(unit_price=[5.0, 5.0, np.nan], revenue=[9.0, np.nan, np.nan])
    assert amounts(priced).fillna(-1).tolist() == [9.0, 5.0, -1.0]


def test_currencies_with_a_rate_are_converted_and_others_kept_apart() -> None:
    money = in_one_currency(
        lines(revenue=[10.0, 20.0, 30.0], currency=["EUR", "usd", "JPY"]), "EUR", {"USD": 0.5}
    )
    assert (money.revenue.tolist(), money.currency) == ([10.0, 10.0, 0.0], "EUR")
    (problem,) = money.problems
    assert "30.00 JPY are kept apart: rates = { JPY = … }" in problem.reason
    assert (problem.rows, problem.kept) == (1, False)


def test_a_line_without_a_currency_is_in_the_stores() -> None:
    money = in_one_currency(
        lines(revenue=[1.0, 2.0, 3.0], currency=["USD", None, "EUR"]), "EUR", {}
    )
    assert money.revenue.tolist() == [0.0, 2.0, 3.0]


def test_the_only_currency_that_there_is_is_the_stores() -> None:
    one = lines(revenue=[1.0, 2.0, 3.0], currency=["CHF", "CHF", "CHF"])
    assert in_one_currency(one, NO_CURRENCY, {}).currency == "CHF"


def test_several_currencies_are_never_added_up_as_one() -> None:
    two = lines(revenue=[1.0, 2.0, 3.0], currency=["CHF", "EUR", "CHF"])
    with pytest.raises(ContractViolation, match="amounts are in CHF, EUR"):
        in_one_currency(two, NO_CURRENCY, {})


def goods(*currencies: str | None) -> pd.DataFrame:
    prices = [10.0 * (i + 1) for i in range(len(currencies))]
    skus = [f"S{i}" for i in range(len(currencies))]
    return pd.DataFrame({"sku": skus, "unit_price": prices, "currency": list(currencies)})


def test_prices_are_converted_and_unknown_without_a_rate() -> None:
    priced, (problem,) = priced_in_one_currency(
        goods("EUR", "USD", "JPY", None), "EUR", {"USD": 0.5}
    )
    assert priced["unit_price"].fillna(-1).tolist() == [10.0, 10.0, -1.0, 40.0]
    assert "prices in JPY have no rate" in problem.reason
    assert (problem.rows, problem.example, problem.kept) == (1, "S2", True)


def test_prices_in_one_currency_are_taken_for_the_stores() -> None:
    priced, problems = priced_in_one_currency(goods("CHF", "CHF"), NO_CURRENCY, {})
    assert (priced["unit_price"].tolist(), problems) == ([10.0, 20.0], [])


def test_prices_in_several_currencies_of_a_store_that_has_none_are_unknown() -> None:
    priced, problems = priced_in_one_currency(goods("CHF", "EUR"), NO_CURRENCY, {})
    assert priced["unit_price"].isna().all()
    assert problems[0].rows == 2
