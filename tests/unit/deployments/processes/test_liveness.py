"""When a process that lives counts as hung."""

from __future__ import annotations

import asyncio
import time

import pytest

from deployments.processes.liveness import until_hung

PATIENCE = 0.01


class Process:
    """Answers some probes; how many it got."""

    def __init__(self, answers):
        self._answers = answers
        self.probes = 0

    async def probe(self):
        self.probes += 1
        return await self._answers(self.probes)


async def never(number):
    await asyncio.Event().wait()


async def at_times(number):
    """The third one, the sixth one ..."""
    return number % 3 == 0 or await never(number)


async def amid_standstill(number):
    """As where the machine sleeps: no time-out fires in time, ours included."""
    time.sleep(3 * PATIENCE)  # noqa: ASYNC251
    await never(number)


async def test_who_misses_three_probes_in_a_row_hangs():
    process = Process(never)
    await until_hung(process.probe, PATIENCE)
    assert process.probes >= 3


@pytest.mark.parametrize("answers", [at_times, amid_standstill])
async def test_who_answers_now_and_then_does_not_and_a_standstill_tells_nothing(answers):
    process = Process(answers)
    probing = asyncio.create_task(until_hung(process.probe, PATIENCE))
    while process.probes < 8:
        assert not probing.done()
        await asyncio.sleep(0)
    probing.cancel()
