"""The command line: ``./orchestrator``, and its commands in the groups and the order of its help.

What a command needs is imported when it runs, so that help comes at once.
"""

from __future__ import annotations

from collections.abc import Callable

from blocks.machine.state_folder import files_for_us_alone
from deployments.cli import (
    approvals,
    connect,
    decisions,
    doctor,
    drill,
    effects,
    ledger,
    messages,
    policy,
    stack,
    status,
    tokens,
    workflows,
)
from deployments.cli.app import app
from deployments.cli.purchasing import orders
from deployments.cli.watching import (
    events,
    incidents,
    objectives,
    rules,
    silences,
    topology,
    watch,
    webhooks,
)

COMMANDS: dict[str, tuple[Callable[..., None], ...]] = {
    "The stack": (stack.up, stack.api, stack.register, stack.env, doctor.doctor, ledger.ledger),
    "Your business": (
        *(connect.connect, connect.disconnect),
        *(workflows.run, events.event, messages.send, drill.drill),
    ),
    "What goes on": (
        *(status.status, status.agents),
        *(watch.watch, objectives.objectives, events.inbox, incidents.incident),
        topology.topology,
    ),
    "What a person decides": (
        *(approvals.approvals, approvals.approve, approvals.reject),
        *(policy.policy, policy.autonomy, decisions.replay, decisions.explain, decisions.verify),
    ),
}

app.add_typer(tokens.token, name="token", rich_help_panel="The stack")
app.add_typer(messages.dead_letters, name="dead-letters", rich_help_panel="Your business")
app.add_typer(orders.orders, name="orders", rich_help_panel="What goes on")
app.add_typer(rules.rules, name="rules", rich_help_panel="What a person decides")
app.add_typer(incidents.incidents, name="incidents", rich_help_panel="What goes on")
app.add_typer(silences.silences, name="silences", rich_help_panel="What goes on")
app.add_typer(effects.effects, name="effects", rich_help_panel="What goes on")
app.add_typer(webhooks.webhooks, name="webhooks", rich_help_panel="What goes on")
for panel, commands in COMMANDS.items():
    for each in commands:
        app.command(rich_help_panel=panel)(each)

if __name__ == "__main__":
    files_for_us_alone()
    app(prog_name="orchestrator")
