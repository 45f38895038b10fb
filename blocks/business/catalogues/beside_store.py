"""Offers beside the store's own products: prices that cannot be meant, SKUs written otherwise."""

from __future__ import annotations

from typing import Any

import pandas as pd

TOO_DEAR = 10.0
"""Nobody buys at so many times the selling price: it is a price for more pieces, or a decimal mark
was misread."""

TOO_CHEAP = 50.0
"""Nobody sells at so many times the cost: a decimal mark was misread, or it is in other money."""

AGREES = 3.0
"""A price within this factor of what the store itself says that the item costs is believed."""


def impossible_prices(
    cost: pd.Series[float], price: pd.Series[float], known_cost: pd.Series[float] | None = None
) -> pd.Series[str]:
    """Why prices of offers cannot be meant, in words; only of those that cannot.

    Args:
        cost: What offers ask per piece, in the store's money; NaN where that is not known.
        price: What the store sells each for, in the rows of ``cost``; NaN where nobody knows.
        known_cost: What the store says each costs, in the same rows.
    """
    factor = cost / price.where(price > 0)
    wrong = (cost > 0) & ((factor >= TOO_DEAR) | (factor <= 1 / TOO_CHEAP))
    if known_cost is not None:
        wrong &= ~((cost <= AGREES * known_cost) & (known_cost <= AGREES * cost))
    rows = cost.index[wrong]
    told = [
        _impossible(c, p) for c, p in zip(cost[wrong].tolist(), price[wrong].tolist(), strict=True)
    ]
    return pd.Series(told, index=rows, dtype="str")


def _impossible(cost: float, price: float) -> str:
    if cost > price:
        why = "is it a price per 100 or 1,000, or was its decimal mark misread?"
        return (
            f"it costs {_number(cost / price)} times its selling price ({_of(cost, price)}): {why}"
        )
    why = "was its decimal mark misread, or is it in other money?"
    return f"it sells for {_number(price / cost)} times what it costs ({_of(cost, price)}): {why}"


def _of(cost: float, price: float) -> str:
    return f"{_number(cost)} beside {_number(price)}, store money"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def look_alikes(offered: pd.Index[Any], known: pd.Index[Any]) -> dict[str, str]:
    """SKUs of offers that the store does not have, to the one of its own that each may stand for.

    Leading zeros that a spreadsheet dropped, blanks, hyphens, and capitals. Where two of the
    store's are alike, none is named.

    Args:
        offered: SKUs of offers.
        known: The store's.
    """
    strange = offered[~offered.isin(known)]
    plain = pd.Series(known, index=_plain(known))
    plain = plain[~plain.index.duplicated(keep=False)]
    alike = pd.Series(_plain(strange), index=strange).map(plain).dropna()
    return {str(theirs): str(ours) for theirs, ours in alike.items()}


def _plain(skus: pd.Index[Any]) -> pd.Index[Any]:
    text = skus.astype("str").str.casefold().str.replace(r"[\s\-_./]+", "", regex=True)
    return text.str.lstrip("0")
