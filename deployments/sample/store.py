"""The sample shop's database, filled for a day.

All times are store time (`TIMEZONE`) without an
offset, as most shop databases hold them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zlib import crc32
from zoneinfo import ZoneInfo

import psutil
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from blocks.errors import ConfigurationError
from blocks.store import sql
from deployments.sample import history, replenishment, suppliers
from deployments.sample.history import Line
from deployments.sample.replenishment import PurchaseOrder, StockRecord
from deployments.sample.tables import (
    fills,
    metadata,
    products,
    purchase_orders,
    sale_lines,
    stock,
    supplier_table,
)

TIMEZONE = "Europe/London"
CURRENCY = "GBP"
DELIVERY = time(8)
ORDERING = time(17)
"""Times of day at which deliveries arrive and the buyer orders."""

LAYOUT = 2
"""Raise it when tables or the derivation of their rows change: every store is then refilled."""

Rows = dict[sa.Table, list[dict[str, object]]]


def shop_today() -> date:
    """The current day at the shop."""
    return datetime.now(ZoneInfo(TIMEZONE)).date()


def fill_store(url: str, today: date, bought: Sequence[PurchaseOrder] = ()) -> bool:
    """Make the database hold the shop's history up to yesterday.

    A store that already does is left alone. Otherwise everything is replaced at once: a SQLite file
    by a new one that takes its name when it is complete, a server's tables in one transaction.

    Args:
        url: SQLAlchemy URL of a SQLite file, PostgreSQL or MariaDB/MySQL database.
        today: The shop's current day; its last sales are of the day before, or of the last
            trading day before that.
        bought: Further purchase orders beside those of the shop's own buyer, in the shop's days;
            those of ``today`` and later do not show yet.

    Returns:
        Whether it had to be filled.

    Raises:
        ConfigurationError: The database cannot be used, or holds tables that are not ours.
    """
    target = sql.parse_url(url)
    try:
        if target.database and target.get_backend_name() == "sqlite":
            return _fill_file(target, Path(target.database), today, bought)
        return _fill_server(target, today, bought)
    except DBAPIError as error:
        raise ConfigurationError(
            f"The sample store {sql.describe(target)} cannot be filled: {error.orig}.",
            hint="Check that the database exists and may be written to.",
        ) from None


def rows_for(today: date, bought: Sequence[PurchaseOrder] = ()) -> Rows:
    """All rows of the store as of the start of ``today``, by table in order of insertion."""
    shift = history.shift_for(today)
    everything = history.source_lines()
    lines = [line for line in everything if line.sold_at.date() + shift < today]
    known = [_moved(order, -shift) for order in bought if order.ordered_on < today]
    records = _replay(lines, everything, known)
    return {
        fills: [{"as_of": today, "shift_days": shift.days, "contents": _contents(bought)}],
        supplier_table: [
            {
                "name": supplier.name,
                "lead_time_days": supplier.lead_time_days,
                "min_order_units": supplier.min_order_units,
                "pack_units": supplier.pack_units,
            }
            for supplier in suppliers.SUPPLIERS
        ],
        products: [
            {
                "sku": record.sku,
                "name": record.offer.product.name,
                "unit_price": record.offer.product.list_price,
                "unit_cost": record.offer.unit_cost,
                "supplier": record.offer.supplier.name,
            }
            for record in records
        ],
        stock: [
            {
                "sku": record.sku,
                "opening": record.opening,
                "on_hand": record.on_hand,
                "backordered": record.backordered,
                "reorder_point": record.reorder_point,
                "updated_at": datetime.combine(today, time(0)),
            }
            for record in records
        ],
        sale_lines: [
            {
                "line_id": number,
                "order_id": line.order_id,
                "sku": line.sku,
                "sold_at": line.sold_at + shift,
                "units": line.units,
                "unit_price": line.unit_price,
            }
            for number, line in enumerate(lines, start=1)
        ],
        purchase_orders: _purchase_orders(records, shift),
    }


def _replay(
    lines: list[Line], everything: list[Line], bought: Iterable[PurchaseOrder] = ()
) -> list[StockRecord]:
    """The stock of every SKU that has been sold by now, by SKU."""
    # Launch quantity and supplier are decided on the whole history, so that they stay the same
    # from day to day; what happens after the launch depends on the past alone.
    whole = replenishment.net_sales(everything)
    so_far = replenishment.net_sales(lines)
    trading_days = sorted({line.sold_at.date() for line in lines})
    bought_of: dict[str, list[PurchaseOrder]] = {}
    for order in bought:
        bought_of.setdefault(order.sku, []).append(order)
    records = []
    for sku in sorted(so_far):
        days = (max(whole[sku]) - min(whole[sku])).days + 1
        offer = suppliers.usual_offer(
            suppliers.offers_by_sku()[sku], sum(whole[sku].values()) / days * 7
        )
        opening = replenishment.launch_quantity(whole[sku])
        records.append(
            replenishment.replay(so_far[sku], trading_days, offer, opening, bought_of.get(sku, ()))
        )
    return records


def _moved(order: PurchaseOrder, shift: timedelta) -> PurchaseOrder:
    """An order in other days."""
    return replace(
        order,
        ordered_on=order.ordered_on + shift,
        promised_on=order.promised_on + shift,
        arrives_on=order.arrives_on + shift,
    )


def _purchase_orders(records: Iterable[StockRecord], shift: timedelta) -> list[dict[str, object]]:
    return [
        {
            "order_id": order.order_id,
            "supplier": order.supplier,
            "sku": order.sku,
            "units": order.units,
            "unit_cost": order.unit_cost,
            "ordered_at": datetime.combine(order.ordered_on + shift, ORDERING),
            "expected_at": datetime.combine(order.promised_on + shift, DELIVERY),
            "received_at": (
                datetime.combine(order.received_on + shift, DELIVERY) if order.received_on else None
            ),
        }
        for record in records
        for order in (*record.orders, *record.bought)
    ]


def _contents(bought: Sequence[PurchaseOrder]) -> str:
    return f"{LAYOUT}:{history.fingerprint()}:{crc32(repr(list(bought)).encode()):08x}"


def _fill_file(target: sa.URL, path: Path, today: date, bought: Sequence[PurchaseOrder]) -> bool:
    exists = path.exists() and path.stat().st_size
    if exists and _filled(target) == (today, _contents(bought)):
        return False
    rows = rows_for(today, bought)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        _remove_drafts_of_the_dead(path)
        engine = sa.create_engine(target.set(database=str(draft)), poolclass=sa.NullPool)
        with engine.begin() as connection:
            metadata.create_all(connection)
            _insert(connection, rows)
        os.replace(draft, path)
    except OSError as error:
        raise ConfigurationError(
            f"The sample store {path} cannot be written: {error.strerror}.",
            hint="Check the folder's permissions and free space.",
        ) from None
    finally:
        _remove_draft(draft)
    return True


def _remove_drafts_of_the_dead(path: Path) -> None:
    """Clear away what fills that were killed have left beside the store."""
    for draft in path.parent.glob(f".{path.name}.*"):
        pid = draft.suffix.removeprefix(".")
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            _remove_draft(draft)


def _remove_draft(draft: Path) -> None:
    for file in (draft, draft.with_name(f"{draft.name}-journal")):
        file.unlink(missing_ok=True)


def _fill_server(target: sa.URL, today: date, bought: Sequence[PurchaseOrder]) -> bool:
    filled = _filled(target)
    if filled == (today, _contents(bought)):
        return False
    rows = rows_for(today, bought)
    engine = sa.create_engine(target, poolclass=sa.NullPool)
    with engine.begin() as connection:
        # First of all the table that marks the database as ours, which stays: MariaDB commits each
        # of these.
        fills.create(connection, checkfirst=True)
        if filled and not filled[1].startswith(f"{LAYOUT}:"):
            others = [table for table in metadata.sorted_tables if table is not fills]
            metadata.drop_all(connection, tables=others)
        metadata.create_all(connection)
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
        _insert(connection, rows)
    return True


def _insert(connection: sa.Connection, rows: Rows) -> None:
    for table, content in rows.items():
        if content:
            connection.execute(table.insert(), content)


def _filled(target: sa.URL) -> tuple[date, str] | None:
    """For which day the database is filled, and with what; None for an empty one.

    Raises:
        ConfigurationError: It is not ours.
    """
    engine = sa.create_engine(target, poolclass=sa.NullPool)
    with engine.connect() as connection:
        found = set(sa.inspect(connection).get_table_names())
        if fills.name not in found:
            if foreign := sorted(found & set(metadata.tables)):
                raise ConfigurationError(
                    f"{sql.describe(target)} has tables that are not the sample's: "
                    f"{', '.join(foreign)}.",
                    hint="Give the sample store an empty database of its own.",
                )
            return None
        filled = connection.execute(sa.select(fills.c.as_of, fills.c.contents)).one_or_none()
    return (filled.as_of, filled.contents) if filled else None
