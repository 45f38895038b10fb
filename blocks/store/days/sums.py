"""Order lines added up where they lie: what is asked of the database."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from blocks.store.compiling import Element
from blocks.store.days import typed
from blocks.store.days.typed import Typed
from blocks.store.statements import Select, Statement
from blocks.vocabulary.frames import NO_ITEM

_DAY = timedelta(days=1)
_NOT_OF_LINE = ("day", "clean", "currency")  # a duplicate is one in whatever currency


@dataclass(frozen=True)
class Span:
    """Days from ``first`` on and before ``end``."""

    first: date
    end: date

    @property
    def days(self) -> int:
        """How many."""
        return (self.end - self.first).days

    @property
    def is_month(self) -> bool:
        """Whether it is a whole month."""
        next_month = (self.first + 31 * _DAY).replace(day=1)
        return self.first.day == 1 and self.end == next_month


class Sums:
    """What a database can say of the lines of some mappings, whose rows are put together.

    Args:
        asked: The SELECT of each mapping.
        dialect: Of the database.
        zone: The store's.
    """

    def __init__(self, asked: Sequence[Statement], dialect: str, zone: ZoneInfo) -> None:
        self._asked, self._dialect, self._zone = asked, dialect, zone

    @property
    def possible(self) -> bool:
        """Whether the columns' types let the database add them up at all."""
        span = Span(date(2000, 1, 1), date(2000, 1, 2))
        return all(
            each is not None for asked in self._asked for each in self._read(asked, span).values()
        )

    def by_item(self, span: Span) -> Select:
        """Per day, SKU and currency: units sold, units returned, money, lines.

        Rows without a day tell how many lines cannot be added up; SQLite is asked with ``count``
        instead. Of dates in UTC, the days before and after the span are partly there, too.
        """
        lines = self.lines(span)
        sold = sa.case((lines.c.units > 0, lines.c.units), else_=0)
        returned = sa.case((lines.c.units < 0, -lines.c.units), else_=0)
        sums = (sold, returned, lines.c.money)
        groups = (*self._if_clean(lines, lines.c.day, lines.c.sku), lines.c.currency)
        return sa.select(
            *groups, *(self._double(sa.func.sum(each)) for each in sums), sa.func.count()
        ).group_by(*groups)

    def count(self, span: Span) -> list[Select]:
        """How many lines each mapping has, clean or not; none where ``by_item`` tells."""
        if not self._chooses:
            return []
        return [
            asked.select.with_only_columns(sa.func.count()).where(self._near(asked, span))
            for asked in self._asked
        ]

    def orders(self, span: Span) -> Select:
        """Per day, how many orders had a unit sold."""
        lines = self.lines(span)
        order = sa.case((sa.and_(lines.c.clean, _sold(lines)), lines.c.order_id))
        # To count distinct orders, databases would sort each day's.
        found = sa.select(lines.c.day, order.label("order_id")).distinct().subquery("orders")
        return sa.select(found.c.day, sa.func.count(found.c.order_id)).group_by(found.c.day)

    def among(self, span: Span, orders: Collection[str]) -> Select:
        """Per day, which of some orders had a unit sold."""
        lines = self.lines(span)
        these = lines.c.order_id.in_(sorted(orders))
        return (
            sa.select(lines.c.day, lines.c.order_id)
            .where(lines.c.clean, _sold(lines), these)
            .distinct()
        )

    def repeated(self, span: Span) -> Select:
        """Per day, how many lines are exact duplicates of another, and the order of one of them."""
        lines = self.lines(span)
        count = sa.func.count()
        columns = [column for column in lines.c if column.name not in _NOT_OF_LINE]
        (day,) = self._if_clean(lines, lines.c.day)
        again = sa.select(day.label("day"), count.label("times"), lines.c.order_id)
        found = again.group_by(day, *columns).having(count > 1).subquery("again")
        return sa.select(
            found.c.day, sa.func.sum(found.c.times - 1), sa.func.min(found.c.order_id)
        ).group_by(found.c.day)

    def unclean(self, span: Span) -> list[Select]:
        """The rows of each mapping that the database cannot add up.

        With a day's margin where their dates may carry a zone: who reads them must choose.
        """
        selects = []
        for asked in self._asked:
            margin = (
                _DAY if self._dialect == "sqlite" or not self._is_local(asked) else timedelta(0)
            )
            column = asked.columns["sold_at"]
            near = typed.between(column, self._dialect, span.first - margin, span.end + margin)
            clean = sa.func.coalesce(_clean(self._typed(asked, span)), sa.false())
            selects.append(asked.select.where(near, sa.not_(clean)))
        return selects

    def nowhere(self, end: date) -> list[Select]:
        """The rows of each mapping that lie on no day before ``end``."""
        return [
            asked.select.where(typed.nowhere(asked.columns["sold_at"], self._dialect, end))
            for asked in self._asked
        ]

    @property
    def _chooses(self) -> bool:
        """Whether clean lines are chosen by a condition.

        A planner that has to guess how many lines such a condition leaves would guess one, and
        choose its joins for that. SQLite does not guess, but would look at each line again for
        every column that depends on it.
        """
        return self._dialect == "sqlite"

    def lines(self, span: Span) -> sa.Subquery:
        """The lines of all mappings, with ``clean``: whether they can be added up."""
        parts = []
        for asked in self._asked:
            values = self._typed(asked, span)
            clean = _clean(values)
            near = self._near(asked, span)
            named = [each.value.label(name) for name, each in values.items()]
            told = sa.literal_column("1", sa.Boolean) if self._chooses else clean
            part = asked.select.with_only_columns(*named, told.label("clean")).where(near)
            parts.append(part.where(clean) if self._chooses else part)
        found = parts[0] if len(parts) == 1 else sa.union_all(*parts)
        return found.subquery("lines")

    def _if_clean(self, lines: sa.Subquery, *columns: Element) -> list[Element]:
        if self._chooses:
            return list(columns)
        return [sa.case((lines.c.clean, column)) for column in columns]

    def _near(self, asked: Statement, span: Span) -> Element:
        """Dates as they are written; in UTC, the store's day may begin the day before."""
        margin = timedelta(0) if self._is_local(asked) else _DAY
        column = asked.columns["sold_at"]
        return typed.between(column, self._dialect, span.first - margin, span.end + margin)

    @property
    def local(self) -> bool | None:
        """Whether times are on the store's clock; None where mappings differ in that."""
        found = {self._is_local(asked) for asked in self._asked}
        return found.pop() if len(found) == 1 else None

    @property
    def dates_only(self) -> bool:
        """Whether a mapping's times are dates by their type."""
        times = [asked.columns["sold_at"].type for asked in self._asked]
        return any(isinstance(each, sa.Date) for each in times)

    def _is_local(self, asked: Statement) -> bool:
        zoned = getattr(asked.columns["sold_at"].type, "timezone", False)
        return not zoned and "sold_at" not in asked.utc

    def _typed(self, asked: Statement, span: Span) -> dict[str, Typed]:
        return {name: each for name, each in self._read(asked, span).items() if each is not None}

    def _read(self, asked: Statement, span: Span) -> dict[str, Typed | None]:
        """The values of a line; None for one whose type the database cannot add up."""
        columns, dialect = asked.columns, self._dialect
        sold_at, utc = columns["sold_at"], "sold_at" in asked.utc
        return {
            "day": typed.day(sold_at, dialect, utc, self._zone, span.first, span.end),
            "order_id": typed.text(columns["order_id"], dialect),
            "sku": typed.text(columns["sku"], dialect),
            "units": typed.number(columns["units"], dialect),
            "money": _money(columns, dialect),
            "currency": _currency(columns, dialect),
            "sold_at": Typed(sold_at, sa.true()),
        }

    def _double(self, total: Element) -> Element:
        """A sum as floating point: decimals would come as objects, a million of them slowly."""
        if self._dialect == "postgresql":
            return sa.cast(total, sa.Double)
        return total * sa.literal_column("1e0")


