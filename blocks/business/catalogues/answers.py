"""What a supplier answered, and what that says of itself: empty, not all there, or not well."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd

from blocks.formats.parsing import Rows
from blocks.vocabulary.frames import Problem


@dataclass(frozen=True)
class SupplierAnswer:
    """What a supplier offered, and how its connection behaved.

    Attributes:
        supplier: The supplier's name.
        fetched_at: When it was asked.
        frame: Valid rows, contract OFFERS.
        rows: How many rows it sent, valid or not.
        status: HTTP status.
        latency_ms: Time to the last byte.
        clock_skew_s: Its clock minus ours, to about half a second; None when unknown.
        problems: Rows that were set aside, and why.
    """

    supplier: str
    fetched_at: datetime
    frame: pd.DataFrame
    rows: int
    status: int
    latency_ms: float
    clock_skew_s: float | None
    problems: list[Problem] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether it is all of its catalogue, as far as it says."""
        return not part_of(self.problems)


_NEXT = re.compile(r""";\s*rel\s*=\s*(?:"[^"]*\bnext\b[^"]*"|next\b)""", re.IGNORECASE)
"""A link of RFC 8288 with the relation ``next``."""

_A_PART = "a part of its catalogue"

_TOTALS = ("x-total-count", "x-total", "x-wp-total", "total-count")


def is_a_part(rows: Rows, headers: Mapping[str, str]) -> str:
    """How an answer says that there is more than it holds, in words; "" where it does not.

    Args:
        rows: What was read of it.
        headers: The answer's, by name in lower case.
    """
    totals = [headers.get(name, "").strip() for name in _TOTALS]
    total = max([int(text) for text in totals if text.isdecimal()], default=0)
    total = max(total, rows.said.get("total", 0))
    told = []
    if rows.said.get("next_page") or _NEXT.search(headers.get("link", "")):
        told.append("names a next page")
    if total > len(rows):
        told.append(f"names {total:,} in all")
    return " and ".join(told)


def part_of(problems: Sequence[Problem]) -> str:
    """How a catalogue is said not to be all there among what is wrong with it; "" where it is."""
    return next((p.reason for p in problems if not p.column and _A_PART in p.reason), "")


def problems_of(rows: Rows, part: str, who: str) -> list[Problem]:
    """What is wrong with an answer as a whole.

    Args:
        rows: What was read of it.
        part: As ``is_a_part`` says.
        who: Whose answer it is.
    """
    told = []
    if not len(rows):
        told.append(f"{who} sent an empty catalogue")
    if part:
        told.append(
            f"{who} sent {_A_PART}: the answer {part}, and {len(rows):,} rows were "
            "read; state paging on its connection"
        )
    if error := rows.said.get("error"):
        told.append(f"{who} sent an error beside its rows: {error}")
    if rows.said.get("undecodable"):
        told.append(
            f"{who} sent bytes that are no text of its charset; what they are in is set aside. "
            "State charset on its connection, for instance windows-1252"
        )
    return [Problem("offers", "", text) for text in told]
