"""Column contracts of every frame that crosses a border, and the one way to apply them.

Conventions: a ``date`` is a trading day in the store's own time zone (naive, midnight); an
instant (``*_at``, ``ts``) is timezone-aware UTC; money is in the store's currency; ``units`` are
pieces. A SKU is text, never a number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd
import pandera.pandas as pa

from blocks.errors import ContractViolation
from blocks.formats.decimal_marks import DecimalMark, read_numbers

# Pandera loads its backend (up to seconds on a busy machine) at the first check, which would come
# amid calls to suppliers whose latency is measured.
pa.DataFrameSchema.register_default_backends(pd.DataFrame)

NO_CURRENCY = "XXX"
"""What ISO 4217 writes where there is no currency: nobody has said what money it is."""

_DAY = "datetime64[us]"
_INSTANT = "datetime64[us, UTC]"


def _text(**kwargs: Any) -> pa.Column:
    return pa.Column(str, pa.Check.str_length(min_value=1, max_value=200), **kwargs)


def _number(minimum: float | None = None, **kwargs: Any) -> pa.Column:
    checks = [pa.Check(lambda s: s.abs() < 1e12, name="finite")]
    if minimum is not None:
        checks.append(pa.Check.ge(minimum))
    return pa.Column(float, checks, **kwargs)


PRODUCTS = pa.DataFrameSchema(
    {
        "sku": _text(unique=True, report_duplicates="exclude_first"),
        "name": _text(),
        "category": pa.Column(str, nullable=True, required=False),
        "unit_price": _number(0),
        "unit_cost": _number(0, nullable=True, required=False),
    },
    name="products",
    strict="filter",
)
"""One row per product: price and cost in money per unit."""

STOCK = pa.DataFrameSchema(
    {
        "sku": _text(unique=True, report_duplicates="exclude_first"),
        "on_hand": _number(0),
        "updated_at": pa.Column(_INSTANT, nullable=True, required=False),
    },
    name="stock",
    strict="filter",
)
"""One row per SKU: units on hand now."""

SALE_LINES = pa.DataFrameSchema(
    {
        "order_id": _text(),
        "sku": _text(),
        "sold_at": pa.Column(_DAY),
        "units": _number(),
        "unit_price": _number(0),
    },
    name="sale_lines",
    strict="filter",
)
"""One row per order line, ``sold_at`` in store time; negative ``units`` are returns."""

SALES = pa.DataFrameSchema(
    {
        "date": pa.Column(_DAY),
        "sku": _text(),
        "units": _number(0),
        "returned": _number(0),
        "revenue": _number(),
    },
    name="sales",
    strict="filter",
)
"""One row per trading day and SKU: units sold, units returned, net revenue. Days without a sale
have no row."""

ORDERS = pa.DataFrameSchema(
    {
        "date": pa.Column(_DAY, unique=True, report_duplicates="exclude_first"),
        "orders": _number(0),
        "units": _number(0),
        "revenue": _number(),
    },
    name="orders",
    strict="filter",
)
"""One row per trading day, over all SKUs: customer orders, units sold, net revenue."""

OPEN_ORDERS = pa.DataFrameSchema(
    {
        "order_id": _text(),
        "supplier": _text(),
        "sku": _text(),
        "units": _number(0),
        "ordered_at": pa.Column(_INSTANT),
        "expected_at": pa.Column(_INSTANT, nullable=True),
    },
    name="open_orders",
    strict="filter",
)
"""One row per purchase order line that has not arrived."""

OFFERS = pa.DataFrameSchema(
    {
        "supplier": _text(),
        "sku": _text(),
        "unit_cost": _number(0),
        "lead_time_days": _number(0),
        "min_order_units": _number(0),
    },
    name="offers",
    strict="filter",
)
"""One row per supplier and SKU: what it costs, how long it takes, the smallest order."""

_NO_LIMIT = 1e300
"""Bytes and nanoseconds count in far more than 10^12. Beyond this, a number stands for "no limit"
as infinity does, and a sum of some would overflow."""

SERIES = pa.DataFrameSchema(
    {
        "ts": pa.Column(_INSTANT),
        "value": pa.Column(float, pa.Check(lambda s: s.abs() < _NO_LIMIT, name="finite")),
    },
    name="series",
    strict="filter",
)
"""One row per sample of one metric."""

CONTRACTS: dict[str, pa.DataFrameSchema] = {
    schema.name: schema
    for schema in (PRODUCTS, STOCK, SALE_LINES, SALES, ORDERS, OPEN_ORDERS, OFFERS, SERIES)
}


@dataclass(frozen=True)
class Problem:
    """Why some rows of a frame were set aside, or why a whole frame is missing.

    Attributes:
        frame: Name of the contract.
        column: Offending column, or "" when the whole frame is concerned.
        reason: What is wrong, in words.
        rows: How many rows it concerns (0 when the frame never came).
        example: One offending value, as text.
        kept: Whether the rows are in the frame all the same: odd, but not wrong for sure.
    """

    frame: str
    column: str
    reason: str
    rows: int = 0
    example: str = ""
    kept: bool = False

    def __str__(self) -> str:
        where = f"{self.frame}.{self.column}" if self.column else self.frame
        example = f", for instance {self.example!r}" if self.example else ""
        count = f" ({self.rows} row{'s' if self.rows > 1 else ''}{example})" if self.rows else ""
        return f"{where}: {self.reason}{count}"


@dataclass
class Snapshot:
    """The store's frames as read at one instant.

    Attributes:
        taken_at: When it was read (UTC).
        frames: Contract name to valid frame; a frame that could not be had is absent.
        problems: What is missing or was set aside, and why.
        stale_because: Why an older snapshot stands in for a fresh one; "" when it is fresh.
        currency: ISO code of the store's money; NO_CURRENCY when nobody has said.
        timezone: IANA name of the store's time zone.
        store: Name of the store; "" when the frames are not a store's.
    """

    taken_at: datetime
    frames: dict[str, pd.DataFrame]
    problems: list[Problem] = field(default_factory=list)
    stale_because: str = ""
    currency: str = NO_CURRENCY
    timezone: str = "UTC"
    store: str = ""

    def need(self, *names: str) -> tuple[pd.DataFrame, ...]:
        """The named frames.

        Raises:
            ContractViolation: One of them could not be had; says why.
        """
        for name in names:
            if name not in self.frames:
                why = "; ".join(str(p) for p in self.problems if p.frame == name)
                raise ContractViolation(
                    f"The snapshot has no {name!r} frame{': ' + why if why else '.'}",
                    hint="Check the store's mapping with ./orchestrator connect.",
                )
        return tuple(self.frames[name] for name in names)

    def names(self) -> dict[str, str]:
        """Product names by SKU, as far as they are known."""
        products = self.frames.get("products")
        return {} if products is None else dict(zip(products["sku"], products["name"], strict=True))


def conform(
    frame: pd.DataFrame, contract: pa.DataFrameSchema, decimal_mark: DecimalMark | None = None
) -> tuple[pd.DataFrame, list[Problem]]:
    """Read a raw frame as its contract says, setting bad rows aside.

    Args:
        frame: Raw frame, any dtypes, at least the contract's required columns.
        contract: One of the schemas of this module.
        decimal_mark: What sets off the decimals of numbers that come as text; else the column's
            values tell, and those that could be a thousand or a decimal are set aside.

    Returns:
        The valid rows with the contract's dtypes, and a Problem per column and reason for the
        rows that were set aside. Exact values are never invented: a cell that cannot be read
        takes its whole row with it; where it may be empty, it is left out, which is told too.

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
    bad: set[int] = set()
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
            bad.add(at)
    problems = [
        Problem(contract.name, column, reason, len(rows), _example(raw[column].iloc[min(rows)]))
        for (column, reason), rows in sorted(rows_by_reason.items())
    ]
    kept = raw.index.difference(list(bad))
    problems += _left_out(raw.loc[kept], read.loc[kept], contract, unclear)
    return read.loc[kept].reset_index(drop=True), problems


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
    return "" if empty else str(cell)[:60]


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
    return text.astype("str")


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
