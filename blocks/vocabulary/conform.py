"""The one way to apply a column contract: what does not fit is set aside, and told."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pandera.pandas as pa

from blocks.errors import ContractViolation
from blocks.formats.decimal_marks import DecimalMark, read_numbers
from blocks.vocabulary.frames import Problem


@dataclass(frozen=True)
class Conformed:
    """A frame held against its contract.

    Attributes:
        frame: The valid rows with the contract's dtypes.
        problems: One per column and reason, for the rows that were set aside.
        refused: Those rows, as far as their cells could be read.
    """

    frame: pd.DataFrame
    problems: list[Problem]
    refused: pd.DataFrame


def conform(
    frame: pd.DataFrame, contract: pa.DataFrameSchema, decimal_mark: DecimalMark | None = None
) -> tuple[pd.DataFrame, list[Problem]]:
    """Read a raw frame as its contract says, setting bad rows aside.

    Args:
        frame: Raw frame, any dtypes, at least the contract's required columns.
        contract: One of ``CONTRACTS``.
        decimal_mark: What sets off the decimals of numbers that come as text; else the column's
            values tell, and those that could be a thousand or a decimal are set aside.

    Returns:
        The valid rows with the contract's dtypes, and a Problem per column and reason for the
        rows that were set aside. Exact values are never invented: a cell that cannot be read
        takes its whole row with it; where it may be empty, it is left out, which is told too.

    Raises:
        ContractViolation: A required column is missing.
    """
    conformed = conform_fully(frame, contract, decimal_mark)
    return conformed.frame, conformed.problems


def conform_fully(
    frame: pd.DataFrame,
    contract: pa.DataFrameSchema,
    decimal_mark: DecimalMark | None = None,
    worth: Callable[[pd.DataFrame], pd.Series[float]] | None = None,
) -> Conformed:
    """``conform``, with the rows that were set aside and what they are worth.

    Args:
        frame: As for ``conform``.
        contract: As for ``conform``.
        decimal_mark: As for ``conform``.
        worth: Money of each row, as far as it could be read; the problems then tell their share
            of all rows' money. A row whose money cannot be read counts as a usual one.

    Raises:
        ContractViolation: A required column is missing.
    """
    missing = [
        name
        for name, column in contract.columns.items()
        if column.required and name not in frame.columns
    ]
    if missing:
        raise ContractViolation(
            f"{contract.name}: missing column{'s' if len(missing) > 1 else ''} "
            f"{', '.join(missing)} (found: {', '.join(map(str, frame.columns)) or 'none'}).",
            hint="Correct the mapping of this frame.",
        )
    raw = frame[[name for name in contract.columns if name in frame.columns]].reset_index(drop=True)
    plain, unclear = raw.copy(), {}
    for name, column in contract.columns.items():
        if name in raw and str(column.dtype) == "float64":
            plain[name], unclear[name] = read_numbers(raw[name], decimal_mark)
            plain[name] = plain[name].mask(unclear[name], None)
    read = pd.DataFrame(
        {name: _read_as(plain[name], contract.columns[name]) for name in raw.columns},
        index=raw.index,
    )
    first_fault: dict[int, tuple[str, str]] = {}
    rows_by_reason: dict[tuple[str, str], set[int]] = {}
    try:
        contract.validate(read, lazy=True)
    except pa.errors.SchemaErrors as errors:
        for case in errors.failure_cases.itertuples():
            if pd.isna(case.index):  # a whole-column failure that is not about rows
                raise ContractViolation(f"{contract.name}.{case.column}: {case.check}.") from None
            at = int(case.index)
            either = case.column in unclear and unclear[case.column][at]
            reason = (str(case.column), _EITHER if either else _say(str(case.check)))
            rows_by_reason.setdefault(reason, set()).add(at)
            first_fault.setdefault(at, reason)
    shares = _shares(read, worth, first_fault) if worth and first_fault else {}
    problems = [
        Problem(
            contract.name,
            column,
            reason,
            len(rows),
            _example(raw[column].iloc[min(rows)]),
            share=shares.get((column, reason)),
        )
        for (column, reason), rows in sorted(rows_by_reason.items())
    ]
    kept = raw.index.difference(list(first_fault))
    problems += _left_out(raw.loc[kept], read.loc[kept], contract, unclear)
    return Conformed(
        read.loc[kept].reset_index(drop=True),
        problems,
        read.loc[sorted(first_fault)].reset_index(drop=True),
    )


def _shares(
    read: pd.DataFrame,
    worth: Callable[[pd.DataFrame], pd.Series[float]],
    first_fault: dict[int, tuple[str, str]],
) -> dict[tuple[str, str], float]:
    """The share of all rows' money that each reason costs; a row counts for its first one."""
    money = worth(read).abs()
    money = money.where(money < UNBELIEVABLE)
    money = money.fillna(money.mean() if money.notna().any() else 1.0)
    total = float(money.sum())
    if total <= 0:
        return {}
    faults = pd.Series(first_fault)
    return {
        reason: float(money.loc[faults.index[faults == reason]].sum()) / total
        for reason in set(first_fault.values())
    }


