"""Commands about the API's tokens."""

from __future__ import annotations

from typing import Annotated

import typer

from deployments.cli.app import AsJson, app, out, perform, print_json
from deployments.console.markup import escape

token = typer.Typer(help="Tokens of the API: create, list, revoke.", no_args_is_help=True)
app.add_typer(token, name="token")


@token.command("create")
def create_token(
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
    from deployments.cli import tokens

    new = perform(tokens.create_token(name, scope or [], expires), as_json)
    print_json(new.as_json()) if as_json else tokens.print_new_token(new, out)


@token.command("list")
def list_tokens(as_json: AsJson = False) -> None:
    """Show all tokens, also those that expired or were revoked."""
    from deployments.cli import tokens

    found = perform(tokens.list_tokens(), as_json)
    if as_json:
        print_json([record.model_dump(mode="json") for record in found])
    else:
        tokens.print_tokens(found, out)


@token.command("revoke")
def revoke_token(
    which: Annotated[str, typer.Argument(metavar="ID", help="As token list shows it.")],
    as_json: AsJson = False,
) -> None:
    """Withdraw a token for good; it stays on record. Exit code 2 for a wrong id."""
    from deployments.cli import tokens

    record = perform(tokens.revoke_token(which), as_json)
    if as_json:
        print_json(record.model_dump(mode="json"))
    else:
        out.print(f"Revoked {record.id} ({escape(record.name)}).", highlight=False)
