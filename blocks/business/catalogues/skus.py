"""SKUs as spreadsheets and JSON libraries leave them: read back where no digit is lost."""

from __future__ import annotations

from typing import Any

import pandas as pd

_AS_NUMBER = r"^(\d{8,14})[.,]0+$"
"""A number of GS1 (8 to 14 digits) that was taken for one with decimals."""

_EXPONENT = r"^\d(?:[.,]\d+)?[eE]\+?\d+$"

_EXACT = 2.0**53
"""Whole numbers from here on are not all doubles: digits may be lost."""


def read_skus(column: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[bool]]:
    """SKUs as text, and which of them have lost digits.

    ``4006381333931.0`` is 4006381333931. ``1.23457E+12`` has been something that nobody can tell
    any more. A leading zero that is lost does not show here: see ``beside_store.look_alikes``.

    Args:
        column: Text or numbers; None where there is none.
    """
    numbers = column.map(lambda cell: isinstance(cell, float)).astype(bool)
    lost = numbers & column.where(numbers, 0.0).astype(float).ge(_EXACT)
    whole = numbers & column.where(numbers, 0.5).map(float.is_integer).astype(bool)
    text = column.where(~whole, column.where(whole, 0).map(int)).astype(object)
    text = text.where(text.isna(), text.astype(str).str.strip())
    strings = text.astype("str")
    lost |= strings.str.match(_EXPONENT).fillna(False).astype(bool)
    was_number = strings.str.match(_AS_NUMBER).fillna(False).astype(bool)
    if was_number.any():
        text = text.mask(was_number, strings.str.replace(_AS_NUMBER, r"\1", regex=True))
    return text, lost
