"""The money of order lines, in the store's one currency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from blocks.errors import ContractViolation
from blocks.vocabulary.frames import NO_CURRENCY, Problem


def priced_in_one_currency(
    products: pd.DataFrame, currency: str, rates: Mapping[str, float]
) -> tuple[pd.DataFrame, list[Problem]]:
    """Products with their prices and costs in the store's currency; unknown where there is no rate.

    Args:
        products: Rows of contract PRODUCTS.
        currency: The store's. With NO_CURRENCY, prices in several currencies are all unknown.
        rates: Code to what one unit of it is worth in ``currency``.
    """
    if "currency" not in products:
        return products, []
    codes = products["currency"].str.upper()
    there = codes.dropna().unique()
    if currency == NO_CURRENCY and len(there) == 1:
        currency = str(there[0])
    worth = _worth(codes, currency, rates)
    if currency == NO_CURRENCY:
        worth = worth * float("nan")
    priced = products.drop(columns="currency")
    for column in ("unit_price", "unit_cost"):
        if column in priced:
            priced[column] = priced[column] * worth
    lost = codes[worth.isna()]
    if lost.empty:
        return priced, []
    reason = f"prices in {', '.join(sorted(lost.dropna().unique()))} have no rate; taken as unknown"
    example = str(products["sku"][worth.isna()].iloc[0])
    return priced, [Problem("products", "currency", reason, len(lost), example, kept=True)]


@dataclass(frozen=True)
class Money:
    """What order lines bring.

    Attributes:
        revenue: One amount per line, in ``currency``; zero for a line whose money is kept apart.
        currency: ISO code; NO_CURRENCY when nobody has said.
        problems: Money that was kept apart.
    """

    revenue: pd.Series[float]
    currency: str
    problems: list[Problem]


def amounts(lines: pd.DataFrame) -> pd.Series[float]:
    """Money of each line in its own currency: its revenue, or units times price; NaN for neither.

    Args:
        lines: Columns of contract SALE_LINES, as far as they are there.
    """
    money = pd.Series(float("nan"), index=lines.index)
    if "revenue" in lines:
        money = lines["revenue"]
    if {"units", "unit_price"} <= set(lines):
        money = money.fillna(lines["units"] * lines["unit_price"])
    return money


def in_one_currency(lines: pd.DataFrame, currency: str, rates: Mapping[str, float]) -> Money:
    """Convert by declared rates; what has none is kept apart, and never added.

    Args:
        lines: Rows of contract SALE_LINES whose money is known.
        currency: What the report is in. NO_CURRENCY takes the lines' own, if they have just one.
        rates: Code to what one unit of it is worth in ``currency``.

    Raises:
        ContractViolation: The lines are in several currencies, and none is the store's.
    """
    money = amounts(lines)
    if "currency" not in lines:
        return Money(money, currency, [])
    codes = lines["currency"].str.upper()
    there = sorted(codes.dropna().unique())
    if currency == NO_CURRENCY:
        if len(there) > 1:
            raise ContractViolation(
                f"amounts are in {', '.join(there)}, and would be added up as one.",
                hint=f"Write currency = {there[0]!r} below [store], or another one, and rates.",
            )
        return Money(money, there[0] if there else currency, [])
    worth = _worth(codes, currency, rates)
    problems = [
        Problem(
            "sale_lines",
            "currency",
            f"{money[codes == code].sum():,.2f} {code} are kept apart: rates = "
            f"{{ {code} = … }} would say what they are worth in {currency}",
            int((codes == code).sum()),
            code,
        )
        for code in sorted(codes[worth.isna()].unique())
    ]
    return Money((money * worth).fillna(0.0), currency, problems)


def _worth(codes: pd.Series[str], currency: str, rates: Mapping[str, float]) -> pd.Series[float]:
    """What one unit is worth in ``currency``; NaN without a rate. No code means that currency."""
    return codes.fillna(currency).map({currency: 1.0, **rates})
