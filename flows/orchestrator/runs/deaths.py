"""When a Prefect run counts as dead, and what follows from a death: the judgement. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from blocks.policy.policy import RecoveryRules

TAG = "restart-on-crash"
"""Deployments with this tag have their crashed runs restarted: see prefect.yaml."""

RESTARTED, CRASHED, GIVEN_UP = "Restarted", "Crashed", "GivenUp"
"""Names of states: of a run that waits to be run again; that crashed; that is not run again."""

CUT_OFF = "CutOff"
"""Name of the state of a run that crashed because the ledger, or Prefect, was away."""

LONGEST_REST = timedelta(minutes=30)
"""So long a run that was cut off again and again rests at most before it is run again."""

STARTING = timedelta(seconds=60)
"""So long a run may be PENDING without a process: a worker prepares it, an interpreter loads."""

SILENCE = timedelta(seconds=90)
"""Three heartbeats of a run; who was not heard of for so long, and not seen, is dead."""

WATCHED = timedelta(minutes=5)
"""The same where the run's worker is alive, which itself reports the death of its processes."""

SETTLING = timedelta(seconds=30)
"""So long after a crash a plain Prefect worker may be busy with it: it says it twice, and gives its
slot back last. Neither must happen to the restarted run."""

STARTED = timedelta(seconds=10)
"""So long after a run said that it is RUNNING its worker may not have told its process yet."""

CANCELLING = timedelta(seconds=60)
"""So long a run's worker may take to end it when it is cancelled."""

OPEN = timedelta(hours=24)
"""So long after a crash somebody may still want what was accepted."""

OPEN_BY_SCHEDULE = timedelta(hours=1)
"""The same for a run of a schedule: the next one comes anyway."""

Past = Sequence[tuple[str, str]]
"""The states of a run so far, oldest first: type and name."""

_FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


class Process(StrEnum):
    """What this machine shows of a run's process."""

    LIVES = "lives"
    GONE = "gone"
    UNSEEN = "unseen"


@dataclass(frozen=True)
class Sight:
    """What is known of a run that is said to go on.

    Attributes:
        state: Type of its state.
        since: When it came into it.
        process: What this machine shows of its process.
        heard_at: Its last heartbeat; None when none is known.
        listening_since: From when on heartbeats could have been heard: the server was there.
        watched: Whether a worker on another machine answers for it.
    """

    state: str
    since: datetime
    process: Process
    heard_at: datetime | None
    listening_since: datetime
    watched: bool = False

    def quiet_for(self, now: datetime) -> timedelta:
        """How long nothing was heard of it, although it could have been."""
        return now - max(self.since, self.heard_at or self.since, self.listening_since)


def cause_of_death(sight: Sight, now: datetime) -> str:
    """Why a run is taken to be dead, in words; empty while it may live."""
    if sight.process is Process.LIVES:
        return ""
    if sight.process is Process.GONE:
        return "Its process is gone." if now - sight.since > STARTED else ""
    patience = STARTING if sight.state == "PENDING" else SILENCE
    if sight.watched:
        patience = WATCHED
    quiet = sight.quiet_for(now)
    if quiet < patience:
        return ""
    return f"No process of it was seen, and nothing heard of it for {quiet.total_seconds():.0f} s."


def is_cancelled_by_nobody(sight: Sight, now: datetime) -> bool:
    """Whether a run on this machine goes on although it was cancelled long ago."""
    late = now - sight.since > CANCELLING
    return sight.state == "CANCELLING" and sight.process is Process.LIVES and late


class Next(StrEnum):
    """What becomes of a crashed run."""

    RESTART = "restart"
    GIVE_UP = "give up"
    CANCEL = "cancel"


def after_crash(past: Past, rules: RecoveryRules) -> Next:
    """What becomes of a crashed run that may be restarted, by its states so far."""
    if _last_going_on(past) == "CANCELLING":
        return Next.CANCEL
    how = past[-1][1]
    return Next.RESTART if restarts_in(past, how) < most_restarts(how, rules) else Next.GIVE_UP


def most_restarts(how: str, rules: RecoveryRules) -> int:
    """How often a run is restarted that ends in the state of this name each time."""
    return rules.restarts_when_cut_off if how == CUT_OFF else rules.restarts


def rest_after(past: Past) -> timedelta:
    """How long a crashed run rests before it is run again: cut off, each time twice as long."""
    if past[-1][1] != CUT_OFF:
        return SETTLING
    doubled: int = 2 ** min(restarts_in(past, CUT_OFF), 10)
    return min(LONGEST_REST, SETTLING * doubled)


def may_be_restarted(
    name: str, tags: Collection[str], crashed_at: datetime, by_schedule: bool, now: datetime
) -> bool:
    """Whether a run in a final state is one that crashed and will be restarted, or given up.

    Until then it is not over. Who waits for a run asks here.

    Args:
        name: Name of its state.
        tags: Of the run, which has those of its deployment.
        crashed_at: When it came into the state.
        by_schedule: Whether a schedule made it.
        now: The instant to judge at.
    """
    need = OPEN_BY_SCHEDULE if by_schedule else OPEN
    return name in (CRASHED, CUT_OFF) and TAG in tags and now - crashed_at < need


def restarts_in(past: Past, how: str = CRASHED) -> int:
    """How often a run was restarted since a person last had it done again.

    Args:
        past: Its states so far.
        how: Name of the state that it was restarted from.
    """
    begin = _begin(past)
    return sum(
        past[place][1] == RESTARTED and past[place - 1][1] == how
        for place in range(begin + 1, len(past))
    )


def repeats_in(past: Past) -> int:
    """How often a person had a finished run done again."""
    return len(_repeats(past))


def record_id(flow_run_id: UUID, run_count: int) -> str:
    """The id under which the ledger knows one life of a run: a restarted one is a run of its own.

    Args:
        flow_run_id: Prefect's id, the same for all its lives.
        run_count: Which life, from 1 on.
    """
    return flow_run_id.hex + (f"-{run_count}" if run_count > 1 else "")


def life_of(run_id: str) -> tuple[str, int]:
    """The flow run (its id's hex) that a run in the ledger is a life of, and which."""
    flow_run, _, number = run_id.partition("-")
    return flow_run, int(number) if number.isdigit() else 1


def are_lives_of_one(run_id: str | None, other: str) -> bool:
    """Whether two runs in the ledger are one flow run, before and after a restart."""
    return run_id is not None and life_of(run_id)[0] == life_of(other)[0]


def _begin(past: Past) -> int:
    """Where a run was last begun by a person or a schedule."""
    return max(_repeats(past), default=0)


def _repeats(past: Past) -> list[int]:
    return [
        place
        for place in range(1, len(past))
        if past[place - 1][0] in _FINAL
        and past[place][0] == "SCHEDULED"
        and past[place][1] != RESTARTED
    ]


def _last_going_on(past: Past) -> str:
    return next((kind for kind, _ in reversed(past) if kind not in _FINAL), "")
