"""``./orchestrator webhooks endpoints``, ``test``, ``enable`` …: whom partners' webhooks go to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from blocks.text import printable
from deployments.cli.app import (
    AsJson,
    command,
    current_user,
    line,
    open_ledger,
    out,
    quiet_prefect,
    show,
)
from deployments.console.markup import escape

if TYPE_CHECKING:
    from blocks.ledger import Ledger
    from blocks.ledger.webhooks.records import DeliveryView, EndpointState
    from flows.orchestrator.approvals.caretaker import Caretaker
    from flows.orchestrator.webhooks.tending import EndpointView

Endpoint = Annotated[str, typer.Argument(metavar="ENDPOINT", help="The endpoint's name.")]


@command
async def list_endpoints(as_json: AsJson = False) -> None:
    """Show the partners' endpoints, and how each stands."""
    async with tending() as (ledger, _):
        from blocks.vocabulary.messages import utc_now
        from flows.orchestrator.webhooks import tending as about

        show(await about.list_endpoints(ledger, utc_now()), as_json, _print_endpoints)


@command
async def try_endpoint(endpoint: Endpoint, as_json: AsJson = False) -> None:
    """Send an endpoint endpoint.test, once. Exit code 1 when it does not take it."""
    async with tending() as (_, caretaker):
        from blocks.vocabulary.effects import EffectStatus
        from blocks.vocabulary.messages import utc_now
        from flows.orchestrator.webhooks.tending import send_test

        sent = await send_test(caretaker, endpoint, current_user(), utc_now())
        show(sent.view, as_json, print_delivery)
        if sent.status is not EffectStatus.DONE:
            raise typer.Exit(1)


@command
async def enable_endpoint(
    endpoint: Endpoint,
    resend: Annotated[
        bool, typer.Option("--resend", help="Send all that it missed, in order, before the new.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Have an endpoint told again."""
    async with tending() as (ledger, caretaker):
        from blocks.vocabulary.messages import utc_now
        from flows.orchestrator.webhooks.tending import enable

        who, now = current_user(), utc_now()
        await enable(caretaker, endpoint, who, now, resend=resend)
        await send_what_is_due(ledger)
        show(await ledger.endpoints.get(endpoint), as_json, _print_state)


@command
async def disable_endpoint(
    endpoint: Endpoint,
    why: Annotated[str, typer.Option("--note", metavar="TEXT", help="Why, for the record.")] = "",
    as_json: AsJson = False,
) -> None:
    """Have an endpoint told nothing; what it misses is kept, and can be sent later."""
    async with tending() as (_, caretaker):
        from blocks.vocabulary.messages import utc_now
        from flows.orchestrator.webhooks.tending import disable

        state = await disable(caretaker, endpoint, current_user(), why, utc_now())
        show(state, as_json, _print_state)


@command
async def rotate_secret(
    endpoint: Endpoint,
    finish: Annotated[
        bool, typer.Option("--finish", help="Sign with the new one alone: the partner has it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Give an endpoint a new secret, shown once; it is signed with both until --finish."""
    from blocks.prefect_api.env import use_embedded_prefect

    quiet_prefect()
    use_embedded_prefect()
    from blocks.business.endpoints import rotation

    if finish:
        await rotation.finish_rotation(endpoint)
        show({"endpoint": endpoint}, as_json, lambda _, c: line("One secret is left.", c))
        return
    secret = await rotation.rotate_secret(endpoint)
    show({"endpoint": endpoint, "secret": secret}, as_json, lambda _, c: _print_secret(secret, c))


@asynccontextmanager
async def tending() -> AsyncIterator[tuple[Ledger, Caretaker]]:
    """The ledger, and who acts on it; of Prefect only blocks are asked for, where endpoints are."""
    from blocks.prefect_api.env import use_embedded_prefect

    quiet_prefect()
    use_embedded_prefect()
    from flows.orchestrator.approvals.caretaker import caretaker_at_hand

    with open_ledger() as ledger:
        yield ledger, await caretaker_at_hand(ledger)


async def send_what_is_due(ledger: Ledger) -> None:
    """At once, whether or not a stack runs that would do so in a moment."""
    from flows.orchestrator.approvals.caretaker import caretaker_at_hand
    from flows.orchestrator.webhooks.sending import tell_endpoints

    for fault in await tell_endpoints(ledger, lambda: caretaker_at_hand(ledger)):
        line(escape(printable(fault)), out)


def print_delivery(delivery: DeliveryView, console: Console) -> None:
    """One delivery: what is sent, and how each attempt went."""
    to = f"{delivery.type} to [bold]{escape(delivery.endpoint)}[/], about "
    line(f"{to}{escape(printable(delivery.subject))}: {stands(delivery)}", console)
    line(f"  webhook-id {escape(delivery.webhook_id)}, delivery {delivery.id}", console)
    line(f"  {escape(printable(json.dumps(delivery.data, ensure_ascii=False)))}", console)
    for each in delivery.attempts:
        status = f"HTTP {each.status}" if each.status else "no answer"
        said = " ".join(filter(None, [each.fault, each.answer and f"It said: {each.answer}"]))
        line(
            f"  {each.number}. {each.at:%d %b %H:%M:%S} UTC  {status}, {each.duration_ms:,.0f} ms"
            f"  {escape(printable(said))}",
            console,
        )


def stands(delivery: DeliveryView) -> str:
    """How far a delivery came, in a word or two."""
    if delivery.finished_at is None and delivery.next_at is not None:
        return f"waits until {delivery.next_at:%d %b %H:%M:%S} UTC"
    words = {"done": "taken", "refused": "missed", "failed": "given up", "acting": "being sent"}
    return words.get(delivery.status, delivery.status)


def _print_endpoints(found: Sequence[EndpointView], console: Console) -> None:
    if not found:
        where = escape("[[endpoints]] to your business file")
        line(f"There is none. Add a Webhook Endpoint block, or {where}.", console)
        return
    table = Table()
    for column in ("Endpoint", "At", "Wants", "In order of", "Stands", "Waiting", "Secrets"):
        table.add_column(column, overflow="fold")
    for each in found:
        table.add_row(
            escape(each.state.name),
            escape(each.place or "not configured any more"),
            escape(", ".join(each.state.wants)),
            each.state.ordered_by.value,
            escape(printable(_how(each))),
            f"{each.waiting:,}",
            f"{each.signed_with}",
        )
    console.print(table)


def _how(view: EndpointView) -> str:
    state = view.state
    if not state.enabled:
        return f"disabled {state.changed_at:%d %b %H:%M} UTC. {state.why}".strip()
    if not view.active:
        return "inactive"
    if state.failing_since is not None:
        since = f"{state.failing_since:%d %b %H:%M} UTC"
        return f"failing since {since} ({state.failures:,} attempts)"
    return (
        f"took one {state.delivered_at:%d %b %H:%M} UTC" if state.delivered_at else "told nothing"
    )


def _print_state(state: EndpointState, console: Console) -> None:
    how = "is told again" if state.enabled else "is told nothing"
    line(f"[bold]{escape(state.name)}[/] {how}.", console)


def _print_secret(secret: str, console: Console) -> None:
    line(f"The new secret, shown this once: [bold]{escape(secret)}[/]", console)
    line("Everything is signed with both now. Tell the partner, then rotate --finish.", console)
