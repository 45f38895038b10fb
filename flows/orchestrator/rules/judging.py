"""What an event makes rules do. The same events and the same past give the same firings."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right, insort
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from blocks.ledger.events.records import EventKey
from blocks.ledger.firings.firings import Firing, FiringOutcome, RunOfRule
from blocks.policy.placeholders import NoValue, filled
from blocks.policy.trigger_rules import Rule, in_order
from blocks.text import printable
from blocks.vocabulary.messages import BESIDE, SystemEvent
from blocks.vocabulary.responses import subject_of

HOUR = timedelta(hours=1)

RUN = "flow_run"
"""What stands beside an event that was handed in by a run: which one."""


@dataclass(frozen=True)
class Match:
    """An event, and a rule that it fits.

    Attributes:
        parameters: Those of the run; None when the event does not give what the rule takes.
        fault: Then why.
    """

    name: str
    rule: Rule
    event: SystemEvent
    parameters: dict[str, Any] | None
    fault: str = ""

    @cached_property
    def asks_for(self) -> str:
        """Equal for equal workflow and parameters."""
        said = json.dumps([self.rule.workflow, self.parameters], sort_keys=True, default=str)
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Past:
    """The runs that rules have started; what is asked of them costs the same however many.

    Args:
        runs: As far back as limits and cooldowns reach, or further.
    """

    def __init__(self, runs: Iterable[RunOfRule] = ()) -> None:
        self._of_key: dict[tuple[str, str], RunOfRule] = {}
        self._last_due: dict[tuple[str, str], datetime] = {}
        self._asked_at: dict[str, list[datetime]] = {}
        for run in runs:
            self.add(run)

    def add(self, run: RunOfRule) -> None:
        """Note a run that was started."""
        asked = run.rule, run.asks_for
        self._of_key[run.rule, run.run_key] = run
        self._last_due[asked] = max(run.due, self._last_due.get(asked, run.due))
        insort(self._asked_at.setdefault(run.rule, []), run.at)

    def of_key(self, rule: str, run_key: str) -> RunOfRule | None:
        """A rule's run of this key."""
        return self._of_key.get((rule, run_key))

    def last_due(self, rule: str, asks_for: str) -> datetime | None:
        """When the last run of a rule that asks for this is due, or was."""
        return self._last_due.get((rule, asks_for))

    def since(self, rule: str, then: datetime) -> int:
        """How many runs of a rule were asked for later than then."""
        asked_at = self._asked_at.get(rule, [])
        return len(asked_at) - bisect_right(asked_at, then)


def matches(rules: Mapping[str, Rule], event: SystemEvent) -> Iterator[Match]:
    """The rules that an event fits, in their order, up to one that says ``stop``."""
    for name, rule in in_order(rules):
        if rule.when.fits(event):
            try:
                yield Match(name, rule, event, filled(rule.parameters, fields_of(event)))
            except NoValue as fault:
                yield Match(name, rule, event, None, str(fault))
            if rule.stop:
                return


def fields_of(event: SystemEvent) -> dict[str, Any]:
    """What placeholders may name; texts without what would steer a terminal."""
    kind, name = subject_of(event)
    return {
        "id": event.id,
        "source": printable(event.source),
        "type": printable(event.type),
        "time": event.time.isoformat(),
        "severity": event.severity.value,
        "subject": printable(event.subject),
        "kind": printable(kind),
        "name": printable(name),
        "status": event.status,
        "data": event.data,
    }


def run_behind(event: SystemEvent) -> str:
    """The run that an event is about, or that handed it in, 32 hex digits; else empty."""
    kind, name = subject_of(event)
    beside = event.data.get(BESIDE)
    told = name if kind == "run" else beside.get(RUN) if isinstance(beside, dict) else ""
    return str(told or "").replace("-", "").lower()


def judge(
    found: Sequence[Match],
    known: Collection[tuple[str, EventKey]],
    past: Past,
    causes: Mapping[str, Sequence[str]],
    now: datetime,
    policy_version: str = "",
) -> list[Firing]:
    """What comes of events that fit rules: a run of their own, a shared one, or none and why.

    In this order: what fired already does nothing; a rule that led to the event does not fire on
    it; what asks for the same within ``share_seconds`` shares a run; after a run comes the
    cooldown; and beyond the limit of an hour nothing is started.

    Args:
        found: Events and the rules that they fit, in the order in which they came.
        known: Rule and event of what fired already.
        past: What the rules have started; what they start now is added.
        causes: Run to the rules that led to it.
        now: The instant of firing.
        policy_version: Of the policy that has the rules.
    """
    done = set(known)
    firings = []
    for match in found:
        key = match.event.source, match.event.id
        if (match.name, key) in done:
            continue
        done.add((match.name, key))
        chain = list(causes.get(run_behind(match.event), ()))
        run, outcome, detail = _decide(match, past, chain, now)
        if run is not None and past.of_key(run.rule, run.run_key) is None:
            past.add(run)
        firings.append(
            Firing(
                rule=match.name,
                source=match.event.source,
                event_id=match.event.id,
                at=now,
                outcome=outcome,
                detail=detail,
                workflow=match.rule.workflow,
                parameters=match.parameters or {},
                asks_for=match.asks_for,
                run_key=run.run_key if run else None,
                due=run.due if run else None,
                chain=chain,
                policy_version=policy_version,
                settled_at=None if run else now,
            )
        )
    return firings


def reach_back(found: Iterable[Match]) -> timedelta:
    """How far back the runs of these rules matter."""
    longest = max((match.rule.cooldown_seconds for match in found), default=0.0)
    return max(HOUR, timedelta(seconds=longest)) + HOUR


def _decide(
    match: Match, past: Past, chain: Sequence[str], now: datetime
) -> tuple[RunOfRule | None, FiringOutcome, str]:
    rule = match.rule
    if match.name in chain:
        way = " → ".join([*chain, match.name])
        return None, FiringOutcome.LOOP, f"The rule led to this event itself ({way})."
    if match.parameters is None:
        return None, FiringOutcome.REFUSED, f"It cannot be filled in: {match.fault}."
    due, key = _when(match, now)
    if shared := past.of_key(match.name, key):
        return shared, FiringOutcome.INTENDED, ""
    last, cooldown = (
        past.last_due(match.name, match.asks_for),
        timedelta(seconds=rule.cooldown_seconds),
    )
    if cooldown and last is not None and last + cooldown > now:
        until = last + cooldown
        return None, FiringOutcome.COOLING, f"One was started already; until {until:%H:%M:%S} UTC."
    hour = past.since(match.name, now - HOUR)
    if hour >= rule.limit_per_hour:
        return None, FiringOutcome.LIMITED, f"{hour} runs in the last hour are the limit."
    run = RunOfRule(match.name, key, match.asks_for, now, due)
    return run, FiringOutcome.INTENDED, ""


def _when(match: Match, now: datetime) -> tuple[datetime, str]:
    """When the run begins, and what makes it the same run."""
    share = match.rule.share_seconds
    if not share:
        return now, f"rule {match.name} {match.event.source} {match.event.id}"
    number = int(now.timestamp() // share) + 1
    due = datetime.fromtimestamp(number * share, UTC)
    return due, f"rule {match.name} {match.asks_for} until {due.isoformat()}"
