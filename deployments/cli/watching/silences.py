"""``./orchestrator silences``: what nobody is told of for a while, and maintenance windows."""

from __future__ import annotations

from datetime import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from blocks.errors import RequestError
from blocks.text import printable
from deployments.cli.app import (
    AsJson,
    command,
    current_user,
    existing_ledger,
    line,
    open_ledger,
    show,
)
from deployments.console.markup import escape
from deployments.console.times import parse_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blocks.ledger.incidents.silences import SilenceRecord, Weekly
    from flows.orchestrator.incidents.silencing import Silenced

silences = typer.Typer(help="Silences and maintenance windows: list, make and end them.")


@silences.callback(invoke_without_command=True)
@command
async def list_silences(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    as_json: AsJson = False,
) -> None:
    """What nobody is told of now, or will not be."""
    if context.invoked_subcommand is not None:
        return
    from blocks.vocabulary.messages import utc_now

    found: Sequence[SilenceRecord] = []
    with existing_ledger() as ledger:
        if ledger is not None:
            kept = ledger.silences
            found = await (kept.all() if everything else kept.current(utc_now()))
    show(found, as_json, _print)


@silences.command("add")
@command
async def add_silence(
    reason: Annotated[str, typer.Argument(help="Why, for whoever wonders.")],
    until: Annotated[str, typer.Option(help="For instance 2h, 7d, or 2026-12-24T18:00.")],
    resource: Annotated[str, typer.Option(help="For instance service:checkout or store:*.")] = "*",
    kind: Annotated[str, typer.Option("--type", help="Of the event, for instance disk.*.")] = "*",
    severity: Annotated[str, typer.Option(help="For instance warning.")] = "*",
    label: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="With * and ?; may be repeated.")
    ] = None,
    begins: Annotated[str, typer.Option("--from", help="When it begins; now if left out.")] = "",
    maintenance: Annotated[
        bool, typer.Option("--maintenance", help="Nothing is mended meanwhile, either.")
    ] = False,
    weekly: Annotated[
        str, typer.Option(metavar="DAYS HH:MM-HH:MM", help="Only then: 'sat,sun 02:00-04:00'.")
    ] = "",
    timezone: Annotated[
        str, typer.Option(help="Zone of the hours of --weekly; the store's if left out.")
    ] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="It is meant to cover everything.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Have nobody told of certain incidents for a while; they are on record all the same."""
    from pydantic import ValidationError

    from blocks.business.file import faults
    from blocks.ledger.incidents.silences import SilenceRecord
    from blocks.vocabulary.messages import utc_now
    from flows.orchestrator.incidents.silencing import make_silence

    now = utc_now()
    try:
        silence = SilenceRecord(
            resource=resource,
            type=kind,
            severity=severity,
            labels=_labels(label or []),
            reason=printable(reason).strip(),
            by=current_user(),
            made_at=now,
            starts_at=parse_until(begins, now) if begins else now,
            ends_at=parse_until(until, now),
            maintenance=maintenance,
            weekly=await _weekly(weekly, timezone) if weekly else None,
        )
    except ValidationError as error:
        raise RequestError(f"That is no silence: {faults(error)}.") from None
    with open_ledger() as ledger:
        made = await make_silence(ledger, silence, now, everything=everything)
        show(made, as_json, _print_made)


@silences.command("end")
@command
async def end_it(
    which: Annotated[str, typer.Argument(metavar="ID", help="Its first 6 characters do.")],
    as_json: AsJson = False,
) -> None:
    """End one before its time; what goes on is told."""
    from blocks.vocabulary.messages import utc_now
    from flows.orchestrator.incidents.silencing import end_silence

    with open_ledger() as ledger:
        show([await end_silence(ledger, which, by=current_user(), now=utc_now())], as_json, _print)


def _labels(given: list[str]) -> dict[str, str]:
    found = {}
    for each in given:
        name, sign, value = each.partition("=")
        if not (name and sign and value):
            raise RequestError(f"{each!r} is no label.", hint="Write for instance team=shop.")
        found[name] = value
    return found


async def _weekly(text: str, timezone: str) -> Weekly:
    from blocks.business.business import local_timezone
    from blocks.ledger.incidents.silences import Weekday, Weekly
    from blocks.prefect_api.env import use_embedded_prefect

    days, _, hours = text.strip().partition(" ")
    begins, _, ends = hours.partition("-")
    try:
        named = [Weekday(day.strip().lower()[:3]) for day in days.split(",")]
        clocks = [time.fromisoformat(clock.strip()) for clock in (begins, ends)]
    except ValueError:
        raise RequestError(
            f"{text!r} are no hours of the week.", hint="Write for instance 'sat,sun 02:00-04:00'."
        ) from None
    if not timezone:
        use_embedded_prefect()
        timezone = await local_timezone()
    return Weekly(days=named, begins=clocks[0], ends=clocks[1], timezone=timezone)


def _print(found: Sequence[SilenceRecord], console: Console) -> None:
    from blocks.vocabulary.messages import utc_now

    if not found:
        console.print("Nothing is silenced.")
        return
    now = utc_now()
    table = Table()
    for column in ("Id", "About", "Counts", "Why", "By"):
        table.add_column(column, overflow="fold")
    for each in found:
        table.add_row(
            each.id[:8],
            escape(printable(each.about)),
            escape(when(each) + ("" if each.counts(now) else ", not now")),
            escape(printable(each.reason)),
            escape(printable(each.by)),
        )
    console.print(table)


def _print_made(made: Silenced, console: Console) -> None:
    silence = made.silence
    kind = "Maintenance" if silence.maintenance else "Silence"
    line(f"{kind} {silence.id[:8]}: {escape(printable(silence.about))}, {when(silence)}.", console)
    if silence.covers_everything:
        line("[yellow]Nobody is told of any incident at all.[/]", console)
    for one in made.open[:10]:
        line(f"[dim]  covers {escape(printable(one.title))} ({one.severity.value})[/]", console)
    if len(made.open) > 10:
        line(f"[dim]  and {len(made.open) - 10:,} more that are open[/]", console)


def when(silence: SilenceRecord) -> str:
    """From when to when, in words."""
    told = f"{silence.starts_at:%d %b %H:%M} to {silence.ends_at:%d %b %Y %H:%M} UTC"
    if hours := silence.weekly:
        told += f", {', '.join(hours.days)} {hours.begins:%H:%M}-{hours.ends:%H:%M} "
        told += f"({hours.timezone})"
    return f"{told}, ended by {silence.ended_by}" if silence.ended_by else told
