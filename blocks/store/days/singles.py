"""Order lines that must be read one by one, held against the contract together."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from blocks.formats.decimal_marks import DecimalMark
from blocks.store.days.block import ItemDays, Told, days_of
from blocks.store.days.trading_days import DUPLICATES, Period, repeated, within
from blocks.store.money import amounts, in_one_currency
from blocks.store.rows import with_money
from blocks.vocabulary.conform import UNBELIEVABLE, conform_fully
from blocks.vocabulary.frames import NO_ITEM, Problem


@dataclass(frozen=True)
class Singles:
    """What came of rows that were read one by one.

    Attributes:
        items: Their sums per day and SKU.
        orders: Per day, orders that are not counted yet.
        currency: What the store's money is in, that of the other lines included.
        problems: Rows that were set aside, money that is kept apart, duplicates.
    """

    items: ItemDays
    orders: dict[int, int]
    currency: str
    problems: list[Problem]


def add_up(
    raw: pd.DataFrame,
    told: Told,
    period: Period,
    currency: str,
    rates: Mapping[str, float],
    decimal_mark: DecimalMark | None,
) -> Singles:
    """Hold rows against contract SALE_LINES, and add them up beside the others.

    Args:
        raw: Rows as they came, with dates on the store's clock; and ``counted`` (see ``Told``).
        told: Of the lines that the database added up.
        period: The days that are wanted.
        currency: See ``in_one_currency``.
        rates: The same.
        decimal_mark: As for ``conform``.

    Raises:
        ContractViolation: Amounts are in several currencies, and none is the store's.
    """
    counted = set()
    if "counted" in raw:
        known = raw[raw["counted"].astype(bool)]
        orders = known["order_id"].map(lambda order: str(order).strip())
        counted = set(zip(days_of(known["sold_at"]), orders, strict=True))
        raw = raw.drop(columns="counted")
    lines, problems = _conformed(raw, told, decimal_mark)
    lines, future = within(lines, period, "sale_lines")
    problems += future
    money, code, apart = _money(lines, told, currency, rates)
    return Singles(
        _items(lines, money),
        _new_orders(lines, counted),
        code,
        [*problems, *apart, *_repeated(lines, told)],
    )


def _conformed(
    raw: pd.DataFrame, told: Told, decimal_mark: DecimalMark | None
) -> tuple[pd.DataFrame, list[Problem]]:
    """The valid rows, and the others' share of all lines' money."""
    of_these = 0.0

    def worth(read: pd.DataFrame) -> pd.Series[float]:
        nonlocal of_these
        money = amounts(read)
        money = money.where(money.abs() < UNBELIEVABLE)
        known = told.lines + int(money.notna().sum())
        if known:
            money = money.fillna((told.amount + float(money.abs().sum())) / known)
        of_these = float(money.abs().sum())
        return money

    found = conform_fully(raw, with_money(raw), decimal_mark, worth)
    whole = of_these + told.amount
    part = of_these / whole if whole > 0 else 1.0
    shared = [
        problem if problem.share is None else replace(problem, share=problem.share * part)
        for problem in found.problems
    ]
    return found.frame, shared


def _money(
    lines: pd.DataFrame, told: Told, currency: str, rates: Mapping[str, float]
) -> tuple[pd.Series[float], str, list[Problem]]:
    """The lines' revenue; what it is in; and what of all lines' money is kept apart."""
    by_code: dict[str, tuple[float, int]] = {}
    for (_, code), (amount, count) in told.money.items():
        before = by_code.get(code, (0.0, 0))
        by_code[code] = (before[0] + amount, before[1] + count)
    own = pd.DataFrame({"revenue": amounts(lines)})
    if "currency" in lines:
        own["currency"] = lines["currency"]
    if "currency" not in lines and not any(by_code):
        return own["revenue"], currency, []
    sums = pd.DataFrame(
        {
            "revenue": [amount for amount, _ in by_code.values()],
            "currency": pd.array([code or None for code in by_code], dtype="str"),
        }
    )
    money = in_one_currency(pd.concat([sums, own], ignore_index=True), currency, rates)
    apart = [
        replace(problem, rows=problem.rows - 1 + by_code[problem.example][1])
        if problem.example in by_code
        else problem
        for problem in money.problems
    ]
    revenue = money.revenue.iloc[len(sums) :].set_axis(lines.index)
    return revenue, money.currency, apart


def _items(lines: pd.DataFrame, revenue: pd.Series[float]) -> ItemDays:
    sold = lines["units"].clip(lower=0)
    return ItemDays.of_sales(
        pd.DataFrame(
            {
                "date": lines["sold_at"],
                "sku": lines["sku"],
                "units": sold,
                "returned": sold - lines["units"],
                "revenue": revenue.fillna(0.0),
            }
        )
    )


def _new_orders(lines: pd.DataFrame, counted: Collection[tuple[int, str]]) -> dict[int, int]:
    sold = lines[(lines["units"] > 0) & (lines["sku"] != NO_ITEM)]
    pairs = set(zip(days_of(sold["sold_at"]), sold["order_id"], strict=True))
    new: dict[int, int] = {}
    for day, _ in pairs - set(counted):
        new[int(day)] = new.get(int(day), 0) + 1
    return new


def _repeated(lines: pd.DataFrame, told: Told) -> list[Problem]:
    mine = repeated(lines)
    count, order = told.repeated
    if not count:
        return mine
    rows = count + sum(problem.rows for problem in mine)
    return [Problem("sale_lines", "", DUPLICATES, rows, f"order {order}", kept=True)]
