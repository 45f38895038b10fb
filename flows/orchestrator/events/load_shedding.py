"""When events come faster than they can be dealt with one by one, and what happens then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from blocks.ledger.events.records import Depth
from blocks.policy.event_rules import EventRules
from blocks.vocabulary.messages import Severity


@dataclass(frozen=True)
class Tide:
    """How the inbox is drained now.

    Attributes:
        storm: Whether low-value events wait.
        summarise: Whether those that wait are to be summarised now.
        why: The reason, in words.
    """

    storm: bool = False
    summarise: bool = False
    why: str = "calm"

    def at_least(self, rules: EventRules) -> Severity:
        """The least severity that is taken."""
        return rules.worth_asking if self.storm else Severity.INFO


def judge_tide(before: Tide, depth: Depth, now: datetime, rules: EventRules) -> Tide:
    """Whether there is a storm, from how much waits.

    A storm begins beyond ``storm_waiting`` events and ends below ``calm_waiting``, so that a depth
    about one number does not switch back and forth. Low-value events leave the inbox in a storm
    by being summarised: when no more of them come, or when they have waited for too long.

    Args:
        before: What was judged last.
        depth: What waits.
        now: The instant to judge at.
        rules: The numbers.
    """
    waiting = depth.events
    if not (waiting >= rules.calm_waiting if before.storm else waiting > rules.storm_waiting):
        return Tide(why="calm" if not before.storm else f"the storm is over, {waiting} wait")
    why = f"{waiting:,} events wait"
    low = depth.below(rules.worth_asking)
    if low is None:
        return Tide(storm=True, why=why)
    if now - low.newest >= timedelta(seconds=rules.calm_seconds):
        return Tide(True, True, f"{why}, no milder one came for {rules.calm_seconds:g} s")
    if now - low.oldest >= timedelta(seconds=rules.backlog_seconds):
        return Tide(True, True, f"{why}, the oldest for {rules.backlog_seconds:g} s")
    return Tide(storm=True, why=why)
