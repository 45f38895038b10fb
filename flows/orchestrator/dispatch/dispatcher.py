"""Dispatch: which instance of an agent takes a call, and that it takes no more than it can."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any

from agents.calls import Envelope, Reply, address, answer
from agents.descriptions import can_travel
from agents.registry import ActionSpec
from agents.tasks import RETRY_DELAYS, deliver
from blocks.errors import NoAgentAvailable
from blocks.ledger.calls.leases import Lease
from blocks.ledger.calls.records import ReceiptKind
from blocks.policy.policy import Instance
from blocks.vocabulary.messages import ErrorInfo, new_id, utc_now
from flows.orchestrator.dispatch.remote import REMOTE_MARGIN, ask_remote
from flows.orchestrator.dispatch.routing import instances_of
from flows.orchestrator.dispatch.selection import Candidate, Selection, select
from flows.orchestrator.dispatch.track_records import NEW, TrackRecord, known_records

if TYPE_CHECKING:
    from flows.orchestrator.dispatch.context import RunContext

Perform = Callable[[], Awaitable[Reply]]
Around = Callable[[Perform, datetime], Awaitable[Reply]]
"""Has a call done, and whatever belongs before and after it; told when the call is over at the
latest, whoever does it."""

_PAUSES = (0.05, 0.1, 0.2, 0.4)
"""Seconds between looks for a free slot; the last one repeats."""


@dataclass(frozen=True)
class _Choice:
    """A selection and the lease that was taken with it."""

    selection: Selection
    candidates: Sequence[Candidate]
    instance: Instance | None
    lease_id: str


async def dispatch(
    team: RunContext,
    agent: str,
    action: str,
    params: dict[str, Any],
    envelope: Envelope,
    *,
    avoid: Collection[str] = (),
    patience: float | None = None,
    around: Around | None = None,
) -> Reply:
    """Have the best instance of an agent do something.

    Args:
        team: The run that asks.
        agent: Dashed id of the agent.
        action: Name of the action.
        params: The action's own parameters.
        envelope: What the message says beside its payload.
        avoid: Instances that are not asked, because they failed at it.
        patience: Seconds to wait while everybody is busy; as the policy says when None.
        around: Has the call done once somebody is free for it; done at once when None.

    Returns:
        The reply. Its error is NoAgentAvailable's when nobody can be asked, or everybody was
        busy for as long as was waited; nobody was asked then, and its ``instance`` is empty.

    Raises:
        UnknownAction: There is no such agent or action.
        InvalidMessage: The parameters do not fit the action's signature.
        LedgerError: The ledger cannot be read or written.
        PolicyError: What stands around the call does not let it be done.
    """
    spec = team.toolbox.registry.action(agent, action)
    envelope = replace(
        envelope,
        message_id=envelope.message_id or new_id(),
        sent_at=utc_now(),
        run_id=team.run.id,
    )
    message = address(spec, envelope, params)
    able, unable = _able(team, spec, params, avoid)
    limit = team.toolbox.time_limit(spec, params)
    choice = await _take_slot(team, spec, able, message.id, limit, patience)
    _record_choice(team, spec, choice, unable, message.id)
    taker = choice.instance
    if taker is None:
        error = NoAgentAvailable(
            spec.full_name,
            hint=_near_misses(choice.selection, unable),
            busy=bool(able),
        )
        team.ledger.record(message)
        answer(team.toolbox, message, None, ErrorInfo.of(error), 0, perf_counter())
        return Reply(message, None, ErrorInfo.of(error))

    async def perform() -> Reply:
        if taker.deployment:
            sent = replace(envelope, instance=taker.name)
            return await ask_remote(team, spec, taker, message, sent, params)
        return await deliver(team.toolbox, spec, message, params, taker.name)

    try:
        if around is None:
            return await perform()
        return await around(perform, _expiry(spec, taker, limit, utc_now()))
    finally:
        team.ledger.leases.release(choice.lease_id)


def _able(
    team: RunContext, spec: ActionSpec, params: dict[str, Any], avoid: Collection[str]
) -> tuple[list[Instance], dict[str, str]]:
    """Who can be asked, and why the others cannot."""
    able, unable = [], {}
    for instance in instances_of(team.policy, team.toolbox.registry, spec.agent):
        if instance.name in avoid:
            unable[instance.name] = "failed at this task already"
        elif instance.deployment and not can_travel(params):
            unable[instance.name] = "remote, and the parameters cannot travel"
        else:
            able.append(instance)
    return able, unable


async def _take_slot(
    team: RunContext,
    spec: ActionSpec,
    able: Sequence[Instance],
    message_id: str,
    limit: float,
    patience: float | None,
) -> _Choice:
    """Choose and take a slot; while everybody is busy, wait."""
    if patience is None:
        patience = team.policy.recovery.wait_for_slot_seconds
    records = await known_records(team.ledger, spec.name, utc_now())
    give_up = monotonic() + patience
    looks = 0
    while True:
        choice = await _choose(team, spec, able, records, message_id, limit)
        if choice.instance is not None or not able or monotonic() > give_up:
            return choice
        await asyncio.sleep(_PAUSES[min(looks, len(_PAUSES) - 1)])
        looks += 1


async def _choose(
    team: RunContext,
    spec: ActionSpec,
    able: Sequence[Instance],
    records: Mapping[str, TrackRecord],
    message_id: str,
    limit: float,
) -> _Choice:
    now = utc_now()
    named = {instance.name: instance for instance in able}
    chosen: _Choice | None = None

    def choose(workload: Mapping[str, int]) -> Lease | None:
        nonlocal chosen
        candidates = [
            _candidate(instance, spec, workload, records.get(instance.name, NEW))
            for instance in able
        ]
        selection = select(candidates, team.policy.selection, seed=message_id)
        instance = named[selection.chosen.instance] if selection.chosen else None
        chosen = _Choice(selection, candidates, instance, message_id)
        if instance is None:
            return None
        return Lease(
            id=message_id,
            instance=instance.name,
            agent=spec.agent,
            taken_at=now,
            expires_at=_expiry(spec, instance, limit, now),
        )

    await team.ledger.leases.take(now, choose)
    assert chosen is not None, "take() chooses"
    return chosen


def _candidate(
    instance: Instance, spec: ActionSpec, workload: Mapping[str, int], record: TrackRecord
) -> Candidate:
    return Candidate(
        instance=instance.name,
        agent=spec.agent,
        capacity=instance.capacity or 1,
        workload=workload.get(instance.name, 0),
        expertise=instance.expertise_in(spec.name, spec.capability),
        successes=round(record.successes, 3),
        failures=round(record.failures, 3),
        mean_ms=None if record.mean_ms is None else round(record.mean_ms, 1),
        timed=round(record.timed, 3),
    )


def _expiry(spec: ActionSpec, instance: Instance, limit: float, now: datetime) -> datetime:
    """When a call must be over, all its retries included: after it its process is dead.

    Args:
        spec: What is called.
        instance: Who does it.
        limit: Seconds that one attempt may take.
        now: When it begins.
    """
    policy = spec.policy
    pauses = 2 * sum(RETRY_DELAYS[: policy.retries])  # spread by up to their own length
    seconds = limit * (policy.retries + 1) + pauses + 5
    return now + timedelta(seconds=seconds + (REMOTE_MARGIN if instance.deployment else 0))


def _record_choice(
    team: RunContext,
    spec: ActionSpec,
    choice: _Choice,
    unable: Mapping[str, str],
    message_id: str,
) -> None:
    lost: list[dict[str, Any]] = [
        {"name": s.instance, "score": s.total, "parts": s.parts, "lost_because": s.reason}
        for s in choice.selection.scores
    ]
    lost += [{"name": name, "lost_because": why} for name, why in unable.items()]
    taker = choice.instance.name if choice.instance else None
    team.receipt(
        ReceiptKind.SELECT,
        message_id,
        inputs={
            "agent": spec.agent,
            "action": spec.name,
            "seed": message_id,
            "candidates": [asdict(candidate) for candidate in choice.candidates],
        },
        decision={"instance": taker},
        why=f"{taker} takes {spec.full_name}." if taker else f"Nobody can take {spec.full_name}.",
        candidates=lost,
    )


def _near_misses(selection: Selection, unable: Mapping[str, str]) -> str:
    misses = {scored.instance: scored.reason for scored in selection.scores} | dict(unable)
    return "; ".join(f"{name}: {why}" for name, why in misses.items()) or "It has no instance."
