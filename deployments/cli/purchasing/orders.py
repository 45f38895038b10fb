"""``./orchestrator orders``: purchase orders and how they stand, and what a person says of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from blocks.text import printable
from deployments.cli.app import (
    AsJson,
    command,
    current_user,
    existing_ledger,
    line,
    open_ledger,
    quiet_prefect,
    show,
)
from deployments.cli.purchasing.drafts import drafts
from deployments.console.markup import escape

if TYPE_CHECKING:
    from blocks.ledger.purchasing.records import OrderRecord
    from blocks.vocabulary.purchasing import SupplierSays

orders = typer.Typer(help="Purchase orders: list them, see one, say what came of it.")
orders.command("drafts")(drafts)

Reference = Annotated[
    str, typer.Argument(metavar="ORDER", help="Its reference, or enough of its beginning.")
]
Units = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SKU=UNITS]...", help="Item by item; all as expected when left out."),
]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why, for the record.")]

MOST = 100
"""Orders that are listed."""


@orders.callback(invoke_without_command=True)
@command
async def list_orders(
    context: typer.Context,
    all_of_them: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    as_json: AsJson = False,
) -> None:
    """What is proposed, sent, confirmed or late, newest first."""
    if context.invoked_subcommand is None:
        from blocks.ledger.purchasing.records import OrderStage

        wanted = [stage for stage in OrderStage if stage.is_under_way]
        found: Sequence[OrderRecord] = []
        with existing_ledger() as ledger:
            if ledger is not None:
                found = await ledger.orders.list([] if all_of_them else wanted, limit=MOST)
        show(found, as_json, _print)


@orders.command("show")
@command
async def show_order(which: Reference, as_json: AsJson = False) -> None:
    """Show an order: its items, why they were ordered, and all that became known."""
    with open_ledger() as ledger:
        show(await ledger.orders.get(which), as_json, _print_one)


@orders.command("received")
@command
async def receive_order(
    which: Reference, units: Units = None, note: Note = "", as_json: AsJson = False
) -> None:
    """Say that goods came: all of them, or so many of each."""
    from blocks.vocabulary.messages import utc_now
    from flows.orchestrator.purchasing.by_hand import mark_received

    with open_ledger() as ledger:
        order = await mark_received(
            ledger, which, _units(units), by=current_user(), now=utc_now(), note=note
        )
    show(order, as_json, _print_one)


@orders.command("answered")
@command
async def answer_for_supplier(
    which: Reference,
    word: Annotated[
        str, typer.Argument(help="taken, confirmed, partly, rejected, shipped or delivered.")
    ],
    units: Units = None,
    number: Annotated[str, typer.Option(help="The supplier's own number of it.")] = "",
    note: Note = "",
    as_json: AsJson = False,
) -> None:
    """Pass on what the supplier said, by mail or on the telephone."""
    from blocks.vocabulary.messages import utc_now
    from flows.orchestrator.purchasing.by_hand import pass_on

    says, told = _word(word), _units(units)
    with open_ledger() as ledger:
        order = await pass_on(
            ledger,
            which,
            says,
            told,
            by=current_user(),
            now=utc_now(),
            number=number,
            note=note,
        )
    show(order, as_json, _print_one)


@orders.command("note")
@command
async def note_order(
    which: Reference,
    text: Annotated[str, typer.Argument(help="What there is to remember.")],
    as_json: AsJson = False,
) -> None:
    """Put a note to an order. One that begins with "wrong" counts against its items' group."""
    from blocks.vocabulary.messages import utc_now
    from flows.orchestrator.purchasing.by_hand import add_note

    with open_ledger() as ledger:
        order = await add_note(ledger, which, text, by=current_user(), now=utc_now())
    show(order, as_json, _print_one)


@orders.command("cancel")
@command
async def cancel_order(which: Reference, note: Note = "", as_json: AsJson = False) -> None:
    """Say no to an order that waits for a yes."""
    from blocks.prefect_api.env import use_embedded_prefect

    quiet_prefect()
    use_embedded_prefect()
    from flows.internal.apply_approval import apply_approval
    from flows.orchestrator.purchasing.by_hand import cancel

    with open_ledger() as ledger:
        await cancel(ledger, which, by=current_user(), via="cli", note=note, apply=apply_approval)
        show(await ledger.orders.get(which), as_json, _print_one)


