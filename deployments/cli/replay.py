"""``./orchestrator replay``: what another policy would have decided, told before it is in force."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from agents.registry import Registry, registry
from blocks.errors import ConfigurationError
from blocks.ledger import Ledger, ReceiptKind
from blocks.policy.policy import Policy
from blocks.settings import get_settings
from deployments.console.markup import escape
from deployments.console.times import parse_since
from flows.orchestrator.decisions.replay import Replay, replay
from flows.orchestrator.decisions.replay_events import replay_events
from flows.orchestrator.dispatch.policy import read_policy

_SHOWN = 50  # rows of the table; --json has all
_MOST_TASKS = _MOST_EVENTS = 100_000


async def run_replay(file: Path, since: str) -> Replay:
    """Decides again what the ledger records, under the policy of a file.

    Args:
        file: Changes of the default policy, TOML or JSON.
        since: ``7d``, ``12h``, ``30m``, or an ISO 8601 date or instant.

    Raises:
        ConfigurationError: The file cannot be read, or names the key at fault.
        RequestError: ``since`` is no time.
        LedgerError: The ledger cannot be read.
    """
    start = parse_since(since, datetime.now(UTC))
    team = registry()
    policy = read_policy_file(file, team)
    with Ledger.open(get_settings().effective_ledger_url, migrate=False) as ledger:
        return await replay_ledger(ledger, policy, team, start)


async def replay_ledger(ledger: Ledger, policy: Policy, team: Registry, since: datetime) -> Replay:
    """Decides again what the ledger records since then; writes nothing."""
    receipts = [
        receipt
        for kind in (ReceiptKind.ROUTE, ReceiptKind.SELECT)
        for receipt in await ledger.receipts.of(kind=kind, since=since, limit=None)
    ]
    policies = {}
    for version in {receipt.policy_version for receipt in receipts}:
        if then := _policy(await ledger.policies.body(version)):
            policies[version] = then
    tasks = await ledger.tasks.list(since=since, limit=_MOST_TASKS)
    told = replay(receipts, policy, team, tasks=tasks, policies=policies)
    events = await ledger.inbox.received(since, _MOST_EVENTS)
    if not events:
        return told
    usual = _policy(await ledger.policies.latest()) or Policy()
    tally, differences = replay_events(events, usual, policy, datetime.now(UTC))
    return told.model_copy(
        update={
            "tallies": [*told.tallies, tally],
            "differences": [*told.differences, *differences],
        }
    )


def _policy(body: dict[str, Any] | None) -> Policy | None:
    try:
        return Policy.model_validate(body) if body is not None else None
    except ValidationError:  # of another release: its usual severities are not known
        return None


def read_policy_file(file: Path, team: Registry) -> Policy:
    """The default policy with the changes of a file.

    Raises:
        ConfigurationError: Names the file, and the key at fault.
    """
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
    try:
        text = file.read_text(encoding="utf-8")
        return json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise ConfigurationError(
            f"The policy file {file} cannot be read: {error.strerror}."
        ) from None
    except (ValueError, RecursionError) as error:
        kind = "JSON" if file.suffix == ".json" else "TOML"
        raise ConfigurationError(f"{file} is not {kind}: {error}.") from None


def print_replay(told: Replay, console: Console) -> None:
    """What would have been different, as a person reads it."""
    counts = Table("Decision", "Same", "Different", title=f"Under policy {told.policy_version}")
    for tally in told.tallies:
        counts.add_row(tally.question.value, str(tally.same), str(tally.different))
    console.print(counts)
    if told.differences:
        table = Table("When", "Decision", "About", "Was", "Would have been", "Because")
        for one in told.differences[:_SHOWN]:
            when = one.at.astimezone().strftime("%m-%d %H:%M:%S")
            cells = (one.about, one.recorded, one.replayed, one.why)
            table.add_row(when, one.question.value, *map(escape, cells))
        console.print(table)
    if (more := len(told.differences) - _SHOWN) > 0:
        console.print(f"and {more:,} more; --json has them all.", highlight=False)
    for why, count in told.skipped.items():
        console.print(f"[yellow]![/] {count:,} not decided again: {escape(why)}.", highlight=False)
    if not any(tally.same + tally.different for tally in told.tallies):
        console.print("No decision was recorded in that time.")
