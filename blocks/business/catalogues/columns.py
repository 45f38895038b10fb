"""What a row of a supplier's catalogue may tell: what an offer has, in the supplier's own terms."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree import ElementTree

import pandera.pandas as pa
from pydantic import Field

from blocks.models import Strict
from blocks.vocabulary.frames import OFFERS

PRICE_UNITS = "price_units"
"""How many pieces the price is for: 100 where it is a price per 100."""

CATALOGUE = OFFERS.remove_columns(["lead_time_deviation"]).add_columns(
    {PRICE_UNITS: pa.Column(float, [pa.Check.ge(1), pa.Check.lt(1e9)], required=False)}
)
"""Rows as a catalogue tells them: the columns of OFFERS, and PRICE_UNITS."""


class PriceStep(Strict):
    """One of several price steps that stand in one row, each in columns of its own.

    Attributes:
        from_units: From how many pieces on the price holds: a number, or their column.
        unit_cost: Their column of the price.
    """

    from_units: float | str
    unit_cost: str = Field(min_length=1)

    def cost_column(self, number: int) -> str:
        """Our name of its price in the rows as they come."""
        return f"unit_cost/{number}"

    def from_column(self, number: int) -> str:
        """Our name of its quantity in the rows as they come."""
        return f"from_units/{number}"

    def theirs(self, number: int) -> dict[str, str]:
        """Our names of its columns to theirs."""
        named = {self.cost_column(number): self.unit_cost}
        if isinstance(self.from_units, str):
            named[self.from_column(number)] = self.from_units
        return named


def refuse_unnamed(columns: Mapping[str, str], defaults: Mapping[str, float | str]) -> None:
    """See that a connection names columns that there are, and agrees on values of their kind.

    Raises:
        ValueError: It does not.
    """
    unknown = sorted({*columns, *defaults} - set(CATALOGUE.columns))
    if unknown:
        raise ValueError(
            f"{', '.join(map(repr, unknown))}: offers have only {', '.join(CATALOGUE.columns)}"
        )
    for column, value in defaults.items():
        is_text = str(CATALOGUE.columns[column].dtype) != "float64"
        if isinstance(value, str) != is_text:
            raise ValueError(f"defaults.{column} is {'a text' if is_text else 'a number'}")


def refuse_no_element_path(path: str) -> None:
    """See that a path, with or without an attribute at its end, is one that XML is searched by.

    Raises:
        ValueError: It is none.
    """
    try:
        ElementTree.Element("root").findall(path.partition("@")[0].rstrip("/"))
    except (SyntaxError, TypeError, KeyError):  # of an unclosed predicate: TypeError
        raise ValueError(f"{path!r} is no element path such as catalogue/item") from None


def refuse_unknown_charset(name: str) -> None:
    """See that text can be read in a charset.

    Raises:
        ValueError: Nobody knows it.
    """
    try:
        b" ".decode(name, "ignore")  # some encodings are not of text
    except (LookupError, ValueError):
        raise ValueError(f"nobody knows the charset {name!r}") from None
