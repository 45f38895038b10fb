"""``./orchestrator effects``: acts on the outside world, and sending again what failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from blocks.text import printable
from deployments.cli.app import AsJson, command, existing_ledger, open_ledger, quiet_prefect, show
from deployments.console.markup import escape

if TYPE_CHECKING:
    from blocks.ledger import EffectRecord

effects = typer.Typer(
    help="Acts on the outside world: list them, resend what failed, take back what was done."
)


@effects.callback(invoke_without_command=True)
@command
async def list_effects(
    context: typer.Context,
    all_of_them: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    as_json: AsJson = False,
) -> None:
    """What is going on, what is done for a while, failed, or is unknown, newest first."""
    if context.invoked_subcommand is None:
        from blocks.vocabulary.effects import EffectStatus

        failed = (EffectStatus.FAILED, EffectStatus.UNKNOWN)
        wanted = [status for status in EffectStatus if status.is_open or status in failed]
        found: Sequence[EffectRecord] = []
        with existing_ledger() as ledger:
            if ledger is not None:
                found = await ledger.effects.list([] if all_of_them else wanted)
                if not all_of_them:
                    found = [*found, *await ledger.effects.standing()]
        show(found, as_json, _print)


@effects.command("resend")
@command
async def resend_effect(
    effect_id: Annotated[str, typer.Argument(metavar="ID", help="Its first 6 characters do.")],
    as_json: AsJson = False,
) -> None:
    """Send what failed for good once more, for instance a notification."""
    from blocks.prefect_api.env import use_embedded_prefect

    quiet_prefect()
    use_embedded_prefect()
    from flows.orchestrator.approvals.caretaker import resend

    with open_ledger() as ledger:
        show([await resend(ledger, effect_id)], as_json, _print)


@effects.command("undo")
@command
async def undo_effect(
    effect_id: Annotated[str, typer.Argument(metavar="ID", help="Its first 6 characters do.")],
    as_json: AsJson = False,
) -> None:
    """Take back what was done, for instance a limit that was raised for a surge."""
    from blocks.prefect_api.env import use_embedded_prefect

    quiet_prefect()
    with open_ledger() as ledger:
        effect = await ledger.effects.get(effect_id)  # refused before anything is prepared
        use_embedded_prefect()
        from flows.internal.take_back import have_taken_back

        await have_taken_back(effect)
        show([await ledger.effects.get(effect.id)], as_json, _print)


def _print(found: Sequence[EffectRecord], console: Console) -> None:
    if not found:
        console.print("Nothing is going on, and nothing failed.")
        return
    table = Table()
    for column in ("Id", "What", "On", "Stands", "Intended", "What came of it"):
        table.add_column(column, overflow="fold")
    for effect in found:
        table.add_row(
            effect.id[:8],
            escape(printable(effect.kind)),
            escape(printable(effect.target)),
            _stands(effect),
            f"{effect.intended_at:%d %b %H:%M} UTC",
            escape(printable(effect.outcome.detail or effect.outcome.reason)),
        )
    console.print(table)


def _stands(effect: EffectRecord) -> str:
    if effect.awaits_a_yes:
        return "waits for a yes"
    if effect.status.value == "done" and effect.next_at is not None:
        return f"done until {effect.next_at:%d %b %H:%M} UTC"
    return effect.status.value
