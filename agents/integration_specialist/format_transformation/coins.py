"""Whether the money of a line and the catalogue's price are in the same coin."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from agents.integration_specialist.format_transformation.proposal import FrameProposal
from blocks.store.mapping import FrameMapping

FEWEST = 3
"""Products with both prices that it takes to compare them."""

_COINS = 100
_NEAR = 2.0  # what was paid is between half and twice the price of today


def ask_about_coins(found: Mapping[str, tuple[FrameProposal, pd.DataFrame]]) -> None:
    """Ask where prices on the lines are about a hundred times those of the catalogue, or reverse.

    Only the rows that were read can be compared: in a large shop those of a few products.

    Args:
        found: Of each frame its proposal, and the rows that were read through it.
    """
    products, catalogue = found["products"]
    lines, sold = found["sale_lines"]
    asked, paid = _price(catalogue), _price(sold)
    both = pd.DataFrame({"catalogue": asked, "line": paid}).dropna()
    both = both[(both > 0).all(axis=1)]
    if len(both) < FEWEST:
        return
    ratio = both["line"] / both["catalogue"]
    times = float(ratio.median())
    if _is_a_coin(times):
        _ask(lines, "line", "catalogue", both, ratio)
    elif _is_a_coin(1 / times):
        _ask(products, "catalogue", "line", both, 1 / ratio)


def _price(rows: pd.DataFrame) -> pd.Series[float]:
    """What a unit of each SKU costs, by the middle one of its rows."""
    price = rows.get("unit_price", pd.Series(dtype=float))
    if "revenue" in rows:
        whole = rows["units"].where(rows["units"] > 0)
        price = rows["revenue"].div(whole).fillna(price)
    return price.groupby(rows.get("sku", pd.Series(dtype=str))).median()


def _is_a_coin(times: float) -> bool:
    return _COINS / _NEAR <= times <= _COINS * _NEAR


def _ask(
    frame: FrameProposal, larger: str, smaller: str, both: pd.DataFrame, ratio: pd.Series[float]
) -> None:
    fitting = ratio.map(_is_a_coin)
    sku = str(fitting.idxmax())
    written = [text for mapping in frame.mappings for text in _divided(mapping)]
    if any(text in question for text in written for question in frame.questions):
        return
    frame.questions.append(
        f"the price of the {larger} is about {_COINS} times that of the {smaller} in "
        f"{int(fitting.sum())} of {len(both)} products ({sku}: {both[larger][sku]:,.2f} and "
        f"{both[smaller][sku]:,.2f}): is it in the smallest coin? Then write {', '.join(written)}"
    )


def _divided(mapping: FrameMapping) -> list[str]:
    """Its amounts in the larger coin, as they would be written."""
    return [
        f'{ours} = "{theirs} / {_COINS}"'
        if theirs.isidentifier()
        else f'{ours} = "({theirs}) / {_COINS}"'
        for ours in ("unit_price", "revenue")
        if (theirs := mapping.columns.get(ours))
    ]
