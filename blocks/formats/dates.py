"""Dates as stores keep them, read without guessing."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pandera.pandas as pa


def in_zone(
    raw: pd.DataFrame,
    contract: pa.DataFrameSchema,
    zone: ZoneInfo,
    utc: Collection[str] = (),
) -> pd.DataFrame:
    """The frame with its dates on the contract's clock: store time for days, UTC for instants.

    A value that carries a zone is converted; one without is taken to be on that clock already. A
    day without a time is a day of the store, though, and an instant begins it: midnight UTC would
    be the day before for every store west of it. So is a column whose times are all midnight. A
    value that is no date stays as text, so that its row is set aside with the value to be seen.

    Args:
        raw: Any rows.
        contract: Which columns are dates, and on what clock.
        zone: The store's.
        utc: Columns whose values are in UTC where they carry no zone.
    """
    dated = {
        name: column
        for name, column in contract.columns.items()
        if str(column.dtype).startswith("datetime64") and name in raw
    }
    return raw.assign(
        **{
            name: _read_dates(raw[name], zone, "UTC" in str(column.dtype), name in utc)
            for name, column in dated.items()
        }
    )


def _read_dates(raw: pd.Series[Any], zone: ZoneInfo, instant: bool, utc: bool) -> pd.Series[Any]:
    if pd.api.types.infer_dtype(raw, skipna=True) not in ("string", "datetime", "date"):
        raw = raw.map(_spell_out)
    zoned = _have_zone(raw)
    # ISO 8601 only: whether 01.02.2024 is in January or in February, nobody can know.
    read: pd.Series[Any] = pd.to_datetime(raw.mask(zoned), errors="coerce", format="ISO8601")
    if utc:
        read = read.dt.tz_localize("UTC")
        read = read if instant else read.dt.tz_convert(zone).dt.tz_localize(None)
    elif instant:
        days = _are_days(raw, read)
        begun = _midnights(read.where(days), zone)
        read = read.dt.tz_localize("UTC").mask(days, begun)
    if zoned.any():
        there = pd.to_datetime(raw.where(zoned), errors="coerce", format="ISO8601", utc=True)
        read = read.mask(
            zoned, there if instant else there.dt.tz_convert(zone).dt.tz_localize(None)
        )
    unreadable = read.isna() & raw.notna()
    if not unreadable.any():
        return read
    return read.astype(object).mask(unreadable, "no ISO date: " + raw.astype(str))


def _are_days(raw: pd.Series[Any], read: pd.Series[Any]) -> pd.Series[Any]:
    """Which values name a day, and no time of it."""
    midnight: pd.Series[Any] = read == read.dt.normalize()
    if midnight.any() and midnight[read.notna()].all():
        return midnight
    return midnight & raw.map(_is_day).astype(bool)


def _is_day(value: object) -> bool:
    if isinstance(value, str):
        return re.fullmatch(_DAY, value.strip()) is not None
    return isinstance(value, date) and not isinstance(value, datetime)


def _midnights(days: pd.Series[Any], zone: ZoneInfo) -> pd.Series[Any]:
    """When days begin in a zone, in UTC: the first midnight of two, the next instant for none."""
    first = np.ones(len(days), dtype=bool)
    local = days.dt.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
    begun: pd.Series[Any] = local.dt.tz_convert("UTC")
    return begun


def _have_zone(raw: pd.Series[Any]) -> pd.Series[Any]:
    if pd.api.types.infer_dtype(raw, skipna=True) == "string":
        return raw.str.contains(_ZONE, na=False)
    return raw.map(_has_zone).astype(bool)


_DAY = r"\d{4}-?\d\d-?\d\d"
_ZONE = r":[\d.]+ ?(?:Z|[+-]\d\d(?::?\d\d)?)$"  # only after a time: 2024-01-31 has none


def _has_zone(value: object) -> bool:
    if isinstance(value, str):
        return re.search(_ZONE, value) is not None
    return getattr(value, "tzinfo", None) is not None


def _spell_out(value: object) -> object:
    """20240131 is a date that some systems keep as a number; any other number is not."""
    if isinstance(value, int | float) and value == value:
        return f"{value:.0f}" if 19_000_101 <= value <= 29_991_231 else f"number {value}"
    return value
