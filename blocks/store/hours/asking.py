"""Orders counted in steps of five minutes where they lie: what is asked of the database."""

from __future__ import annotations

import sqlalchemy as sa

from blocks.store.compiling import Element
from blocks.store.days.sums import Span, Sums
from blocks.store.hours.counts import BIN
from blocks.store.statements import Select
from blocks.vocabulary.frames import NO_ITEM

STEP_SECONDS = int(BIN.total_seconds())


def orders_by_step(sums: Sums, span: Span, dialect: str) -> Select:
    """Per step: how many orders were made in it, and the second of the newest one.

    An order counts once, when the first of its sold lines says. Steps and seconds are counted from
    1970 on, on the clock that the times are kept by.
    """
    lines = sums.lines(span)
    second = sa.func.min(_second(lines.c.sold_at, dialect)).label("second")
    sold = sa.and_(lines.c.clean, lines.c.units > 0, lines.c.sku != NO_ITEM)
    orders = sa.select(lines.c.order_id, second).where(sold).group_by(lines.c.order_id)
    found = orders.subquery("orders")
    step = _divided(found.c.second, dialect)
    return sa.select(step, sa.func.count(), sa.func.max(found.c.second)).group_by(step)


def money_by_step(sums: Sums, span: Span, dialect: str) -> Select:
    """Per step and currency: the money of its lines, returns subtracted."""
    lines = sums.lines(span)
    timed = sa.select(
        _second(lines.c.sold_at, dialect).label("second"),
        lines.c.currency,
        lines.c.money,
    )
    found = timed.where(lines.c.clean).subquery("timed")
    step = _divided(found.c.second, dialect)
    total = sa.cast(sa.func.sum(found.c.money), sa.Double)
    return sa.select(step, found.c.currency, total).group_by(step, found.c.currency)


def _second(at: Element, dialect: str) -> Element:
    """Seconds since 1970, as the clock of a time tells it."""
    if dialect == "sqlite":
        return sa.cast(sa.func.strftime("%s", at), sa.BigInteger)
    if dialect == "postgresql":
        return sa.cast(sa.func.floor(sa.extract("epoch", at)), sa.BigInteger)
    second: Element = sa.literal_column("SECOND")
    begin: Element = sa.literal_column("'1970-01-01'")
    return sa.func.timestampdiff(second, begin, at, type_=sa.BigInteger)


def _divided(second: Element, dialect: str) -> Element:
    # MySQL's "/" makes fractions of whole numbers, the others' does not.
    return second.op("DIV" if dialect in ("mysql", "mariadb") else "/")(STEP_SECONDS)