def _clean(values: dict[str, Typed]) -> Element:
    return sa.and_(*(each.clean for each in values.values()))


def _sold(lines: sa.Subquery) -> Element:
    return sa.and_(lines.c.units > 0, lines.c.sku != NO_ITEM)


def _money(columns: dict[str, Element], dialect: str) -> Typed | None:
    """See blocks.store.money.amounts."""
    parts = {
        name: typed.number(columns[name], dialect)
        for name in ("units", "unit_price", "revenue")
        if name in columns
    }
    units, price, revenue = (parts.get(name) for name in ("units", "unit_price", "revenue"))
    if any(part is None for part in parts.values()) or units is None:
        return None
    if price is None or revenue is None:
        if price is not None:
            return Typed(units.value * price.value, price.clean)
        return revenue
    either = sa.func.coalesce(revenue.value, units.value * price.value)
    empty = [sa.or_(each.value.is_(None), each.clean) for each in (price, revenue)]
    return Typed(either, sa.and_(either.is_not(None), *empty))


def _currency(columns: dict[str, Element], dialect: str) -> Typed | None:
    if "currency" not in columns:
        return Typed(sa.literal(""), sa.true())
    code = typed.text(columns["currency"], dialect)
    if code is None:
        return None
    empty = columns["currency"].is_(None)
    return Typed(sa.func.coalesce(sa.func.upper(code.value), ""), sa.or_(empty, code.clean))
