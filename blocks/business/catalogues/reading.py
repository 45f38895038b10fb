"""The rows of a catalogue as offers: per piece, net of tax, each with its currency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pandas as pd

from blocks.business.catalogues import cells
from blocks.business.catalogues.columns import CATALOGUE, PRICE_UNITS, PriceStep
from blocks.business.catalogues.skus import read_skus
from blocks.business.catalogues.steps import by_smallest_order, unfolded
from blocks.formats.decimal_marks import DecimalMark
from blocks.vocabulary.conform import conform
from blocks.vocabulary.frames import Problem

DECIMALS = 6
"""Of a price per piece: a screw at 2.40 per 1,000 costs 0.0024."""


@dataclass(frozen=True)
class Agreed:
    """What is known of a catalogue beside what it says.

    Attributes:
        supplier: Whose it is.
        defaults: Values for columns that are empty or not there.
        decimal_mark: Of its numbers that are text; told by each column's values where None.
        price_steps: Further prices in the same row.
        currency: Of its prices where they do not tell; "" for the store's own.
        tax_rate: Of the tax that is in its prices; 0 for net prices.
    """

    supplier: str
    defaults: Mapping[str, float | str] = field(default_factory=dict)
    decimal_mark: DecimalMark | None = None
    price_steps: Sequence[PriceStep] = ()
    currency: str = ""
    tax_rate: Decimal = Decimal(0)

    def theirs(self, columns: Mapping[str, str]) -> dict[str, str]:
        """Our names of all columns that are wanted to theirs; those not named have ours."""
        wanted = {ours: columns.get(ours, ours) for ours in CATALOGUE.columns}
        for number, step in enumerate(self.price_steps):
            wanted |= step.theirs(number)
        return wanted


def read_offers(
    rows: Mapping[str, Sequence[Any]], agreed: Agreed
) -> tuple[pd.DataFrame, list[Problem]]:
    """The valid offers of a catalogue, contract OFFERS, and what is wrong with its other rows.

    Args:
        rows: The wanted columns (``Agreed.theirs``), a cell per row.
        agreed: What is known beside them.

    Raises:
        ContractViolation: A required column is missing.
    """
    raw = pd.DataFrame(dict(rows), dtype=object)
    if len(raw):  # a column that no row has is missed, unless there is no row
        raw = raw.dropna(axis="columns", how="all")
    raw = unfolded(raw, agreed.price_steps)
    raw["supplier"] = agreed.supplier
    for column, value in agreed.defaults.items():
        raw[column] = raw[column].fillna(value) if column in raw else value
    raw, mangled = _in_plain_terms(raw, agreed.currency)
    offers, problems = conform(raw, CATALOGUE, agreed.decimal_mark)
    if PRICE_UNITS in offers:
        offers["unit_cost"] /= offers.pop(PRICE_UNITS)
    offers["unit_cost"] = (offers["unit_cost"] / float(1 + agreed.tax_rate)).round(DECIMALS)
    return by_smallest_order(offers), [*mangled, *problems]


def _in_plain_terms(raw: pd.DataFrame, currency: str) -> tuple[pd.DataFrame, list[Problem]]:
    """The rows with cells that can be read, and what is wrong with SKUs that have lost digits."""
    problems = []
    if "sku" in raw:
        skus, lost = read_skus(raw["sku"])
        if lost.any():
            reason = "mangled by a spreadsheet: its digits are lost; ask for the file as text"
            example = str(raw["sku"][lost].iloc[0])[:60]
            problems = [Problem("offers", "sku", reason, int(lost.sum()), example)]
        raw = raw.assign(sku=skus)[~lost]
    for column, read in (("available_units", cells.available), (PRICE_UNITS, cells.price_units)):
        if column in raw:
            told = [read(cell) for cell in raw[column]]
            raw = raw.assign(**{column: pd.Series(told, index=raw.index, dtype=object)})
    if currency and "currency" not in raw:
        raw = raw.assign(currency=currency)
    if "currency" in raw:
        codes = raw["currency"].fillna(currency) if currency else raw["currency"]
        raw = raw.assign(currency=codes.map(cells.currency, na_action="ignore"))
    return raw, problems
