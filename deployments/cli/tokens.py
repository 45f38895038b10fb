"""``./orchestrator token``: who may use the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from blocks.errors import RequestError
from deployments.cli.app import (
    AsJson,
    command,
    current_user,
    existing_ledger,
    line,
    open_ledger,
    out,
    print_json,
    show,
)
from deployments.console.markup import escape
from deployments.console.times import parse_until

if TYPE_CHECKING:
    from datetime import datetime

    from blocks.ledger.callers.tokens import Scope, TokenRecord

token = typer.Typer(help="Tokens of the API: create, list, revoke.", no_args_is_help=True)


@token.command("create")
@command
async def create_token(
    name: Annotated[str, typer.Argument(help="What uses it.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="read, run, approve or admin; may be repeated. All may read."),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="30d, 12h or an ISO 8601 date; never when left out."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and show it, this once; the ledger holds only its hash."""
    from blocks.vocabulary.messages import utc_now

    now = utc_now()
    scopes = [_scope(text) for text in scope or []]
    expires_at = None if expires is None else parse_until(expires, now)
    with open_ledger() as ledger:
        text, record = await ledger.tokens.create(
            name, scopes, by=current_user(), now=now, expires_at=expires_at
        )
    if as_json:
        print_json({"token": text, **record.model_dump(mode="json")})
    else:
        _print_new(text, record, out)


def _print_new(text: str, record: TokenRecord, console: Console) -> None:
    """The token, this once, and how it is used."""
    from blocks.settings import get_settings
    from deployments.processes.specs import api_url

    until = (
        "does not expire" if record.expires_at is None else f"expires {_when(record.expires_at)}"
    )
    for told in (
        f"Token {record.id} for {record.name} may {', '.join(record.scopes)} and {until}:",
        "",
        f"  {text}",
        "",
        "Keep it safe now: it is not shown again, and nobody can find it out. For instance:",
        "",
        f'  curl -H "Authorization: Bearer $TOKEN" {api_url(get_settings())}/orchestrate/status',
    ):
        line(escape(told), console)


@token.command("list")
@command
async def list_tokens(as_json: AsJson = False) -> None:
    """Show all tokens, also those that expired or were revoked."""
    with existing_ledger() as ledger:
        found = await ledger.tokens.list() if ledger is not None else []
    show(found, as_json, _print_tokens)


def _print_tokens(found: Sequence[TokenRecord], console: Console) -> None:
    if not found:
        console.print("There are no tokens. ./orchestrator token create NAME --scope read")
        return
    from blocks.vocabulary.messages import utc_now

    now = utc_now()
    table = Table("Id", "Name", "Scopes", "Made", "By", "Stands")
    for token in found:
        table.add_row(
            token.id,
            escape(token.name),
            ", ".join(token.scopes),
            _when(token.created_at),
            escape(token.created_by),
            _standing(token, now),
        )
    console.print(table)


@token.command("revoke")
@command
async def revoke_token(
    which: Annotated[str, typer.Argument(metavar="ID", help="As token list shows it.")],
    as_json: AsJson = False,
) -> None:
    """Withdraw a token for good; it stays on record. Exit code 2 for a wrong id."""
    show(
        await revoked(which),
        as_json,
        lambda record, out: line(f"Revoked {record.id} ({escape(record.name)}).", out),
    )


async def revoked(which: str) -> TokenRecord:
    """Withdraw a token.

    Args:
        which: Its id, or its text, as it may be found where it should not be.

    Raises:
        RequestError: There is no such token, or it was revoked before.
        LedgerError: The ledger cannot be read or written.
    """
    from blocks.vocabulary.messages import utc_now

    token_id = which.strip().removeprefix("orc_").partition("_")[0]  # no secret in our messages
    with existing_ledger() as ledger:
        if ledger is not None:
            new = await ledger.tokens.revoke(token_id, utc_now())
            found = [record for record in await ledger.tokens.list() if record.id == token_id]
            if found and not new:
                raise RequestError(f"Token {token_id} was revoked on {_when(found[0].revoked_at)}.")
            if found:
                return found[0]
    raise RequestError(
        f"There is no token {token_id!r}.", hint="./orchestrator token list shows their ids."
    )


def _scope(text: str) -> Scope:
    from blocks.ledger.callers.tokens import Scope

    try:
        return Scope(text.strip().lower())
    except ValueError:
        raise RequestError(
            f"There is no scope {text!r}.", hint=f"There are {', '.join(Scope)}."
        ) from None


def _standing(token: TokenRecord, now: datetime) -> str:
    if token.revoked_at is not None:
        return f"revoked {_when(token.revoked_at)}"
    if token.expires_at is None:
        return "valid"
    if token.is_valid(now):
        return f"valid until {_when(token.expires_at)}"
    return f"expired {_when(token.expires_at)}"


def _when(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC" if instant else "—"
