"""What other systems call our columns and tables; the words stand in ``synonyms.toml``."""

from __future__ import annotations

import tomllib
from pathlib import Path

from blocks.store.mapping import STORE_FRAMES
from blocks.vocabulary.frames import CONTRACTS

_KNOWN = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_WORDS = _KNOWN["words"]

SKU: tuple[str, ...] = tuple(_KNOWN["columns"]["sku"])

COLUMNS: dict[str, dict[str, tuple[str, ...]]] = {
    frame: {
        column: tuple((_KNOWN["columns"] | _KNOWN["frames"][frame])[column])
        for column in CONTRACTS[frame].columns
    }
    for frame in STORE_FRAMES
}
"""Frame to our column to the names it goes by."""

TABLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    frame: (tuple(words["for"]), tuple(words["against"]))
    for frame, words in _KNOWN["tables"].items()
}
"""Frame to the words that speak for a table, and the words that speak against it."""

ARRIVED: tuple[str, ...] = tuple(_WORDS["arrived"])
"""Columns that stay empty until a purchase order has arrived."""

STATUS: tuple[str, ...] = tuple(_WORDS["status"])
"""Columns that say where an order stands."""

CURRENCY: tuple[str, ...] = tuple(_WORDS["currency"])
"""Words of columns that say what money an amount is in."""

OPEN_WORDS = frozenset(_WORDS["open"])
"""States of a purchase order that has not arrived."""

VOID_WORDS = frozenset(_WORDS["void"])
"""States of a sales order that never became a sale."""
