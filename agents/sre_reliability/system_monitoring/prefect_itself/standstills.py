"""What stands still in Prefect though nothing looks wrong: slots held, runs stuck, runs never made.

Prefect counts such runs neither as failed nor as late, so nobody is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from blocks.prefect_api.client import DeploymentInfo, LimitInfo, PrefectHealth, RunInfo
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Severity

CANCELLING_AFTER = timedelta(minutes=3)
"""A worker hears of a cancellation within seconds, and kills what has not ended after 30 s."""

PENDING_AFTER = timedelta(minutes=5)
"""Until then a run may be about to start: an image is fetched, a process is made."""

HOLDING_AFTER = timedelta(minutes=2)
"""The same where other runs wait for the slot that it holds."""

ORPHAN_AFTER = timedelta(minutes=5)
"""Younger changes of a limit may not be told by runs and events yet. Prefect itself takes back
the slots of a deployment whose run never began after so long."""


@dataclass(frozen=True)
class _Held:
    """What a run holds, in words, and how many others wait for that."""

    what: tuple[str, ...] = ()
    waiting: int = 0

    @property
    def said(self) -> str:
        if not self.what:
            return ""
        wait = {0: "", 1: ", for which another run waits"}.get(
            self.waiting, f", for which {self.waiting} other runs wait"
        )
        return f"; it holds {' and '.join(self.what)}{wait}"


def judge_standstills(health: PrefectHealth, now: datetime) -> list[Finding]:
    """What stands still, and what it keeps others from."""
    found = [
        *(_cancelling(run, _held_by(run, health), now) for run in health.cancelling),
        *(_pending(run, _held_by(run, health), now) for run in health.pending),
        *(_orphans(limit, now) for limit in health.limits),
        *(_no_slots(limit) for limit in health.limits),
        *(_missed(each) for each in health.deployments),
        *(_asleep(each) for each in health.deployments),
    ]
    return [finding for finding in found if finding is not None]


def _held_by(run: RunInfo, health: PrefectHealth) -> _Held:
    what: list[str] = []
    waiting: set[str] = set()
    for limit in health.limits:
        holders = {holder.id for holder in limit.holders}
        # Prefect itself takes back the slot of a run that does not begin; nobody knows whose, then.
        if run.id not in holders or limit.slots < len(holders):
            continue
        what.append(f"{_one_of(limit.limit)} of {limit.name}")
        if limit.of_deployment and limit.slots >= limit.limit:
            asking = [*health.awaiting_slot, *health.late]
            waiting |= {other.id for other in asking if other.deployment == run.deployment}
    for pool in health.pools:
        if pool.name != run.pool or not pool.concurrency_limit:
            continue
        what.append(f"{_one_of(pool.concurrency_limit)} of the pool {pool.name}")
        inside = [*health.pending, *health.running, *health.cancelling]
        if sum(other.pool == pool.name for other in inside) >= pool.concurrency_limit:
            waiting |= {other.id for other in health.late if other.pool == pool.name}
    return _Held(tuple(what), len(waiting))


def _cancelling(run: RunInfo, held: _Held, now: datetime) -> Finding | None:
    since = _since(run, now)
    if since < CANCELLING_AFTER:
        return None
    return Finding(
        kind="run-cancelling",
        resource=f"run:{run.id}",
        severity=Severity.ERROR if held.waiting else Severity.WARNING,
        title=f"{_named(run)} was to be cancelled {_minutes(since)} ago, and nothing ends it"
        + held.said,
        evidence=_evidence(run, held, since),
        advice="If its process is gone, set its state to Cancelled: open the run in Prefect, "
        "Change state. That frees what it holds.",
    )


def _pending(run: RunInfo, held: _Held, now: datetime) -> Finding | None:
    since = _since(run, now)
    if since < (HOLDING_AFTER if held.waiting else PENDING_AFTER):
        return None
    return Finding(
        kind="run-pending",
        resource=f"run:{run.id}",
        severity=Severity.ERROR if held.waiting else Severity.WARNING,
        title=f"{_named(run)} has been about to start for {_minutes(since)}, and nothing starts it"
        + held.said,
        evidence=_evidence(run, held, since),
        advice="If no worker is starting it, set its state to Cancelled or Scheduled: open the run "
        "in Prefect, Change state. That frees what it holds.",
    )


def _orphans(limit: LimitInfo, now: datetime) -> Finding | None:
    if not limit.orphans or now - limit.changed_at < ORPHAN_AFTER:
        return None
    full = limit.slots >= limit.limit
    verb = "is" if limit.orphans == 1 else "are"
    return Finding(
        kind="slot-without-holder",
        resource=f"limit:{limit.name}",
        severity=Severity.ERROR if full else Severity.WARNING,
        title=f"{limit.orphans} of {_slots(limit.limit)} of the limit {limit.name} {verb} taken, "
        "and no run holds " + ("it" if limit.orphans == 1 else "them"),
        evidence={
            "limit": limit.limit,
            "slots": limit.slots,
            "holders": [run.name for run in limit.holders],
            "changed_at": limit.changed_at.isoformat(),
        },
        advice="See that nothing works under this limit, then give back what nobody holds: "
        f"in Prefect under Concurrency, or prefect gcl update NAME --active-slots "
        f"{limit.slots - limit.orphans}.",
    )


def _no_slots(limit: LimitInfo) -> Finding | None:
    if limit.limit:
        return None
    return Finding(
        kind="prefect-limit-zero",
        resource=f"limit:{limit.name}",
        severity=Severity.INFO,
        title=f"The limit {limit.name} is 0: nothing under it can start",
        advice="Raise it, in Prefect under Concurrency, if that is not meant so.",
    )


def _missed(each: DeploymentInfo) -> Finding | None:
    if not each.missed:
        return None
    more = len(each.missed) - 1
    return Finding(
        kind="run-missed",
        resource=f"deployment:{each.name}",
        severity=Severity.INFO if each.ran_since else Severity.WARNING,
        title=f"{each.name} should have run at {each.missed[-1]:%Y-%m-%d %H:%M} UTC"
        + (f" and {more} times before" if more > 1 else " and once before" if more else "")
        + ", and no run was made"
        + (". It has run since" if each.ran_since else ""),
        evidence={"missed": [at.isoformat() for at in each.missed[-10:]]},
        advice="Prefect's scheduler did not run then, or the schedule was changed or paused. "
        "Start the workflow by hand if it is needed.",
    )


def _asleep(each: DeploymentInfo) -> Finding | None:
    if not (each.scheduled and each.paused):
        return None
    return Finding(
        kind="prefect-paused",
        resource=f"deployment:{each.name}",
        severity=Severity.INFO,
        title=f"{each.name} is paused by a person: its schedules start nothing",
        advice="Switch its schedule on in Prefect, on the deployment's page, when it is wanted.",
    )


def _one_of(limit: int) -> str:
    return "the only slot" if limit == 1 else f"one of {_slots(limit)}"


def _slots(count: int) -> str:
    return f"{count} slot{'' if count == 1 else 's'}"


def _named(run: RunInfo) -> str:
    return f"A run of {run.flow or 'a flow'} ({run.name})"


def _since(run: RunInfo, now: datetime) -> timedelta:
    return now - run.since if run.since else timedelta()


def _minutes(span: timedelta) -> str:
    return f"{span.total_seconds() / 60:.0f} minutes"


def _evidence(run: RunInfo, held: _Held, since: timedelta) -> dict[str, Any]:
    return {
        "since_s": round(since.total_seconds()),
        "pool": run.pool,
        "holds": list(held.what),
        "waiting": held.waiting,
    }
