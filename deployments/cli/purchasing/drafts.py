"""``./orchestrator orders drafts``: the last draft orders, on the screen or as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from deployments.cli.app import AsJson, command, existing_ledger, out, show
from deployments.console.markup import escape
from deployments.console.times import ago

if TYPE_CHECKING:
    from agents.data_intelligence.predictive_analytics.baskets.drafts import DraftOrder
    from flows.reports.last_orders import LastOrders


@command
async def drafts(
    supplier: Annotated[str, typer.Option(help="Only the draft to this supplier.")] = "",
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the lines as CSV; - prints them.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the last draft orders: what to order from whom, and why."""
    found = await _read(supplier)
    if csv is None:
        show(found, as_json, _print)
        return
    from flows.reports.order_file import as_csv

    text = as_csv(found.plan)
    if str(csv) == "-":
        print(text, end="")
        return
    _write(csv, text)
    lines = sum(len(order.lines) for order in found.plan.orders)
    out.print(f"{lines} lines of {len(found.plan.orders)} drafts are in {escape(str(csv))}.")


async def _read(supplier: str) -> LastOrders:
    from flows.reports.last_orders import last_orders, none_yet

    with existing_ledger() as ledger:
        if ledger is None:
            raise none_yet()
        return await last_orders(ledger, supplier)


def _write(file: Path, text: str) -> None:
    from blocks.errors import ConfigurationError

    try:
        file.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be written: {error.strerror}.", hint="Name a file in another folder."
        ) from None


def _print(found: LastOrders, console: Console) -> None:
    plan = found.plan
    console.print(f"[bold]Draft orders[/], {ago(found.drafted_at)}: {escape(found.headline)}")
    for order in plan.orders:
        console.print(_order(order))
        for note in order.notes:
            console.print(f"  {escape(note)}", highlight=False)
    if plan.held:
        table = Table("SKU", "Product", "Why", title="Held for a person", title_justify="left")
        for item in plan.held[:MOST_HELD]:
            table.add_row(
                escape(item.sku), escape(item.name), escape(f"{item.hold.value}: {item.reason}")
            )
        console.print(table)
        if len(plan.held) > MOST_HELD:
            console.print(f"{len(plan.held) - MOST_HELD} more are held; --json shows all.")
    console.print("[dim]As a file: ./orchestrator orders drafts --csv FILE[/]")


MOST_HELD = 20
"""Held items that are shown on the screen."""


def _order(order: DraftOrder) -> Table:
    freight = f", {order.freight:,.2f} of it freight" if order.freight else ""
    title = (
        f"{order.supplier}: {order.total:,.2f} {order.currency}{freight}, "
        f"arrives about {order.arrives_on:%d %b}"
    )
    table = Table(title=escape(title), title_justify="left")
    for name in ("SKU", "Product"):
        table.add_column(name)
    for name in ("Order", "Each", "Value", "Free", "Under way"):
        table.add_column(name, justify="right")
    table.add_column("Why", ratio=1)
    for line in order.lines:
        table.add_row(
            escape(line.sku),
            escape(line.name),
            f"{line.units:,}",
            f"{line.unit_cost:,}",
            f"{line.value:,}",
            f"{line.free:,.0f}",
            f"{line.on_order:,.0f}",
            escape(" ".join(filter(None, [line.why_item, line.why_units, line.why_supplier]))),
        )
    return table
