"""Settled months, kept in files: what is old enough is not read again every day.

One folder per store and mapping: whatever changes what would be read (the mapping, the currency,
the zone) begins a new one. All of it may be thrown away; it is then read again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from blocks.machine.private_files import private_file
from blocks.store.days.block import Block, ItemDays, Told
from blocks.store.days.sums import Span

T = TypeVar("T")

FORMAT = 1
"""Raise it when what a file holds changes: all are then read again."""

MOST_SINGLES = 10_000
"""A month with more rows that must be read one by one is not kept."""

_NOWHERE = "nowhere"
_COLUMNS = ("day", "row", "units", "returned", "revenue")


class KeptMonths:
    """The settled months of one store, under one mapping.

    Args:
        folder: Of all stores' months; made when something is kept.
        store: Name of the store.
        meaning: Whatever changes what would be read.
    """

    def __init__(self, folder: Path, store: str, meaning: Any) -> None:
        told = json.dumps([FORMAT, meaning], sort_keys=True, default=str)
        self._folder = folder / store
        self._own = self._folder / hashlib.sha256(told.encode()).hexdigest()[:16]

    def months(self) -> list[date]:
        """The first days of the months that are kept, oldest first."""
        found = []
        for file in self._own.glob("????-??.npz"):
            with suppress(ValueError):
                found.append(date.fromisoformat(f"{file.stem}-01"))
        return sorted(found)

    def load(self, month: date) -> Block | None:
        """A month as it was read; None when its file is gone or damaged."""
        return self._load(month, lambda file, told: Block(_items(file, told), _told(told)))

    def told(self, month: date) -> Told | None:
        """What is told of a month beside its sums per item, which is far less."""
        return self._load(month, lambda _, told: _told(told))

    def _load(self, month: date, made: Callable[[Any, dict[str, Any]], T]) -> T | None:
        try:
            # np.load leaves a file open that turns out to be none of its own.
            with self._file(month).open("rb") as opened, np.load(opened) as file:
                return made(file, json.loads(bytes(file["told"]).decode()))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def save(self, month: date, block: Block) -> bool:
        """Keep a month, unless too much of it must be read row by row; whether it is kept.

        Raises:
            OSError: The folder cannot be written to.
        """
        told = block.told
        singles = pd.concat(told.singles) if told.singles else pd.DataFrame()
        if len(singles) > MOST_SINGLES:
            return False
        items = block.items
        named = np.bincount(items.row, minlength=len(items.skus)) > 0
        text = {
            "skus": [sku for sku, there in zip(items.skus, named, strict=True) if there],
            "orders": told.orders,
            "money": [[*key, *amount] for key, amount in told.money.items()],
            "repeated": told.repeated,
            "columns": list(singles.columns),
            "singles": [[_tagged(cell) for cell in row] for row in singles.itertuples(index=False)],
        }
        columns = {name: getattr(items, name) for name in _COLUMNS}
        columns["row"] = (np.cumsum(named, dtype=np.int32) - 1)[items.row]
        columns["told"] = np.frombuffer(json.dumps(text).encode(), dtype=np.uint8)
        self._begin()
        with private_file(self._file(month)) as file:
            np.savez(file, **columns)
        return True

    def forget(self) -> None:
        """Throw all of them away."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def none_nowhere(self, today: date, days: int) -> bool:
        """Whether in the last days there were no lines without a day, when they were looked for."""
        try:
            looked = date.fromisoformat((self._own / _NOWHERE).read_text())
        except (OSError, ValueError):
            return False
        return timedelta(0) <= today - looked < timedelta(days=days)

    def note_none_nowhere(self, today: date) -> None:
        """Remember that there were none."""
        self._begin()
        with private_file(self._own / _NOWHERE) as file:
            file.write(today.isoformat().encode())

    def _begin(self) -> None:
        """Make the folder, and throw away what an earlier mapping left."""
        if self._own.is_dir():
            return
        for other in self._folder.glob("*"):
            shutil.rmtree(other, ignore_errors=True)
        self._own.mkdir(mode=0o700, parents=True)

    def _file(self, month: date) -> Path:
        return self._own / f"{month:%Y-%m}.npz"


def _items(file: Any, told: dict[str, Any]) -> ItemDays:
    day, row, units, returned, revenue = (file[name] for name in _COLUMNS)
    return ItemDays(day, row, units, returned, revenue, told["skus"])


def _told(told: dict[str, Any]) -> Told:
    rows = [[_cell(cell) for cell in row] for row in told["singles"]]
    singles = [pd.DataFrame(rows, columns=told["columns"], dtype=object)] if rows else []
    return Told(
        {int(day): count for day, count in told["orders"].items()},
        {(day, code): (amount, count) for day, code, amount, count in told["money"]},
        (told["repeated"][0], told["repeated"][1]),
        singles,
    )


def whole_months(first: date, end: date) -> Iterator[Span]:
    """The months that lie wholly within, newest first."""
    last = end.replace(day=1)
    while True:
        month = (last - date.resolution).replace(day=1)
        if month < first:
            return
        yield Span(month, last)
        last = month


def _tagged(cell: Any) -> Any:
    """A cell as JSON can say it, with its kind where JSON has none."""
    if isinstance(cell, Decimal):
        return {"decimal": str(cell)}
    if isinstance(cell, datetime):  # pandas' timestamps, too
        return {"time": cell.isoformat()}
    if isinstance(cell, np.generic):
        return cell.item()
    if cell is None or isinstance(cell, str | int | float | bool):
        return cell
    return str(cell)


def _cell(told: Any) -> Any:
    if isinstance(told, dict):
        return Decimal(told["decimal"]) if "decimal" in told else pd.Timestamp(told["time"])
    return told
