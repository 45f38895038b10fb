"""The part of watching that judges what all others measure: each series by its own past."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from time import monotonic

from agents.data_intelligence.anomaly_detection.following import HISTORY, STEP, Followed, judge
from blocks.business.business import Business
from blocks.business.services import MonitoredService
from blocks.errors import OrchestratorError
from blocks.ledger import Ledger
from blocks.policy.watching.anomaly_rules import AnomalyRules
from blocks.vocabulary.looks import Look
from flows.orchestrator.watching.signals import covering_what_is_gone

PART = "anomalies"

LEARNING_SECONDS = 60.0
"""What is not learned from its past within so long is learned by the next looks."""

_AT_ONCE = 10
"""Series whose past is read in one query."""

_GAP = timedelta(days=1)
"""Farther back no look asks for what it has not seen: a series that has been silent for so long
is silent still, or it is told late."""


Points = Sequence[tuple[datetime, float]]


class Following:
    """The series that are judged, as they are known in this process.

    What is known is not kept: it follows from the samples, and is learned from them again by a
    process that starts.
    """

    def __init__(self) -> None:
        self._followed: dict[str, Followed] = {}
        self._asked: tuple[str, float] | None = None
        self._turn = asyncio.Lock()

    async def look(
        self, business: Business, ledger: Ledger, rules: AnomalyRules, now: datetime
    ) -> Look:
        """Judge the newest samples of every series by those before.

        Args:
            business: Whose clock the rhythms follow, and whose Prometheus has watched metrics.
            ledger: Has all other samples.
            rules: Which series are judged, and how strictly.
            now: The instant of the look.

        Raises:
            LedgerError: The samples cannot be read.
        """
        async with self._turn:
            asked = (business.timezone, rules.false_alarms_per_week)
            if asked != self._asked:
                self._followed, self._asked = {}, asked
            recorded = _Recorded(ledger, business.services)
            every = {*await ledger.samples.names(""), *recorded.elsewhere}
            names = sorted(name for name in every if rules.judges(name))
            self._followed = {
                name: self._followed[name] for name in names if name in self._followed
            }
            await self._go_on(recorded, now)
            left = await self._learn(recorded, asked, names, now)
            covered, signals = judge(self._followed.values(), now, rules.is_serious)
        unknown = {Followed(name, *asked).subject for name in [*left, *recorded.faults]}
        look = Look(
            part=PART,
            covered=covered - unknown,
            signals=signals,
            missing=(
                *((f"{len(left)} series: still to be learned from their past",) if left else ()),
                *(f"{name}: {fault}" for name, fault in sorted(recorded.faults.items())),
            ),
        )
        if business.left_out:  # what is not configured just now is not gone
            return look
        known = {each.subject for each in self._followed.values()}
        return await covering_what_is_gone(ledger, look, known | unknown)

    async def _go_on(self, recorded: _Recorded, now: datetime) -> None:
        """See what came since the last look."""
        by_instant: defaultdict[datetime, list[Followed]] = defaultdict(list)
        for each in self._followed.values():
            by_instant[max(each.unseen or now - _GAP, now - _GAP)].append(each)
        for since, some in by_instant.items():
            await _see(recorded, some, since, now)

    async def _learn(
        self, recorded: _Recorded, asked: tuple[str, float], names: Iterable[str], now: datetime
    ) -> Sequence[str]:
        """Learn from the past of series that are new here, as long as there is time.

        Returns:
            Those that are left for the next look.
        """
        new = [name for name in names if name not in self._followed]
        began = monotonic()
        for first in range(0, len(new), _AT_ONCE):
            if monotonic() - began > LEARNING_SECONDS:
                return new[first:]
            some = [Followed(name, *asked) for name in new[first : first + _AT_ONCE]]
            await _see(recorded, some, now - HISTORY, now)
            self._followed |= {e.series: e for e in some if e.series not in recorded.faults}
        return ()


class _Recorded:
    """Where the values of series are: in the ledger, or with the Prometheus of a service.

    Attributes:
        elsewhere: Watched metrics of which a Prometheus has the history.
        faults: What could not be read, and why.
    """

    def __init__(self, ledger: Ledger, services: Iterable[MonitoredService]) -> None:
        self._ledger = ledger
        self.elsewhere = {
            f"metric:{service.name}/{metric}": (service, metric)
            for service in services
            if service.history_url
            for metric in service.metrics
        }
        self.faults: dict[str, str] = {}

    async def history(
        self, names: Sequence[str], since: datetime, until: datetime
    ) -> Mapping[str, Points]:
        """The values of some series from ``since`` on and before ``until``, in order.

        Raises:
            LedgerError: The samples cannot be read.
        """
        asked = [name for name in names if name in self.elsewhere]
        found: dict[str, Points] = {}
        if own := [name for name in names if name not in self.elsewhere]:
            found |= await self._ledger.samples.history(own, since, until)
        answers = await asyncio.gather(*(self._of_service(name, since, until) for name in asked))
        return found | dict(zip(asked, answers, strict=True))

    async def _of_service(self, name: str, since: datetime, until: datetime) -> Points:
        service, metric = self.elsewhere[name]
        try:
            series = await service.history(metric, since, until, STEP)
        except OrchestratorError as error:
            self.faults[name] = str(error)
            return ()
        instants = [at.to_pydatetime() for at in series["ts"]]
        return list(zip(instants, series["value"].tolist(), strict=True))


async def _see(
    recorded: _Recorded, some: Sequence[Followed], since: datetime, now: datetime
) -> None:
    """Have series see their values, in a thread: others look meanwhile."""
    found = await recorded.history([each.series for each in some], since, now)

    def see() -> None:
        for each in some:
            each.see(found[each.series], now)

    await asyncio.to_thread(see)
