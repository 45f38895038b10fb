"""What the ledger records, decided again under another policy."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ValidationError

from agents.registry import Registry
from blocks.ledger import Ledger, ReceiptKind
from blocks.policy.policy import Policy
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.decisions.replay import Replay, replay
from flows.orchestrator.decisions.replay_events import replay_events

_MOST_TASKS = _MOST_EVENTS = 100_000


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
    tally, differences = replay_events(events, usual, policy, utc_now())
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
