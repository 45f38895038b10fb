"""What an event makes rules do. Pure: the same events and the same past give the same firings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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

    @property
    def asks_for(self) -> str:
        """Equal for equal workflow and parameters."""
        said = json.dumps([self.rule.workflow, self.parameters], sort_keys=True, default=str)
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:16]


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
    runs: Sequence[RunOfRule],
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
        runs: Those that the rules have started, as far back as limits reach.
        causes: Run to the rules that led to it.
        now: The instant of firing.
        policy_version: Of the policy that has the rules.
    """
    done, so_far = set(known), list(runs)
    firings = []
    for match in found:
        key = match.event.source, match.event.id
        if (match.name, key) in done:
            continue
        done.add((match.name, key))
        chain = list(causes.get(run_behind(match.event), ()))
        run, outcome, detail = _decide(match, so_far, chain, now)
        if run is not None and run not in so_far:
            so_far.append(run)
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
    match: Match, runs: Sequence[RunOfRule], chain: Sequence[str], now: datetime
) -> tuple[RunOfRule | None, FiringOutcome, str]:
    rule = match.rule
    if match.name in chain:
        way = " → ".join([*chain, match.name])
        return None, FiringOutcome.LOOP, f"The rule led to this event itself ({way})."
    if match.parameters is None:
        return None, FiringOutcome.REFUSED, f"It cannot be filled in: {match.fault}."
    mine = [run for run in runs if run.rule == match.name]
    same = [run for run in mine if run.asks_for == match.asks_for]
    due, key = _when(match, now)
    if shared := next((run for run in same if run.run_key == key), None):
        return shared, FiringOutcome.INTENDED, ""
    cooldown = timedelta(seconds=rule.cooldown_seconds)
    last = max((run.due for run in same if run.due + cooldown > now), default=None)
    if cooldown and last is not None:
        until = last + cooldown
        return None, FiringOutcome.COOLING, f"One was started already; until {until:%H:%M:%S} UTC."
    hour = len({run.run_key for run in mine if run.at > now - HOUR})
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
