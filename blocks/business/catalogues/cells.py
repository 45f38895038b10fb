"""Cells of a catalogue in plain terms: how many are available, what a price is for, what money."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

_AT_LEAST = re.compile(r"^(?:[>≥]=?)?\s*(\d[\d.,' ]*?)\s*\+?$")
_QUANTITY = re.compile(r"^\D*?(\d[\d.,' ]*)\D*$")
_WORDS = {"hundred": 100, "thousand": 1000, "cen": 100, "mil": 1000}
"""CEN and MIL are UN/ECE Recommendation 20's codes."""

_SYMBOLS = {"€": "EUR", "EURO": "EUR", "£": "GBP"}
"""A dollar sign is left as it is: it may be of twenty countries."""


def available(cell: Any) -> Any:
    """Pieces that a supplier says it has; what does not count them is left as it is, or None.

    ``>100`` and ``100+`` are at least 100. A bare yes is no number; a bare no is 0, and so is what
    it owes itself.
    """
    if cell is None or isinstance(cell, bool):
        return None if cell is None or cell else 0
    if isinstance(cell, int | float):
        return max(cell, 0)
    text = str(cell).strip()
    if re.match(r"^-\d", text):
        return 0
    told = _AT_LEAST.match(text)
    return told[1] if told else text


def price_units(cell: Any) -> Any:
    """How many pieces a price is for: ``per 100``, ``1000 pcs``, ``hundred``; as text or number.

    What is empty is 1. What names two numbers or none is left as it is, and is no number.
    """
    if cell is None or (isinstance(cell, float) and pd.isna(cell)):
        return 1
    if not isinstance(cell, str):
        return None if isinstance(cell, bool) else cell
    if not (text := cell.strip()):
        return 1
    told = _QUANTITY.match(text)
    if told:
        return told[1].strip()
    named = [_WORDS[word] for word in re.findall(r"[a-z]+", text.lower()) if word in _WORDS]
    return named[0] if len(named) == 1 else text


def currency(cell: Any) -> str:
    """A currency's ISO code, or what stands in its place, in capitals."""
    text = str(cell).strip().upper()
    return _SYMBOLS.get(text, text)
