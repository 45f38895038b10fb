"""``./orchestrator watch``: look at everything now, or again and again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from blocks.text import printable
from deployments.cli.app import AsJson, command, err, line, open_ledger, quiet_prefect, show
from deployments.console.markup import escape

if TYPE_CHECKING:
    from blocks.ledger import Ledger
    from blocks.vocabulary.looks import Look, Signal


@command
async def watch(
    once: Annotated[bool, typer.Option("--once", help="Look once, and end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Watch the business here: what is wrong becomes an incident, as while the stack runs.

    Without --once until Ctrl-C; a stack that watches at the same time does no harm.
    Exit code of --once: 0 nothing is wrong, 3 something is, or could not be looked at.
    """
    from blocks.prefect_api.env import use_embedded_prefect

    quiet_prefect()
    use_embedded_prefect()
    with open_ledger() as ledger:
        if not once:
            from deployments.services.watching import keep_watching

            await keep_watching(ledger, _complain, _Watcher(as_json))
        looks = await _look_once(ledger)
    show(looks, as_json, _print)
    if any(look.signals or look.missing for look in looks):
        raise typer.Exit(3)


async def _look_once(ledger: Ledger) -> list[Look]:
    from blocks.prefect_api.client import PrefectApi
    from blocks.vocabulary.messages import utc_now
    from flows.orchestrator.watching.parts import Watch
    from flows.orchestrator.watching.watch import configured, watch_once, watched_parts

    business, policy = await configured(ledger)
    watching = Watch(business, ledger, PrefectApi(), policy, utc_now())
    return await watch_once(watching, watched_parts(policy))


def _complain(fault: str) -> None:
    line(escape(printable(fault)), err)


class _Watcher:
    """Prints looks as they come: as JSON each of them, for people what has changed."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._wrong: dict[str, dict[str, Signal]] = {}

    def __call__(self, look: Look) -> None:
        if self._as_json:
            print(look.model_dump_json(), flush=True)
            return
        before = self._wrong.get(look.part)
        if before is None:
            line(in_short(look))
        found = {signal.fingerprint: signal for signal in look.signals}
        for fingerprint, signal in found.items():
            if fingerprint not in (before or {}):
                line(_told(signal))
        for fingerprint, signal in (before or {}).items():
            if fingerprint not in found:
                line(f"[green]over[/]: {escape(printable(signal.summary))}")
        self._wrong[look.part] = found


def _print(looks: Sequence[Look], console: Console) -> None:
    for look in looks:
        line(in_short(look), console)
        for signal in look.signals:
            line(f"  {_told(signal)}", console)
        for why in look.missing:
            line(f"  [yellow]not looked at[/]: {escape(printable(why))}", console)
        for note in look.notes:
            line(f"  note: {escape(printable(note))}", console)


def in_short(look: Look) -> str:
    """How a look went, in a line of markup. What was not looked at is not called well."""
    if not look.covered and not look.signals:
        none = "nothing could be looked at" if look.missing else "there is nothing to look at"
        return f"[bold]{look.part}[/]: {none}"
    wrong = f"{len(look.signals):,} wrong" if look.signals else "nothing is wrong"
    return f"[bold]{look.part}[/]: {len(look.covered):,} looked at, {wrong}"


def _told(signal: Signal) -> str:
    return f"[red]{signal.severity.value}[/]: {escape(printable(signal.summary))}"
