"""``./orchestrator policy``: the decision matrix in force, and how it is changed."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from agents.registry import registry
from blocks.errors import ConfigurationError
from blocks.ledger import Ledger
from blocks.policy.policy import Policy, Role
from blocks.prefect_api.env import use_embedded_prefect
from blocks.settings import get_settings
from deployments.cli.replay import read_changes_file, read_policy_file
from deployments.cli.status import has_ledger
from deployments.console.markup import escape


class PolicyShown(BaseModel):
    """The policy with its version.

    Attributes:
        source: Where it comes from, in words.
    """

    version: str
    source: str
    policy: Policy


async def read_policy_shown(file: Path | None, *, put: bool) -> PolicyShown:
    """The policy of a file, put in force if ``put``; without a file the one in force.

    Raises:
        ConfigurationError: The file cannot be read, or names the key at fault.
        SourceUnavailable: The Prefect server does not take it.
        LedgerError: The ledger cannot be read.
    """
    team = registry()
    if file is not None:
        policy, source = read_policy_file(file, team), f"the file {file}"
        if put:
            from flows.orchestrator.dispatch.policy import VARIABLE, write_changes

            use_embedded_prefect()
            policy = await write_changes(read_changes_file(file), team)
            source = f"the file {file}, now in force as the Prefect variable {VARIABLE}"
        return PolicyShown(version=policy.version, source=source, policy=policy)
    policy, source = await _in_force()
    return PolicyShown(version=policy.version, source=source, policy=policy)


async def policy_fault() -> str:
    """Why the policy that a person put in force cannot be used; empty when it can.

    Raises:
        SourceUnavailable: The Prefect server does not answer.
    """
    from flows.orchestrator.dispatch.policy import read_changes, read_policy

    changes = await read_changes()
    try:
        read_policy(changes, registry())
    except ConfigurationError as error:
        return str(error)
    return ""


async def _in_force() -> tuple[Policy, str]:
    from prefect.settings import get_current_settings

    from flows.orchestrator.dispatch.policy import (
        VARIABLE,
        last_used_policy,
        read_changes,
        read_policy,
    )

    use_embedded_prefect()
    team = registry()
    if get_current_settings().api.url is not None:
        changes = await read_changes()
        source = f"the Prefect variable {VARIABLE}" if changes else "the default"
        return read_policy(changes, team), source
    settings = get_settings()
    if not has_ledger(settings):
        return Policy(), "the default"
    with Ledger.open(settings.effective_ledger_url) as ledger:
        return await last_used_policy(ledger, team), "what was used last (no stack runs)"


def print_policy(shown: PolicyShown, console: Console) -> None:
    """The matrix as a person reads it."""
    console.print(f"Policy [bold]{shown.version}[/], from {escape(shown.source)}.", highlight=False)
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
