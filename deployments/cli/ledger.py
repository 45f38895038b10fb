"""What the ledger holds, for how long, and what it may forget: ``ledger``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from blocks.errors import RequestError
from deployments.cli.app import AsJson, command, existing_ledger, show
from deployments.console.markup import escape


@command
async def ledger(
    cut: Annotated[bool, typer.Option("--cut", help="Forget now what is due.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what the ledger holds, for how long it is kept, and what is due to be forgotten.

    A running stack forgets once a day.
    """
    show(await read_ledger(cut=cut), as_json, _print_all)


@dataclass
class TableKept:
    """One table: its setting, what is in it, and what of it may go now.

    Attributes:
        days: For how long its rows are kept at least; None: for ever.
    """

    kind: str
    table: str
    days: int | None
    rows: int
    oldest: datetime | None
    due: int


@dataclass
class LedgerHeld:
    """What the ledger holds.

    Attributes:
        gone: How many rows went, by table; None unless that was asked for.
    """

    where: str
    bytes: int
    tables: list[TableKept]
    gone: dict[str, int] | None = None


async def read_ledger(*, cut: bool) -> LedgerHeld:
    """What it holds; with ``cut`` what may go goes first.

    Raises:
        RequestError: There is no ledger yet.
        LedgerError: It cannot be read or written.
    """
    from blocks.settings import get_settings
    from blocks.vocabulary.messages import utc_now

    now, days = utc_now(), get_settings().retention
    with existing_ledger(migrate=False) as ledger:
        if ledger is None:
            raise RequestError("There is no ledger: nothing has run yet.")
        gone = await ledger.retention.cut(days, now) if cut else None
        return LedgerHeld(
            where=ledger.where,
            bytes=await ledger.retention.size(),
            tables=[
                TableKept(**vars(one), days=getattr(days, one.kind))
                for one in await ledger.retention.due(days, now)
            ],
            gone=gone,
        )


def print_ledger(held: LedgerHeld, console: Console) -> None:
    """A row for each table that holds something."""
    console.print(f"{escape(held.where)}, {held.bytes / 1e6:,.0f} MB", highlight=False)
    shown = Table("Kept as", "Table", "Rows", "Oldest", "Kept for", "Due now")
    for place in (2, 5):
        shown.columns[place].justify = "right"
    for one in held.tables:
        if one.rows:
            kept = "ever" if one.days is None else f"{one.days} days"
            oldest = f"{one.oldest:%Y-%m-%d}" if one.oldest else ""
            figures = (f"{one.rows:,}", oldest, kept, f"{one.due:,}" if one.due else "")
            shown.add_row(one.kind, one.table, *figures)
    console.print(shown)
    console.print("[dim]ORCHESTRATOR_RETENTION_… sets how long; see docs/operations.md.[/]")


def _print_all(held: LedgerHeld, console: Console) -> None:
    if held.gone is not None:
        from deployments.services.retention import told

        console.print(told(held.gone), highlight=False)
    print_ledger(held, console)
