"""What of a stock is there, what of it is spoken for, what is free, and what is owed."""

from __future__ import annotations

import pandas as pd


def levels(stock: pd.DataFrame) -> pd.DataFrame:
    """The stock by SKU, told apart.

    Args:
        stock: A STOCK frame.

    Returns:
        One row per SKU (the index), in units: ``on_hand``; ``reserved`` (0 where the store does not
        tell); ``free``, on hand less reserved; ``owed``, sold beyond what is there.
    """
    table = stock.set_index("sku")[["on_hand"]].copy()
    reserved = stock.set_index("sku")["reserved"] if "reserved" in stock else None
    table["reserved"] = 0.0 if reserved is None else reserved.fillna(0.0)
    table["free"] = table["on_hand"] - table["reserved"]
    table["owed"] = (-table["free"]).clip(lower=0.0)
    return table


def tells_reserved(stock: pd.DataFrame) -> bool:
    """Whether the store tells of any SKU what is spoken for."""
    return "reserved" in stock and bool(stock["reserved"].notna().any())


def basis(stock: pd.DataFrame) -> str:
    """A sentence for reports: by what a stock is judged."""
    if tells_reserved(stock):
        return (
            "Judged by what is free: on hand less what is reserved, or sold and not delivered yet."
        )
    return "Judged by what is on hand: what of it is reserved, the store does not tell."
