"""``./orchestrator webhooks``: what partners are told, how each attempt went, and sending again."""

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
    existing_ledger,
    line,
    open_ledger,
    show,
)
from deployments.cli.watching import endpoints
from deployments.cli.watching.endpoints import (
    print_delivery,
    send_what_is_due,
    stands,
    tending,
)
from deployments.console.markup import escape

if TYPE_CHECKING:
    from blocks.ledger.webhooks.records import DeliveryView
    from blocks.vocabulary.effects import EffectStatus

webhooks = typer.Typer(
    help="What partners are told: the log, sending again, and their endpoints. (Webhooks that come "
    "in are events: ./orchestrator inbox.)"
)

webhooks.command("endpoints")(endpoints.list_endpoints)
webhooks.command("test")(endpoints.try_endpoint)
webhooks.command("enable")(endpoints.enable_endpoint)
webhooks.command("disable")(endpoints.disable_endpoint)
webhooks.command("rotate")(endpoints.rotate_secret)

Id = Annotated[str, typer.Argument(metavar="ID", help="Its first 6 characters do.")]
Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="7d, 12h, 30m, or an ISO 8601 date.")
]


@webhooks.callback(invoke_without_command=True)
@command
async def list_webhooks(
    context: typer.Context,
    endpoint: Annotated[str | None, typer.Option(help="Only those to it.")] = None,
    types: Annotated[
        list[str] | None, typer.Option("--type", help="Only events of this type.")
    ] = None,
    statuses: Annotated[
        list[str] | None,
        typer.Option("--status", help="intended, acting, done, failed or refused (missed)."),
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="TYPE:ID", help="Only about it, e.g. order:PO-1.")
    ] = None,
    since: Since = None,
    text: Annotated[str, typer.Option(help="In the event, or in an answer.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """What partners were told, or are to be, newest first."""
    if context.invoked_subcommand is not None:
        return
    from blocks.ledger.webhooks.deliveries import Search
    from blocks.vocabulary.effects import EffectStatus
    from blocks.vocabulary.messages import utc_now
    from deployments.console.times import parse_since

    search = Search(
        endpoint=endpoint,
        types=types or (),
        statuses=[_one_of(each, EffectStatus) for each in statuses or ()],
        subject=key,
        since=parse_since(since, utc_now()) if since else None,
        text=text,
        limit=limit,
    )
    found: Sequence[DeliveryView] = []
    with existing_ledger() as ledger:
        if ledger is not None:
            found = [each.view for each in await ledger.deliveries.found(search)]
    show(found, as_json, _print)


@webhooks.command("show")
@command
async def show_webhook(delivery_id: Id, as_json: AsJson = False) -> None:
    """Show one: what was sent, and how each attempt went."""
    with open_ledger() as ledger:
        show((await ledger.deliveries.get(delivery_id)).view, as_json, print_delivery)


@webhooks.command("resend")
@command
async def resend_webhook(
    delivery_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Its first 6 characters do.")
    ] = None,
    missed: Annotated[
        str | None,
        typer.Option(metavar="ENDPOINT", help="Instead: all that it did not take, in order."),
    ] = None,
    since: Since = None,
    as_json: AsJson = False,
) -> None:
    """Send again what is over, with the same id, by which the partner knows it again."""
    from blocks.errors import RequestError
    from blocks.vocabulary.messages import utc_now
    from deployments.console.times import parse_since

    if (delivery_id is None) == (missed is None):
        raise RequestError("Which?", hint="Give the id of one, or --missed ENDPOINT.")
    now = utc_now()
    async with tending() as (ledger, _):
        from flows.orchestrator.webhooks.tending import resend, resend_missed

        if missed is not None:
            start = parse_since(since, now) if since else None
            number = await resend_missed(ledger, missed, now, start)
            await send_what_is_due(ledger)
            show({"resent": number}, as_json, lambda _, console: _say(number, console))
            return
        assert delivery_id is not None, "one of the two"
        delivery = await resend(ledger, delivery_id, now)
        await send_what_is_due(ledger)
        show((await ledger.deliveries.get(delivery.id)).view, as_json, print_delivery)


def _one_of(text: str, kind: type[EffectStatus]) -> EffectStatus:
    from blocks.errors import RequestError
    from blocks.text import did_you_mean

    try:
        return kind(text.strip().lower())
    except ValueError:
        raise RequestError(
            f"{text!r} is no status.", hint=did_you_mean(text, [str(each) for each in kind])
        ) from None


def _say(number: int, console: Console) -> None:
    line(f"{number:,} that were missed are sent again, in order.", console)


def _print(found: Sequence[DeliveryView], console: Console) -> None:
    if not found:
        console.print("Nothing was told, or nothing fits.")
        return
    table = Table()
    for column in ("Id", "To", "Event", "About", "Told", "Stands", "Tries", "Last answer"):
        table.add_column(column, overflow="fold")
    for each in found:
        table.add_row(
            each.id[:8],
            escape(each.endpoint),
            each.type.value,
            escape(printable(each.subject)),
            f"{each.at:%d %b %H:%M} UTC",
            stands(each),
            f"{each.tries}",
            escape(printable(_last(each))),
        )
    console.print(table)


def _last(delivery: DeliveryView) -> str:
    if not delivery.attempts:
        return delivery.detail
    last = delivery.attempts[-1]
    return last.fault or f"HTTP {last.status}"
