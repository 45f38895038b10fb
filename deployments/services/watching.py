"""Watching while the stack runs: in its own process, so that it goes on when Prefect is silent."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, NoReturn

from blocks.errors import OrchestratorError
from blocks.ledger import Ledger
from blocks.vocabulary.looks import Look
from blocks.vocabulary.messages import utc_now
from deployments.processes.gather import together

if TYPE_CHECKING:
    from blocks.business.business import Business
    from blocks.policy.policy import Policy
    from flows.orchestrator.watching.parts import Part
    from flows.orchestrator.watching.watch import Untold

FRESH = 15.0
"""Seconds between two looks at what is configured."""

PACKING = 3600.0
"""Seconds between two times that samples are packed; those of the last hour are left as they are,
for who asks of them all the time."""

FIRST_PACKING = 300.0
"""Seconds after the start: a stack that is started anew each hour packs, too."""

_NUMBERS = re.compile(r"(?<![\w-])\d[\d,.]*")

_AT_LEAST = 1.0  # seconds from the end of a look to the next one of the same part


async def keep_watching(
    ledger: Ledger, say: Callable[[str], None], seen: Callable[[Look], None] | None = None
) -> NoReturn:
    """Have each part look again and again, until cancelled; none waits for another.

    Args:
        ledger: Where samples and signals go.
        say: Told what cannot be looked at or kept, when it is something new.
        seen: Handed each look.
    """
    from flows.orchestrator.watching.parts import PARTS
    from flows.orchestrator.watching.watch import Untold

    watching = _Watching(ledger, say, Untold(), seen)
    await together(
        watching.follow_configuration(),
        *(watching.repeat(part) for part in PARTS),
        watching.keep_packing(),
    )
    raise AssertionError("None of these returns.")


class _Watching:
    """What the parts share: the business and the policy, as they were when they could be read."""

    def __init__(
        self,
        ledger: Ledger,
        say: Callable[[str], None],
        untold: Untold,
        seen: Callable[[Look], None] | None,
    ) -> None:
        self._ledger, self._say, self._untold, self._seen = ledger, say, untold, seen
        self._known = asyncio.Event()
        self._business: Business
        self._policy: Policy
        self._said: dict[str, Sequence[str]] = {}

    async def follow_configuration(self) -> NoReturn:
        """Read again and again what is configured; what cannot be read stays as it was."""
        from flows.orchestrator.watching.watch import configured

        while True:
            faults = []
            try:
                self._business, self._policy = await configured(self._ledger)
                self._known.set()
            except OrchestratorError as error:
                faults = [f"Watching goes on with what was configured before. {error}"]
            self._tell("configuration", faults)
            await asyncio.sleep(FRESH)

    async def repeat(self, part: Part) -> NoReturn:
        """Have one part look, as often as the policy says."""
        await self._known.wait()
        while True:
            began = monotonic()
            if self._policy.watch.enabled and part.name not in self._policy.watch.without:
                self._tell(part.name, await self._look(part))
            period = part.every(self._policy).total_seconds()
            await asyncio.sleep(max(_AT_LEAST, began + period - monotonic()))

    async def keep_packing(self) -> NoReturn:
        """Have samples take little room, however long they are kept."""
        wait = FIRST_PACKING
        while True:
            await asyncio.sleep(wait)
            wait, faults = PACKING, []
            try:
                await self._ledger.samples.pack(utc_now() - timedelta(seconds=PACKING))
            except OrchestratorError as error:
                faults = [f"Samples are not packed yet. {error}"]
            self._tell("packing", faults)

    async def _look(self, part: Part) -> list[str]:
        """What could not be looked at, kept or told, in words."""
        from blocks.prefect_api.client import PrefectApi
        from flows.orchestrator.watching.parts import Watch
        from flows.orchestrator.watching.watch import watch_once

        now = utc_now().replace(microsecond=0)  # whole seconds take less room in the ledger
        watch = Watch(self._business, self._ledger, PrefectApi(), self._policy, now)
        try:
            looks = await watch_once(watch, [part], self._untold)
        except OrchestratorError as error:
            return [f"What {part.name} saw is kept in memory until the ledger takes it. {error}"]
        except Exception as error:  # a look that fails, whyever, must not end the stack
            return [f"{part.name} cannot be watched: {type(error).__name__}: {error}"]
        if self._seen:
            self._seen(looks[0])
        return [*looks[0].missing, *looks[0].notes]

    def _tell(self, what: str, faults: Sequence[str]) -> None:
        for fault in new_ones(faults, self._said.get(what, ())):
            self._say(fault)
        self._said[what] = faults


def new_ones(faults: Sequence[str], said: Sequence[str]) -> list[str]:
    """What is worth saying after what was said before: not that another minute has passed."""
    known = {_NUMBERS.sub("0", one) for one in said}
    return [fault for fault in faults if _NUMBERS.sub("0", fault) not in known]