UNBELIEVABLE = 1e12
"""Money of a row beyond this was misread: it would drown all others."""

_EITHER = "could be a thousand or a decimal; decimal_mark = ',' or '.' would tell"


def _left_out(
    raw: pd.DataFrame,
    read: pd.DataFrame,
    contract: pa.DataFrameSchema,
    unclear: dict[str, pd.Series[bool]],
) -> list[Problem]:
    """Values that may be empty and could not be read: their rows are kept without them."""
    problems = []
    for name in raw.columns:
        if not contract.columns[name].nullable:
            continue
        lost = raw.index[read[name].isna() & raw[name].notna()]
        either = [at for at in lost if name in unclear and unclear[name][at]]
        for reason, rows in ((_EITHER, either), ("unreadable", lost.difference(either))):
            if len(rows):
                example = _example(raw[name][rows[0]])
                told = f"{reason}; taken as empty"
                problems.append(Problem(contract.name, name, told, len(rows), example, kept=True))
    return problems


def _example(cell: Any) -> str:
    empty = pd.api.types.is_scalar(cell) and pd.isna(cell)  # of a list, isna asks each item
    # What is no UTF-8 came as lone surrogates, which no one could print.
    return "" if empty else str(cell)[:60].encode("utf-8", "replace").decode()


def _read_as(column: pd.Series[Any], contract: pa.Column) -> pd.Series[Any]:
    kind = str(contract.dtype)
    if kind.startswith("datetime64"):
        # A zone that a value carries is honoured; one it lacks is taken to be the column's own:
        # UTC for instants, store time for days (whose reader has put aware values there before).
        read = pd.to_datetime(column, errors="coerce", utc=True, format="mixed")
        read = read.dt.as_unit("us")
        return read if "UTC" in kind else read.dt.tz_localize(None)
    if kind == "float64":
        try:
            return pd.to_numeric(column, errors="coerce").astype(float)
        except OverflowError:  # JSON knows integers that no double holds
            huge = column.map(lambda cell: isinstance(cell, int) and cell.bit_length() > 1000)
            return _read_as(column.mask(huge, float("inf")), contract)
    text = column.where(column.isna(), column.astype(str).str.strip())
    return text.mask(text.map(_is_garbled).astype(bool), None).astype("str")


def _is_garbled(cell: Any) -> bool:
    """Whether a text came as bytes that are no UTF-8."""
    return isinstance(cell, str) and not cell.isascii() and _SURROGATE.search(cell) is not None


_SURROGATE = re.compile("[\ud800-\udfff]")


def _say(check: str) -> str:
    if check == "not_nullable":
        return "empty or unreadable"
    if check == "field_uniqueness":
        return "appears more than once; the first row is kept"
    if check.startswith("greater_than_or_equal_to"):
        return f"below {check.split('(')[1].rstrip(')')}"
    if check.startswith("str_length"):
        return "text is empty or too long"
    return "out of range" if check == "finite" else check
