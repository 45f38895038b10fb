"""``./orchestrator token``: who may use the API."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from blocks.errors import RequestError
from blocks.ledger import Ledger
from blocks.ledger.callers.tokens import Scope, TokenRecord
from blocks.settings import get_settings
from blocks.vocabulary.messages import utc_now
from deployments.cli.current_user import current_user
from deployments.cli.status import has_ledger
from deployments.console.markup import escape
from deployments.console.times import parse_until
from deployments.processes.specs import api_url


class NewToken(BaseModel):
    """A token that was just made, with its text."""

    text: str
    record: TokenRecord

    def as_json(self) -> dict[str, Any]:
        """The record with the text; ``token list`` shows the record alone."""
        return {"token": self.text, **self.record.model_dump(mode="json")}


async def create_token(name: str, scopes: Sequence[str], expires: str | None) -> NewToken:
    """Make a token; the ledger, too, when there is none.

    Args:
        name: What people call it.
        scopes: At least one.
        expires: When, as ``30d``, ``12h`` or an ISO 8601 date; None for never.

    Raises:
        RequestError: The name, a scope or the time is none.
        LedgerError: The ledger cannot be written.
    """
    now = utc_now()
    wanted = [_scope(text) for text in scopes]
    expires_at = None if expires is None else parse_until(expires, now)
    with Ledger.open(get_settings().effective_ledger_url) as ledger:
        text, record = await ledger.tokens.create(
            name, wanted, by=current_user(), now=now, expires_at=expires_at
        )
    return NewToken(text=text, record=record)


async def list_tokens() -> list[TokenRecord]:
    """All tokens, newest first; none before the first run.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    settings = get_settings()
    if not has_ledger(settings):
        return []
    with Ledger.open(settings.effective_ledger_url) as ledger:
        return await ledger.tokens.list()


async def revoke_token(which: str) -> TokenRecord:
    """Withdraw a token for good.

    Args:
        which: Its id, or its text, as it may be found where it should not be.

    Raises:
        RequestError: There is no such token, or it was revoked before.
        LedgerError: The ledger cannot be read or written.
    """
    token_id = which.strip().removeprefix("orc_").partition("_")[0]  # no secret in our messages
    settings = get_settings()
    if has_ledger(settings):
        with Ledger.open(settings.effective_ledger_url) as ledger:
            revoked = await ledger.tokens.revoke(token_id, utc_now())
            found = [token for token in await ledger.tokens.list() if token.id == token_id]
        if found and not revoked:
            raise RequestError(f"Token {token_id} was revoked on {_when(found[0].revoked_at)}.")
        if found:
            return found[0]
    raise RequestError(
        f"There is no token {token_id!r}.", hint="./orchestrator token list shows their ids."
    )


def print_new_token(new: NewToken, console: Console) -> None:
    """The token, this once, and how it is used."""
    record = new.record
    until = (
        "does not expire" if record.expires_at is None else f"expires {_when(record.expires_at)}"
    )
    for line in (
        f"Token {record.id} for {record.name} may {', '.join(record.scopes)} and {until}:",
        "",
        f"  {new.text}",
        "",
        "Keep it safe now: it is not shown again, and nobody can find it out. For instance:",
        "",
        f'  curl -H "Authorization: Bearer $TOKEN" {api_url(get_settings())}/orchestrate/status',
    ):
        console.print(escape(line), highlight=False, soft_wrap=True)


def print_tokens(found: Sequence[TokenRecord], console: Console) -> None:
    """The tokens as a table."""
    if not found:
        console.print("There are no tokens. ./orchestrator token create NAME --scope read")
        return
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


def _scope(text: str) -> Scope:
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
