"""What a nightly fit leaves behind: units per week, and how such forecasts err, in one file."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blocks.machine.private_files import private_file

FORMAT = 1
"""Raise it when what a file holds changes: older ones count as missing."""

LONGEST_DAYS = 7
"""Rates that are older than this are not used: trade has moved on."""

_ARRAYS = ("weekly", "group", "dispersion", "outside", "horizons", "errors")


@dataclass(frozen=True)
class Rates:
    """The demand of a store's items in the coming weeks, as it was learned on a day.

    Attributes:
        store: Name of the store.
        fitted_on: The first day of the first week.
        skus: One row each, in this order.
        weekly: Expected units in each of the coming weeks, were the shop open on all its usual
            days: float32, one row per SKU, one column per week.
        group: Column of ``errors`` that each SKU belongs to.
        dispersion: Squared error per expected unit of each SKU over a protection interval.
        outside: Share of each SKU's units of the last year that single large orders brought,
            beyond what counts as daily trade; 0 to 1.
        horizons: Whole weeks over which errors were measured, rising.
        errors: Demand less forecast in units of ``sqrt(dispersion * forecast)``, out of sample:
            float32, one row per horizon, one column per group, sorted along the third axis.
        groups: What each group is called: the kind of item, and its rank by size.
    """

    store: str
    fitted_on: date
    skus: Sequence[str]
    weekly: NDArray[np.float32]
    group: NDArray[np.uint8]
    dispersion: NDArray[np.float32]
    outside: NDArray[np.float32]
    horizons: NDArray[np.int32]
    errors: NDArray[np.float32]
    groups: Sequence[str]

    def fresh(self, today: date) -> bool:
        """Whether they may be used on a day: not fitted later, nor over a week before."""
        return 0 <= (today - self.fitted_on).days <= LONGEST_DAYS

    def save(self, path: Path) -> None:
        """Write the file; whoever reads it meanwhile sees the old one or the new one, whole.

        Raises:
            OSError: It cannot be written.
        """
        text = {
            "format": FORMAT,
            "store": self.store,
            "fitted_on": self.fitted_on.isoformat(),
            "skus": list(self.skus),
            "groups": list(self.groups),
        }
        with private_file(path) as file:
            np.savez(
                file,
                told=np.frombuffer(json.dumps(text).encode(), dtype=np.uint8),
                **{name: getattr(self, name) for name in _ARRAYS},
            )

    @classmethod
    def load(cls, path: Path) -> Rates | None:
        """Read the file; None when it is missing, damaged or of another format."""
        try:
            # np.load leaves a file open that turns out to be none of its own.
            with path.open("rb") as opened, np.load(opened) as file:
                told = json.loads(bytes(file["told"]).decode())
                if told["format"] != FORMAT:
                    return None
                arrays = {name: file[name] for name in _ARRAYS}
                rates = cls(
                    store=told["store"],
                    fitted_on=date.fromisoformat(told["fitted_on"]),
                    skus=told["skus"],
                    groups=told["groups"],
                    **arrays,
                )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError):
            return None
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError):
            return None  # a flipped byte may also announce a method or a password nobody has
        return rates if rates._is_whole() else None

    def _is_whole(self) -> bool:
        """Whether the parts fit each other: every SKU has its row, every row its errors."""
        count = len(self.skus)
        return (
            self.weekly.ndim == 2
            and all(
                len(part) == count
                for part in (self.weekly, self.group, self.dispersion, self.outside)
            )
            and self.errors.ndim == 3
            and self.errors.shape[:2] == (len(self.horizons), len(self.groups))
            and self.errors.shape[2] > 0
            and bool((self.group < len(self.groups)).all())
            and all(bool(np.isfinite(part).all()) for part in (self.weekly, self.errors))
        )
