"""The probes, all within one deadline: what fails is told, and every look leaves its samples."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from blocks.business.probes import Probe
from blocks.business.probing.seen import Seen
from blocks.errors import OrchestratorError
from blocks.vocabulary.looks import Look, Sample, Signal

PART = "probes"

CONFIRMATIONS = 2
"""A probe that fails is asked so many times more: one bad answer is not an outage."""

AT_ONCE = 400
"""Looks that go on at once: each has a socket, and processes have 1,024 files by default."""

BEGINNING, TURN = 32, 0.1
"""So many looks begin at once, and one that has no answer after so many seconds lets the next
begin: what is quick is not measured while hundreds wait for this process, and what is dead keeps
nobody waiting."""


@dataclass(frozen=True)
class Verdict:
    """What a probe's looks came to.

    Attributes:
        seen: The look that counts.
        looks: How many there were.
        bad: How many of them found it wrong.
    """

    probe: Probe
    seen: Seen
    looks: int
    bad: int

    @property
    def subject(self) -> str:
        """What findings and events call it."""
        return subject_of(self.probe)


def subject_of(probe: Probe) -> str:
    """What findings and events call a probe."""
    return f"probe:{probe.name}"


async def look_at_probes(
    probes: Sequence[Probe], now: datetime, *, confirm_after: float, within: float
) -> Look:
    """Ask every probe.

    Args:
        probes: Who is asked.
        now: The instant of the look.
        confirm_after: Seconds after which one that fails is asked twice more; it only counts as
            failed when most of the three looks agree.
        within: Seconds for all of it; of what is not known by then nothing is said.
    """
    turns, end = Turns(), monotonic() + within
    tasks = {
        asyncio.create_task(judge_probe(probe, turns, confirm_after=confirm_after)): probe
        for probe in probes
    }
    try:
        if tasks:
            await asyncio.wait(tasks, timeout=end - monotonic())
        return _as_look([(probe, _result(task, within)) for task, probe in tasks.items()], now)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Turns:
    """Who may look when."""

    def __init__(self) -> None:
        self._beginning, self._all = asyncio.Semaphore(BEGINNING), asyncio.Semaphore(AT_ONCE)

    async def look(self, probe: Probe) -> Seen:
        """Look when it is its turn.

        Raises:
            ConfigurationError: It cannot be asked as it is configured.
        """
        async with self._all:
            async with self._beginning:
                looking = asyncio.create_task(probe.look())
                try:
                    await asyncio.wait({looking}, timeout=TURN)
                except asyncio.CancelledError:
                    looking.cancel()
                    raise
            return await looking


async def judge_probe(probe: Probe, turns: Turns, *, confirm_after: float) -> Verdict:
    """Ask a probe, and twice more if it fails.

    Args:
        probe: Who is asked.
        turns: When it may be.
        confirm_after: Seconds between the first look and the others.

    Raises:
        ConfigurationError: It cannot be asked as it is configured.
    """
    seen = [await turns.look(probe)]
    if seen[0].fault and not seen[0].fault.lasting:
        await asyncio.sleep(confirm_after)
        seen += await asyncio.gather(*(turns.look(probe) for _ in range(CONFIRMATIONS)))
    bad = [one for one in seen if one.fault]
    good = [one for one in seen if not one.fault]
    counts = bad if len(bad) > len(good) else good
    return Verdict(probe, counts[-1], looks=len(seen), bad=len(bad))


def _result(task: asyncio.Task[Verdict], within: float) -> Verdict | str:
    """What became of a probe, or why nothing is known of it."""
    if not task.done():
        return f"no result within {within:g} s"
    error = task.exception()
    if error is None:
        return task.result()
    if isinstance(error, OrchestratorError):
        return str(error)
    return f"{type(error).__name__}"  # its text may hold anything


def _as_look(results: Sequence[tuple[Probe, Verdict | str]], now: datetime) -> Look:
    known = [result for _, result in results if isinstance(result, Verdict)]
    return Look(
        part=PART,
        covered=frozenset(verdict.subject for verdict in known),
        signals=tuple(signal for verdict in known if (signal := signal_of(verdict))),
        samples=tuple(sample for verdict in known for sample in _samples(verdict, now)),
        missing=tuple(
            f"{subject_of(probe)}: {result}" for probe, result in results if isinstance(result, str)
        ),
    )


def signal_of(verdict: Verdict) -> Signal | None:
    """What is wrong, if anything is."""
    probe, fault = verdict.probe, verdict.seen.fault
    if fault is None:
        return None
    return Signal(
        kind=fault.kind,
        subject=verdict.subject,
        severity=fault.severity or probe.severity,
        summary=f"{probe.name}: {fault.what}.",
        runbook=probe.runbook,
        evidence={
            "probe": probe.check.kind,
            "latency_ms": verdict.seen.latency_ms,
            "looks": verdict.looks,
            "bad_looks": verdict.bad,
            **verdict.seen.values,
        },
    )


def _samples(verdict: Verdict, now: datetime) -> list[Sample]:
    seen = verdict.seen
    values = {"up": 1.0 if seen.up else 0.0, **seen.values}
    if seen.latency_ms is not None:
        values["latency_ms"] = seen.latency_ms
    return [
        Sample(series=f"{verdict.subject}/{what}", at=now, value=value)
        for what, value in values.items()
    ]
