"""Work on a resource under a claim, so that of two workflows that want it the right one has it.

async with claim(team, "service:checkout", priority=Priority.HIGH) as held:
    ...                        # look, think: a higher priority may take over
    await held.safe_point()    # here the run learns of it, and yields
    async with held.acting():  # nobody takes over in here
        ...
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from blocks.errors import ResourceBusy, Yielded
from blocks.ledger import ReceiptKind
from blocks.vocabulary.messages import Priority, new_id, utc_now
from flows.orchestrator.effects.arbitration import Decision, Request, Verdict, account_of, decide

if TYPE_CHECKING:
    from flows.orchestrator.dispatch.context import RunContext

AT_ONCE = timedelta(0)
"""The patience of who does not wait."""

ACTING = timedelta(minutes=10)
"""How long a stretch of acting may be, unless it says so itself."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0  # seconds between two looks at a claim that is waited for


@asynccontextmanager
async def claim(
    team: RunContext,
    resource: str,
    *,
    priority: Priority,
    patience: timedelta = AT_ONCE,
    purpose: str = "",
) -> AsyncIterator[Held]:
    """Hold the claim of a resource.

    Args:
        team: The run that wants it.
        resource: What it wants, ``type:name``.
        priority: How urgent its work is; one that the policy calls a crisis outranks all.
        patience: How long it waits for the resource, at first and after each time it yielded.
        purpose: What for, in a word; whoever is refused is told.

    Raises:
        ResourceBusy: Another one has it, of a priority that is not lower or in the middle of
            acting, and it did not come free in time.
        Yielded: From a safe point inside: a higher priority took it.
    """
    who = f"{team.run.workflow} {team.run.id}#{new_id()[:8]}"
    holder = f"{who} for {purpose}" if purpose else who
    held = Held(team, resource, holder, priority, patience)
    decision = await held.obtain()
    if not decision.granted:
        raise ResourceBusy(
            decision.reason,
            f"{resource} is not free: {decision.reason.explanation} ({decision.rival})",
            holder=decision.rival,
        )
    try:
        yield held
    finally:
        await team.ledger.claims.release(resource, held.token)


def purpose_of(holder: str | None) -> str:
    """What somebody holds a claim for; empty when unknown."""
    return (holder or "").partition(" for ")[2]


class Held:
    """The claim of a resource that this run holds.

    Attributes:
        resource: What is held.
        token: The fencing token: goes with every write that is made on behalf of the claim. It
            is another one after the run yielded and resumed.
    """

    def __init__(
        self,
        team: RunContext,
        resource: str,
        holder: str,
        priority: Priority,
        patience: timedelta,
    ) -> None:
        self.resource, self.token = resource, 0
        self._team, self._claims = team, team.ledger.claims
        self._holder, self._priority = holder, priority
        self._patience, self._rules = patience, team.policy.claims
        self._is_acting = False

    async def obtain(self) -> Decision:
        """Ask for the claim until it is granted or patience ends; returns the last decision."""
        until = utc_now() + self._patience
        request = Request(
            self.resource, self._holder, self._team.run.workflow, self._priority, until
        )
        pause, last, asked = _FIRST_PAUSE, None, False
        try:
            while True:
                now = utc_now()
                judge = partial(decide, request=request, now=now, rules=self._rules)
                decision = await self._claims.request(self.resource, now, judge)
                if last is None or not decision.repeats(last):  # one receipt, not one per look
                    account = account_of(decision, request)
                    self._team.receipt(ReceiptKind.ARBITRATE, self.resource, **account)
                last = decision
                if decision.granted:
                    self.token, asked = decision.claim.token, False
                    return decision
                if decision.verdict is Verdict.REFUSE:
                    return decision
                asked = asked or decision.verdict is Verdict.ASK_TO_YIELD
                await asyncio.sleep(min(pause, max(0.0, (until - now).total_seconds())))
                # Who asked to yield is heard of again well before that is forgotten.
                pause = min(2 * pause, _LONGEST_PAUSE, self._rules.wanted_seconds / 3)
        finally:
            if asked:
                await self._claims.withdraw(self.resource, self._holder)

    async def safe_point(self) -> None:
        """Say that nothing is half done: the claim is renewed, or yielded to a higher priority.

        Returns when the claim is held; after yielding, with a new token, and what was known of
        the resource may no longer hold. In the middle of acting there is no safe point: it
        returns at once.

        Raises:
            Yielded: It did not come back in time; says who took it.
        """
        now = utc_now()
        if self._is_acting or await self._claims.renew(
            self.resource, self.token, now, now + self._hold
        ):
            return
        await self._claims.release(self.resource, self.token)
        decision = await self.obtain()
        if not decision.granted:
            raise Yielded(
                f"{self.resource} was yielded, and not free again within "
                f"{self._patience.total_seconds():g} s: {decision.reason.explanation} "
                f"({decision.rival})",
                holder=decision.rival,
            )

    @asynccontextmanager
    async def acting(self, at_most: timedelta = ACTING) -> AsyncIterator[None]:
        """A stretch in which nobody takes over; it begins with a safe point where that is due.

        Args:
            at_most: After it, who acts is taken to be dead and the resource is free again. Keep
                it above whatever ends the stretch itself, for instance the deadline of a call.

        Raises:
            Yielded: As ``safe_point``.
        """
        while not await self._enter(utc_now(), at_most):
            await self.safe_point()
        self._is_acting = True
        try:
            yield
        finally:
            self._is_acting = False
            now = utc_now()
            await self._claims.done_acting(self.resource, self.token, now, now + self._hold)

    async def _enter(self, now: datetime, at_most: timedelta) -> bool:
        return await self._claims.act(self.resource, self.token, now, now + at_most)

    @property
    def _hold(self) -> timedelta:
        return timedelta(seconds=self._rules.hold_seconds)
