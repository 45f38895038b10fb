"""``./orchestrator objectives``: what was promised, and what is left of each error budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from deployments.cli.app import AsJson, command, existing_ledger, quiet_prefect, show

if TYPE_CHECKING:
    from agents.sre_reliability.objectives.standing import ObjectiveStanding


@command
async def objectives(as_json: AsJson = False) -> None:
    """Show the objectives: how each is kept, its error budget, how fast that burns.

    Exit code: 0 no budget burns too fast, 3 one does.
    """
    from blocks.prefect_api.env import use_embedded_prefect
    from blocks.vocabulary.messages import utc_now
    from flows.orchestrator.watching.objectives import objectives_now

    quiet_prefect()
    use_embedded_prefect()
    with existing_ledger() as ledger:
        found = await objectives_now(ledger, utc_now()) if ledger is not None else []
    show(found, as_json, _print)
    if any(standing.calls is not None for standing in found):
        raise typer.Exit(3)


def _print(found: Sequence[ObjectiveStanding], console: Console) -> None:
    from deployments.console.report import print_section
    from flows.reports.objectives import objectives as section

    if not found:
        console.print("No objective: no service is configured, and the policy names none.")
        return
    print_section(section(found, "UTC"), console)
