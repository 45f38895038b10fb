"""``./orchestrator policy`` and ``autonomy``: what is in force, and how far that lets orders go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from blocks.errors import ConfigurationError, RequestError
from deployments.cli.app import AsJson, command, existing_ledger, line, show
from deployments.console.markup import escape

if TYPE_CHECKING:
    from agents.registry import Registry
    from blocks.policy.autonomy_rules import AutonomyRules
    from blocks.policy.policy import Policy
    from flows.orchestrator.purchasing.ladder import Standing


@command
async def policy(
    file: Annotated[
        Path | None, typer.Argument(help="TOML or JSON with changes: checked, not put in force.")
    ] = None,
    put: Annotated[bool, typer.Option("--set", help="Put the file's changes in force.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the decision matrix and its version; check a change, or put it in force."""
    if put and file is None:
        raise RequestError("--set needs a file.", hint="policy changes.toml --set")
    found, source = await (_of_file(file, put=put) if file else policy_in_force())
    show(PolicyShown(found.version, source, found), as_json, _print_policy)


@dataclass
class PolicyShown:
    """The policy with its version.

    Attributes:
        source: Where it comes from, in words.
    """

    version: str
    source: str
    policy: Policy


async def _of_file(file: Path, *, put: bool) -> tuple[Policy, str]:
    from agents.registry import registry

    team = registry()
    found, source = read_policy_file(file, team), f"the file {file}"
    if put:
        from blocks.prefect_api.env import use_embedded_prefect
        from flows.orchestrator.dispatch.policy import VARIABLE, write_changes

        use_embedded_prefect()
        found = await write_changes(read_changes_file(file), team)
        source = f"the file {file}, now in force as the Prefect variable {VARIABLE}"
    return found, source


async def policy_in_force() -> tuple[Policy, str]:
    """The policy that decisions are made under now, and where it comes from, in words."""
    from agents.registry import registry
    from blocks.policy.policy import Policy
    from blocks.prefect_api.env import use_embedded_prefect
    from flows.orchestrator.dispatch.policy import (
        VARIABLE,
        last_used_policy,
        read_changes,
        read_policy,
    )

    use_embedded_prefect()
    from flows.orchestrator.runs.starting import has_server

    team = registry()
    if has_server():
        changes = await read_changes()
        source = f"the Prefect variable {VARIABLE}" if changes else "the default"
        return read_policy(changes, team), source
    with existing_ledger() as ledger:
        if ledger is None:
            return Policy(), "the default"
        return await last_used_policy(ledger, team), "what was used last (no stack runs)"


def read_policy_file(file: Path, team: Registry) -> Policy:
    """The default policy with the changes of a file.

    Raises:
        ConfigurationError: Names the file, and the key at fault.
    """
    from flows.orchestrator.dispatch.policy import read_policy

    try:
        return read_policy(read_changes_file(file), team)
    except ConfigurationError as error:
        named = str(file) in error.what
        raise ConfigurationError(
            error.what if named else f"{file}: {error.what}", hint=error.hint
        ) from None


def read_changes_file(file: Path) -> Any:
    """What a policy file holds: JSON when its name ends so, else TOML.

    Raises:
        ConfigurationError: It cannot be read.
    """
    import tomllib

    try:
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".json":
            return json.loads(text)
        # TOML has times and dates of its own; what is put in force is JSON.
        return json.loads(json.dumps(tomllib.loads(text), default=str))
    except OSError as error:
        raise ConfigurationError(
            f"The policy file {file} cannot be read: {error.strerror}."
        ) from None
    except (ValueError, RecursionError) as error:
        kind = "JSON" if file.suffix == ".json" else "TOML"
        raise ConfigurationError(f"{file} is not {kind}: {error}.") from None


def _print_policy(shown: PolicyShown, console: Console) -> None:
    """The matrix as a person reads it."""
    from blocks.policy.policy import Role

    line(f"Policy [bold]{shown.version}[/], from {escape(shown.source)}.", console)
    table = Table(title="Decision matrix", title_justify="left")
    table.add_column("Task type", no_wrap=True)
    table.add_column("Role", no_wrap=True)
    table.add_column("Agent and action")
    for task_type, plan in sorted(shown.policy.task_types.items()):
        first = True
        for role in Role:
            if play := plan.roles.get(role):
                name = task_type if first else ""
                table.add_row(escape(name), role.value, escape(f"{play.agent}.{play.action}"))
                first = False
    console.print(table)
    for instance in shown.policy.instances:
        where = f"runs of {instance.deployment}" if instance.deployment else "local"
        console.print(
            f"  {escape(instance.name)}: {instance.agent}, {where}, "
            f"{instance.capacity or 'usual'} calls at once",
            highlight=False,
        )
    for name, value in _changed(shown.policy):
        line(f"  {escape(name)} = {escape(json.dumps(value, ensure_ascii=False))}", console)


def _changed(policy: Policy) -> Iterator[tuple[str, Any]]:
    """What differs from the default beside the matrix, by dotted name as in a policy file."""
    beside = policy.model_dump(mode="json", exclude_defaults=True)
    for part, fields in beside.items():
        if part not in ("task_types", "instances"):
            yield from (
                ((f"{part}.{name}", value) for name, value in fields.items())
                if isinstance(fields, dict)
                else [(part, fields)]
            )


@command
async def autonomy(as_json: AsJson = False) -> None:
    """Show which groups of items a person is asked about, and what that rests on.

    Ceilings are set in the policy: [autonomy] ceilings = { tea = "automatic" }, and policy FILE
    --set.
    """
    from flows.orchestrator.purchasing.autonomy import ladder_of

    policy, _ = await policy_in_force()
    found: list[Standing] = []
    with existing_ledger() as ledger:
        if ledger is not None:
            found = await ladder_of(ledger, policy.autonomy)
    show(found, as_json, partial(_print_ladder, rules=policy.autonomy))


def _print_ladder(found: list[Standing], console: Console, *, rules: AutonomyRules) -> None:
    named = [f"{escape(group)}: {ceiling.value}" for group, ceiling in rules.ceilings.items()]
    rest = "all other groups" if named else "all groups"
    line(f"Ceilings: {', '.join([*named, f'{rest}: {rules.ceiling.value}'])}.", console)
    if not found:
        line("Nothing is known yet of what orders came to: a person is asked.", console)
        return
    table = Table(title="How far orders go by themselves", title_justify="left")
    for column in ("Group", "Now", "Ceiling", "Since its last step", "Why"):
        table.add_column(column)
    for each in found:
        shown = each.evidence
        table.add_row(
            escape(each.group or "no group"),
            each.level.value,
            each.ceiling.value,
            f"{shown.lines} lines of {shown.orders} orders, {shown.saved:,.2f} saved",
            escape(each.why),
        )
    console.print(table)
    for move in sorted((move for each in found for move in each.moves), key=lambda move: move.at):
        line(
            f"{move.at:%Y-%m-%d} {escape(move.group or 'no group')}: {move.before.value} to "
            f"[bold]{move.after.value}[/]. {escape(move.why)}",
            console,
        )
