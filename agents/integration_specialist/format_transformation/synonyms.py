"""What other systems call our columns and tables; the words stand in ``synonyms.toml``."""

from __future__ import annotations

import tomllib
from pathlib import Path

from agents.integration_specialist.format_transformation.words import stem
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

TABLES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    frame: (frozenset(map(stem, words["for"])), frozenset(map(stem, words["against"])))
    for frame, words in _KNOWN["tables"].items()
}
"""Frame to the stems that speak for a table, and those that speak against it; under ``names``,
those of tables whose names are no products'."""

ARRIVED: tuple[str, ...] = tuple(_WORDS["arrived"])
"""Columns that stay empty until a purchase order has arrived."""

RECEIVED: tuple[str, ...] = tuple(_WORDS["received"])
"""Columns that say how much of a purchase order has arrived."""

STATUS: tuple[str, ...] = tuple(_WORDS["status"])
"""Columns that say where an order stands."""

DELETED_AT: tuple[str, ...] = tuple(_WORDS["deleted_at"])
"""Columns that are filled when a row was deleted or put away."""

DELETED: tuple[str, ...] = tuple(_WORDS["deleted"])
"""Columns that are true when a row was deleted or put away."""

ACTIVE: tuple[str, ...] = tuple(_WORDS["active"])
"""Columns that are false when a row was deleted or put away."""

COUNTED: tuple[str, ...] = tuple(_WORDS["counted"])
"""Columns that are false where stock is not counted."""

BUYING = frozenset(map(stem, _WORDS["buying"]))
"""Stems that say: this is about buying."""

ELSEWHERE = frozenset(_WORDS["elsewhere"])
"""Words that make a status one of something else than the order."""

CURRENCY = frozenset(_WORDS["currency"])
"""Words of columns that say what money an amount is in."""

KIND = frozenset(_WORDS["kind"])
"""Words of columns that say what kind of thing a row is."""

OWN_PLACES = frozenset(_WORDS["own_places"])
"""Kinds of places where goods are ours and can be sold."""

PLACES = frozenset(_WORDS["places"])
"""Words of columns that say where, or in which lot, stock lies."""

MINOR = frozenset(_WORDS["minor"])
"""Words of amounts in the smallest coin."""

GROSS, NET = frozenset(_WORDS["gross"]), frozenset(_WORDS["net"])
"""Words of amounts with tax, and of amounts without."""

DISCOUNT = frozenset(_WORDS["discount"])
"""Words of columns that take something off a line's price."""

SERVICES = frozenset(_WORDS["services"])
"""Kinds of products that are no goods."""

VARIANT = frozenset(_WORDS["variant"])
"""Words of columns that say which variant of a product it is."""

OPEN_WORDS = frozenset(_WORDS["open"])
"""States of a purchase order that has not arrived."""

VOID_WORDS = frozenset(_WORDS["void"])
"""States of an order that never became one, or was given back."""

REFUNDED = frozenset(_WORDS["refunded"])
"""States of an order that was paid back; a sale all the same where refunds are lines of theirs."""

ASKED_WORDS = frozenset(_WORDS["asked"])
"""States that may be a sale or not."""

OFFERED_WORDS = frozenset(_WORDS["offered"])
"""States beside which ``sent`` means an offer that was sent."""

TELLING = frozenset(
    {
        *STATUS,
        *CURRENCY,
        *KIND,
        *(name.rpartition(" ")[2] for name in (*DELETED, *ACTIVE, *COUNTED)),
    }
)
"""Words of columns whose different values tell something."""
