"""``./orchestrator rules``: which events start what, what it came to, and what it would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from blocks.errors import RequestError
from deployments.cli.app import AsJson, command, existing_ledger, line, show
from deployments.cli.policy import policy_in_force, read_policy_file
from deployments.console.markup import escape
from deployments.console.times import parse_since

if TYPE_CHECKING:
    from blocks.vocabulary.messages import SystemEvent
    from flows.orchestrator.rules.listing import RulesShown
    from flows.orchestrator.rules.rehearsal import Rehearsal

rules = typer.Typer(help="Rules: which events start which workflow; try them on what came.")

_SHOWN = 50  # rows of the table; --json has all


@rules.callback(invoke_without_command=True)
@command
async def list_rules(context: typer.Context, as_json: AsJson = False) -> None:
    """Each rule with what it did in the last seven days, and what nobody knew anything about."""
    if context.invoked_subcommand is not None:
        return
    from blocks.vocabulary.messages import utc_now
    from flows.orchestrator.rules.listing import rules_in_force

    policy, _ = await policy_in_force()
    with existing_ledger() as ledger:
        show(await rules_in_force(ledger, policy, utc_now()), as_json, _print)


@rules.command("test")
@command
async def try_rules(
    file: Annotated[
        Path | None,
        typer.Argument(help="Changes of the policy, TOML or JSON; the one in force if left out."),
    ] = None,
    event: Annotated[
        str | None, typer.Option("--event", metavar="JSON", help="Instead of what came, this.")
    ] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="7d, 12h, 30m, or an ISO 8601 date.")
    ] = "7d",
    as_json: AsJson = False,
) -> None:
    """Say what rules would have done with the events that came; nothing is started."""
    from agents.registry import registry
    from blocks.vocabulary.messages import utc_now
    from flows.orchestrator.rules.rehearsal import MOST, rehearse

    start = parse_since(since, utc_now())
    in_force, _ = await policy_in_force()
    policy = read_policy_file(file, registry()) if file else in_force
    if event is not None:
        events = [_made_up(event)]
    else:
        with existing_ledger() as ledger:
            events = await ledger.inbox.received(start, MOST) if ledger else []
    show(rehearse(policy, events, in_force if file else None), as_json, _print_rehearsal)


def _made_up(text: str) -> SystemEvent:
    from blocks.vocabulary.responses import read_event

    try:
        document = json.loads(text)
    except ValueError as error:
        raise RequestError(f"--event is no JSON: {error}.") from None
    if not isinstance(document, dict):
        raise RequestError(
            "--event is no JSON object.", hint="""For instance '{"type": "stock.low"}'."""
        )
    return read_event({"source": "command-line"} | document)


def _print(shown: RulesShown, console: Console) -> None:
    if shown.rules:
        table = Table("Rule", "Event", "Starts", "Fired", "Runs", "Held back", "Last fired")
        for each in shown.rules:
            off = "" if each.enabled else " (off)"
            told = json.dumps(each.parameters, ensure_ascii=False) if each.parameters else ""
            also = json.dumps(each.when, ensure_ascii=False) if each.when else ""
            held = ", ".join(f"{n} {why}" for why, n in each.held_back.items())
            table.add_row(
                escape(f"{each.name}{off}"),
                escape(" ".join([*each.types, also])).strip(),
                escape(f"{each.workflow} {told}".strip()),
                str(each.fired),
                str(each.runs),
                held,
                f"{each.last_fired:%Y-%m-%d %H:%M}" if each.last_fired else "never",
            )
        console.print(table)
    else:
        line("There are no rules: no event starts a workflow.", console)
    if shown.nobody_knows:
        table = Table("Type", "From", "Worst", "Events", "Last", title="Nobody knows these")
        for one in shown.nobody_knows[:_SHOWN]:
            cells = (one.type, one.source)
            last = f"{one.last:%Y-%m-%d %H:%M}"
            table.add_row(*map(escape, cells), one.severity.value, str(one.events), last)
        console.print(table)
        line("No agent knew anything about them, and no rule is about them.", console)
        if (more := len(shown.nobody_knows) - _SHOWN) > 0:
            line(f"and {more:,} more; --json has them all.", console)


def _print_rehearsal(told: Rehearsal, console: Console) -> None:
    from flows.reports.model import count

    line(
        f"Under policy {told.policy_version}: {count(told.events, 'event')} looked at, "
        f"{told.fitted:,} for a rule, {count(told.runs, 'run')}.",
        console,
    )
    if told.fired:
        table = Table("When", "Rule", "Event", "About", "Starts", "Outcome")
        for one in told.fired[:_SHOWN]:
            given = json.dumps(one.parameters, ensure_ascii=False) if one.parameters else ""
            cells = (
                one.rule,
                one.type,
                one.subject,
                f"{one.workflow} {given}".strip(),
                f"{one.outcome}{': ' if one.detail else ''}{one.detail}",
            )
            table.add_row(f"{one.at:%m-%d %H:%M:%S}", *map(escape, cells))
        console.print(table)
        if (more := len(told.fired) - _SHOWN) > 0:
            line(f"and {more:,} more; --json has them all.", console)
    for head, lines in (("Only now", told.only_now), ("Only in force", told.only_then)):
        for text in lines[:_SHOWN]:
            line(f"[cyan]{head}[/] {escape(text)}", console)
