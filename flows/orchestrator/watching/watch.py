"""One round of watching: parts look side by side, and what they see is kept and told."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import datetime

from agents.registry import registry
from blocks.business.business import Business, current_business
from blocks.errors import NoBusinessConfigured, OrchestratorError
from blocks.ledger import Ledger
from blocks.policy.policy import Policy
from blocks.vocabulary.looks import Look, Sample
from blocks.vocabulary.messages import Severity
from flows.orchestrator.dispatch.policy import policy_in_force
from flows.orchestrator.watching.blindness import Sight
from flows.orchestrator.watching.parts import PARTS, Part, Watch
from flows.orchestrator.watching.signals import settle

MOST_LOOKS, MOST_SAMPLES = 1_000, 100_000
"""What is kept in memory of each part while the ledger takes nothing; of more, the oldest goes."""


class Untold:
    """What parts saw and the ledger did not take yet, in the order in which they saw it."""

    def __init__(self) -> None:
        self._sight = Sight()
        self._looks: dict[str, deque[tuple[Look, datetime]]] = {}
        self._samples: dict[str, deque[Sample]] = {}

    async def tell(self, ledger: Ledger, look: Look, now: datetime) -> None:
        """Keep a look's samples and settle its signals, after all that its part saw before.

        That its part cannot look, and for how long, is told as well.

        Raises:
            LedgerError: The ledger takes nothing; it is told with the part's next look.
        """
        looks = self._looks.setdefault(look.part, deque(maxlen=MOST_LOOKS))
        samples = self._samples.setdefault(look.part, deque(maxlen=MOST_SAMPLES))
        samples += look.samples
        said = self._sight.judged(look, now).model_copy(
            update={"samples": (), "missing": (), "notes": (), "failed": ""}
        )
        if looks and _say_the_same(looks[-1][0], said):
            looks.pop()  # only what changes is worth the memory
        looks.append((said, now))
        while looks:
            await settle(ledger, *looks[0])
            looks.popleft()
        await ledger.samples.keep(list(samples))
        samples.clear()


async def watch_once(watch: Watch, due: Sequence[Part], untold: Untold | None = None) -> list[Look]:
    """Have parts look, side by side, each within its deadline; keep and tell what they see.

    A part that fails sinks no other: its look then says what is missing.

    Args:
        watch: What the parts are handed.
        due: The parts that look.
        untold: Has what the ledger did not take in earlier rounds, and takes what it does not now.

    Returns:
        What each of them saw, in their order.

    Raises:
        LedgerError: Something could not be kept or told; ``untold`` has it.
    """
    untold = untold or Untold()
    looks = await asyncio.gather(*(_look(part, watch) for part in due))
    told = await asyncio.gather(
        *(untold.tell(watch.ledger, look, watch.now) for look in looks), return_exceptions=True
    )
    for fault in told:
        if isinstance(fault, BaseException):
            raise fault
    return looks


async def configured(ledger: Ledger) -> tuple[Business, Policy]:
    """What is looked after now, and the policy in force.

    Raises:
        ConfigurationError: Nothing of what is configured can be used.
        SourceError: The Prefect API does not answer.
        LedgerError: The policy cannot be kept.
    """
    policy = (await policy_in_force(ledger, registry())).policy
    try:
        return await current_business(), policy
    except NoBusinessConfigured:
        return Business(store=None), policy


def watched_parts(policy: Policy) -> list[Part]:
    """The parts that look, by the policy."""
    return [part for part in PARTS if part.name not in policy.watch.without]


def _say_the_same(one: Look, other: Look) -> bool:
    return one.covered == other.covered and _wrong(one) == _wrong(other)


def _wrong(look: Look) -> set[tuple[str, Severity]]:
    return {(signal.fingerprint, signal.severity) for signal in look.signals}


async def _look(part: Part, watch: Watch) -> Look:
    try:
        async with asyncio.timeout(part.deadline):
            return await part.look(watch)
    except TimeoutError:
        why = failed = f"no result within {part.deadline:g} s"
    except OrchestratorError as error:
        why = failed = str(error)
    except Exception as error:  # whatever is wrong with one part, the others go on
        failed = type(error).__name__  # its text may hold anything, and people are told of this
        why = f"{failed}: {error}"
    return Look(part=part.name, missing=(f"{part.name}: {why}",), failed=failed)