def _word(text: str) -> SupplierSays:
    from blocks.errors import RequestError
    from blocks.text import did_you_mean
    from blocks.vocabulary.purchasing import SupplierSays

    try:
        return SupplierSays(text.strip().lower())
    except ValueError:
        raise RequestError(
            f"{text!r} is nothing that a supplier says.",
            hint=did_you_mean(text, list(SupplierSays)),
        ) from None


def _units(told: Sequence[str] | None) -> dict[str, int]:
    """Pieces by SKU, of ``SKU=UNITS``."""
    from blocks.errors import RequestError

    units: dict[str, int] = {}
    for text in told or ():
        sku, _, number = text.rpartition("=")
        if not sku or not number.isascii() or not number.isdigit() or len(number) > 10:
            raise RequestError(f"{text!r} is no number of pieces.", hint="Write SKU=UNITS: A-1=40")
        if sku in units:
            raise RequestError(f"{sku!r} is there twice.", hint="Give each item once.")
        units[sku] = int(number)
    return units


def _print(found: Sequence[OrderRecord], console: Console) -> None:
    if not found:
        console.print("No order is under way. The last drafts: ./orchestrator orders drafts")
        return
    from blocks.ledger.purchasing.stages import due_on

    table = Table()
    # The reference is what the other commands want: it is never cut short.
    table.add_column("Order", no_wrap=True, min_width=max(len(o.reference) for o in found))
    for column in ("Supplier", "Items", "Value", "Stands", "Due"):
        table.add_column(column, overflow="fold")
    for order in found:
        table.add_row(
            escape(order.reference),
            escape(printable(order.supplier)),
            f"{len(order.lines)}",
            f"{order.total:,.2f} {escape(order.currency)}",
            order.stage.value,
            f"{due_on(order):%d %b}" if order.stage.is_under_way else "",
        )
    console.print(table)
    line("./orchestrator orders show ORDER tells why, and what became known of it.", console)


def _print_one(order: OrderRecord, console: Console) -> None:
    from blocks.ledger.purchasing.stages import due_on, still_to_come
    from flows.reports.model import unit_price

    said = (
        f"[bold]{escape(order.reference)}[/] to {escape(printable(order.supplier))}: "
        f"{order.stage.value}, {order.total:,.2f} {escape(order.currency)}"
    )
    line(f"{said}, due {due_on(order):%d %b %Y}" if order.stage.is_under_way else said, console)
    left = still_to_come(order)
    table = Table("SKU", "Product", "Ordered", "To come", "Each")
    for each in order.lines:
        table.add_row(
            escape(printable(each.sku)),
            escape(printable(each.name)),
            f"{each.units:,}",
            f"{left.get(each.sku, 0):,}",
            unit_price(each.unit_cost),
        )
    console.print(table)
    for each in order.lines:
        why = " ".join(str(each.facts.get(name, "")) for name in ("why_item", "why_units")).strip()
        if why:
            line(f"  [bold]{escape(printable(each.sku))}[/]: {escape(printable(why))}", console)
    for when, what in _history(order):
        line(f"  {when}  {escape(printable(what))}", console)
    if order.approval_id and order.stage == "proposed":
        line(f"Waits for a yes: ./orchestrator approve {order.approval_id[:8]}", console)


def _history(order: OrderRecord) -> list[tuple[str, str]]:
    """When what happened to an order, in words."""
    told = [(order.proposed_at, f"proposed ({order.level})")]
    if order.sent_at:
        told.append((order.sent_at, "sent"))
    for entry in order.entries:
        what = " ".join(filter(None, [entry.kind.value, entry.says, entry.number]))
        units = ", ".join(f"{each.units:,} of {each.sku}" for each in entry.lines)
        words = ". ".join(filter(None, [units, entry.detail]))
        told.append((entry.at, f"{what}, by {entry.by}{f': {words}' if words else ''}"))
    return [(f"{at:%d %b %H:%M}", what) for at, what in sorted(told, key=lambda each: each[0])]
