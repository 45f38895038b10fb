"""``./orchestrator topology``: what depends on what, and what may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from blocks.errors import OrchestratorError
from deployments.cli.app import AsJson, command, existing_ledger, line, show
from deployments.cli.policy import policy_in_force
from deployments.console.markup import escape

if TYPE_CHECKING:
    from blocks.business.business import Business
    from flows.orchestrator.events.topology import TopologyShown


@command
async def topology(as_json: AsJson = False) -> None:
    """Show what depends on what as it is configured, and propose the rest with its evidence.

    What depends on a thing in trouble is silent while that goes on. A proposal counts once it
    stands in the policy: policy FILE --set.
    """
    from blocks.vocabulary.messages import utc_now
    from flows.orchestrator.events.topology import read_topology

    policy, _ = await policy_in_force()
    business = await _business()
    with existing_ledger() as ledger:
        show(await read_topology(ledger, policy, business, utc_now()), as_json, _print)


async def _business() -> Business | None:
    """What is configured; None when nothing is, or it cannot be read: the rest is shown."""
    from blocks.business.business import current_business

    try:
        return await current_business()
    except OrchestratorError:
        return None


def _print(shown: TopologyShown, console: Console) -> None:
    if not shown.configured:
        line("Nothing is configured: no trouble explains other trouble.", console)
    for node in shown.tree:
        marks = [f"{node.open} open"] if node.open else []
        marks += [] if node.seen else ["nothing was ever told of it"]
        told = f" [dim]({', '.join(marks)})[/]" if marks else ""
        line(
            f"{'  ' * node.depth}{'└ ' if node.depth else ''}{escape(node.resource)}{told}", console
        )
    for name in shown.circles:
        line(f"[yellow]![/] {escape(name)} depends on itself, by others.", console)
    if not shown.proposed:
        line("Nothing else is proposed.", console)
        return
    console.print()
    line("[bold]Proposed[/], from what was seen:", console)
    for edge in shown.proposed:
        line(f"  {escape(edge.resource)} depends on {escape(edge.depends_on)}", console)
        for why in edge.why:
            line(f"    [dim]{escape(why)}[/]", console)
    console.print()
    line("To put all of it in force, write this into a file and set it: policy FILE --set", console)
    console.print()
    for each in shown.snippet.splitlines():  # escaping takes line ends away
        line(escape(each), console)
