"""Sales whose lines are read one by one, as the database cannot add them up."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from blocks.store.days.block import ItemDays
from blocks.store.days.trading_days import Period, by_day
from blocks.store.days.weeks import Frames
from blocks.store.mapping import StoreSource
from blocks.store.money import in_one_currency
from blocks.store.rows import FrameReader
from blocks.vocabulary.frames import Problem


@dataclass(frozen=True)
class SalesRead:
    """What was read of a store's sales.

    Attributes:
        sales: Frame of contract SALES.
        orders: Frame of contract ORDERS.
        currency: What the money is in.
        problems: What was set aside, kept apart, or changed after it was settled.
    """

    sales: pd.DataFrame
    orders: pd.DataFrame
    currency: str
    problems: list[Problem]


def read_lines(store: StoreSource, reader: FrameReader, period: Period) -> SalesRead:
    """Read the sales of a store line by line, the newest ``max_rows``, and add them up by day.

    Raises:
        ContractViolation: No line is usable, or amounts are in several currencies.
        EmptySource: There is no line.
        SQLAlchemyError: It cannot be read; see ``sql.reading``.
    """
    found = reader.read("sale_lines", store.frames["sale_lines"], store.max_rows, period)
    money = in_one_currency(found.frame, store.currency, store.rates)
    sales, orders = by_day(found.frame.assign(revenue=money.revenue))
    frames = Frames(period.end.date())
    frames.add(ItemDays.of_sales(sales))
    return SalesRead(frames.sales(), orders, money.currency, found.problems + money.problems)
