"""Events make rules fire: kept first, then started; later, where Prefect does not answer.

A run has a key that the ledger keeps before Prefect is asked: whoever starts it again, after a
crash or beside another drainer, gets the same run.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from blocks.crash_points import reach
from blocks.errors import (
    ConfigurationError,
    InvalidMessage,
    OrchestratorError,
    RequestError,
)
from blocks.ledger import Ledger
from blocks.ledger.events.records import EventKey
from blocks.ledger.firings.firings import Firing, FiringOutcome, RunOfRule
from blocks.policy.policy import Policy
from blocks.policy.trigger_rules import in_order
from blocks.prefect_api.runs import Runs
from blocks.vocabulary.messages import Severity, SystemEvent
from flows.orchestrator.rules.judging import Past, judge, matches, reach_back, run_behind
from flows.orchestrator.runs.starting import has_server
from flows.orchestrator.team.team import Orchestrator

PATIENCE = timedelta(hours=1)
"""For so long a run is still made that could not be made when it was asked for."""


class Triggers:
    """The rules, for one run that drains the inbox; what they did is in ``fired``."""

    def __init__(self, team: Orchestrator) -> None:
        self._team = team
        self.fired: list[Firing] = []

    async def fire(self, events: Sequence[SystemEvent], now: datetime) -> None:
        """Have the rules act on events; what cannot be started is told in the report.

        Raises:
            LedgerError: It could not be kept.
        """
        if fired := await fire(self._team.ledger, self._team.policy, events, now):
            self.fired += fired
            await self.start(now)

    async def fire_waiting(self, below: Severity, now: datetime) -> None:
        """The same for all waiting events of little weight that are about to be summarised.

        Raises:
            LedgerError: It could not be kept.
        """
        rules = [rule for _, rule in in_order(self._team.policy.rules)]

        def fits(kind: str) -> bool:
            return any(rule.when.fits_type(kind) for rule in rules)

        waiting = await self._team.ledger.firings.waiting(fits, below)
        while waiting:
            await self.fire(waiting, now)
            last = waiting[-1].source, waiting[-1].id
            waiting = await self._team.ledger.firings.waiting(fits, below, last)

    async def start(self, now: datetime) -> None:
        """Make the runs that are still missing, of whichever run.

        Raises:
            LedgerError: What came of them could not be kept.
        """
        told = await start_due(self._team.ledger, self._team.policy, now)
        self._team.notes += [note for note in told if note not in self._team.notes]


async def fire(
    ledger: Ledger, policy: Policy, events: Sequence[SystemEvent], now: datetime
) -> list[Firing]:
    """Keep what events make rules do; each event makes each rule fire once, whoever asks.

    Args:
        ledger: Keeps it.
        policy: Has the rules.
        events: As the inbox has them.
        now: The instant of firing.

    Returns:
        What was new.

    Raises:
        LedgerError: It could not be kept.
    """
    found = [match for event in events for match in matches(policy.rules, event)]
    if not found:
        return []
    behind = {name for match in found if (name := run_behind(match.event))}
    causes = await ledger.firings.causes(behind) if behind else {}

    def decide(known: Collection[tuple[str, EventKey]], runs: Sequence[RunOfRule]) -> list[Firing]:
        return judge(found, known, Past(runs), causes, now, policy.version)

    return await ledger.firings.enter(
        {match.name for match in found},
        {(match.event.source, match.event.id) for match in found},
        now - reach_back(found),
        decide,
    )


async def start_due(ledger: Ledger, policy: Policy, now: datetime) -> list[str]:
    """Make the runs that rules have asked for and that are not made yet.

    Returns:
        What could not be started, a sentence each.

    Raises:
        LedgerError: What came of them could not be kept.
    """
    waiting = await ledger.firings.to_start()
    if not waiting:
        return []
    reach("rules.intended")
    first: dict[str, Firing] = {}
    for firing in waiting:
        first.setdefault(str(firing.run_key), firing)
    if not has_server():
        faults = [(one, _later(one, "no Prefect server runs", now)) for one in first.values()]
    else:
        async with Runs.open() as runs:
            faults = [(one, await _start(runs, ledger, policy, one, now)) for one in first.values()]
    told = []
    for firing, (outcome, why) in faults:
        if outcome is not None and outcome is not FiringOutcome.STARTED:
            await ledger.firings.settle(str(firing.run_key), outcome, now, detail=f"{why}.")
        if why:
            told.append(f"{firing.workflow} was not started for what happened: {why}.")
    return list(dict.fromkeys(told))


_Came = tuple[FiringOutcome | None, str]
"""What came of it, None: it is tried again; and why it was not started."""


async def _start(
    runs: Runs, ledger: Ledger, policy: Policy, firing: Firing, now: datetime
) -> _Came:
    deployment = f"{firing.workflow}/{firing.workflow}"
    rule = policy.rules.get(firing.rule)
    share = timedelta(seconds=rule.share_seconds if rule else 0.0)
    due = firing.due or now
    try:
        run = None
        if share:  # what waits to begin sees all that happened by then
            waiting = await runs.waiting(deployment, due + share)
            run = next((each for each in waiting if each.parameters == firing.parameters), None)
        if run is None:
            name = f"{firing.rule} {due:%H:%M:%S}"
            tags = ["events", f"rule:{firing.rule}"]
            run = await runs.start(
                deployment, firing.parameters, key=firing.run_key, name=name, at=due, tags=tags
            )
    except (InvalidMessage, RequestError) as error:
        return FiringOutcome.REFUSED, error.what.rstrip(".")
    except ConfigurationError as error:
        return FiringOutcome.FAILED, error.what.rstrip(".")
    except OrchestratorError as error:
        return _later(firing, error.what.rstrip("."), now)
    reach("rules.started")
    await ledger.firings.settle(
        str(firing.run_key), FiringOutcome.STARTED, now, run_id=run.id.hex, run_name=run.name
    )
    return FiringOutcome.STARTED, ""


def _later(firing: Firing, why: str, now: datetime) -> _Came:
    return (FiringOutcome.FAILED if now - firing.at > PATIENCE else None), why
