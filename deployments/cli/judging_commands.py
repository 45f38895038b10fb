"""Commands about judgement: approvals, the policy, receipts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from blocks.errors import RequestError
from deployments.cli.app import AsJson, app, err, fail, out, perform, print_json

ApprovalId = Annotated[
    str, typer.Argument(metavar="ID", help="Its id, or at least six characters of its beginning.")
]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why, for the record.")]


@app.command()
def approvals(
    everything: Annotated[
        bool, typer.Option("--all", help="Settled ones, too: the newest hundred.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what waits for a person's answer."""
    from deployments.cli.approvals import print_approvals, read_approvals

    found = perform(read_approvals(everything=everything), as_json)
    if as_json:
        print_json([record.model_dump(mode="json") for record in found])
    else:
        print_approvals(found, out)


@app.command()
def approve(which: ApprovalId, note: Note = "", as_json: AsJson = False) -> None:
    """Say yes to a question. Exit code 1 when it was settled before, 2 for a wrong id."""
    _answer(which, note, as_json, approve=True)


@app.command()
def reject(which: ApprovalId, note: Note = "", as_json: AsJson = False) -> None:
    """Say no to a question. Exit code 1 when it was settled before, 2 for a wrong id."""
    _answer(which, note, as_json, approve=False)


def _answer(which: str, note: str, as_json: bool, *, approve: bool) -> None:
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    from deployments.cli.approvals import answer, print_answered

    answered = perform(answer(which, approve=approve, note=note), as_json)
    print_json(answered.model_dump(mode="json")) if as_json else print_answered(answered, out)
    raise typer.Exit(0 if answered.counted else 1)


@app.command()
def policy(
    file: Annotated[
        Path | None, typer.Argument(help="TOML or JSON with changes: checked, not put in force.")
    ] = None,
    put: Annotated[bool, typer.Option("--set", help="Put the file's changes in force.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the decision matrix and its version; check a change, or put it in force."""
    from deployments.cli.policy import print_policy, read_policy_shown

    if put and file is None:
        fail(RequestError("--set needs a file.", hint="policy changes.toml --set"), as_json)
    shown = perform(read_policy_shown(file, put=put), as_json)
    print_json(shown.model_dump(mode="json")) if as_json else print_policy(shown, out)


@app.command()
def explain(
    of: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="Of a receipt, task, message, run, situation or approval; six characters do.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Tell what was decided about something: from what, by which policy, why, and what came of it.

    Exit code 2 when the id names nothing, or more than one thing.
    """
    from deployments.cli.decisions import print_explanation, read_explanation

    told = perform(read_explanation(of), as_json)
    print_json(told.model_dump(mode="json")) if as_json else print_explanation(told, out)


@app.command()
def verify(as_json: AsJson = False) -> None:
    """Check that no record of a decision was changed, removed, added or cut off.

    Exit code 1 when one was.
    """
    from deployments.cli.decisions import print_verification, run_verification

    found = perform(run_verification(None if as_json else err), as_json)
    if as_json:
        print_json({"sound": found.sound, **found.model_dump(mode="json")})
    else:
        print_verification(found, out)
    raise typer.Exit(0 if found.sound else 1)


@app.command()
def replay(
    policy: Annotated[
        Path, typer.Option("--policy", metavar="FILE", help="Changes of the policy, TOML or JSON.")
    ],
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="7d, 12h, 30m, or an ISO 8601 date.")
    ] = "7d",
    as_json: AsJson = False,
) -> None:
    """Decide again what was decided, under another policy, and show what would have been different.

    Reads the ledger and touches nothing.
    """
    from deployments.cli.replay import print_replay, run_replay

    told = perform(run_replay(policy, since), as_json)
    print_json(told.model_dump(mode="json")) if as_json else print_replay(told, out)
