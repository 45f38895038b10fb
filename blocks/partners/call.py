"""One call on its way: its attempts, each let through, made, and learned from."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    wait_random_exponential,
)

from blocks.errors import ConfigurationError, SourceError, SourceTimeout, SourceUnavailable
from blocks.partners.answers import Answer, require_success
from blocks.partners.clock import Clock
from blocks.partners.memory import Memory
from blocks.partners.standing import Admission, Standing

ATTEMPTS = 3
"""How often a call is made at most."""

PAUSES = wait_random_exponential(multiplier=0.5, max=20)
"""Before the n-th retry: uniform between 0 and min(20, 0.5·2ⁿ⁻¹) seconds ("full jitter", AWS
Architecture Blog, 2015), so that callers that failed together do not come back together."""


class Send(Protocol):
    """Makes the request of a call; see ``blocks.partners.http.fetch``."""

    def __call__(self, *, timeout: float) -> Awaitable[Answer]:
        """Make it once, within so many seconds."""


class Call:
    """One call to a partner.

    Args:
        who: Whom it is to, for error messages.
        place: Whose standing it counts for, in the memory.
        send: Makes its request once.
        repeatable: Whether to have it done twice does no more than to have it done once.
        timeout: Seconds that one attempt may take.
        until: When it has to be over.
        memory: Where it is remembered how we stand with partners.
        clock: What waiting goes by.
    """

    def __init__(
        self,
        who: str,
        place: str,
        send: Send,
        *,
        repeatable: bool,
        timeout: float,
        until: datetime,
        memory: Memory,
        clock: Clock,
    ) -> None:
        self._who, self._place, self._send = who, place, send
        self._repeatable = repeatable
        self._timeout, self._until = timeout, until
        self._memory, self._clock = memory, clock
        self._made = 0
        self._sent = False
        self._error: SourceError | None = None  # of the last attempt

    async def answer(self) -> Answer:
        """What the partner answers, after as many attempts as that takes.

        Raises:
            OrchestratorError: See Partner.get.
        """
        retrying = AsyncRetrying(
            retry=retry_if_exception(self._may_be_made_again),
            wait=PAUSES,
            stop=self._is_enough,  # type: ignore[arg-type]  # it may be a coroutine: _run_stop
            sleep=self._clock.sleep,
            reraise=True,
        )
        try:
            return await retrying(self._attempt)
        except SourceError as error:
            error.tries_spent = True
            error.nothing_sent = not self._sent
            raise

    def _may_be_made_again(self, error: BaseException) -> bool:
        """Whether another attempt may help, and does no harm."""
        if not isinstance(error, SourceError) or not error.worth_repeating:
            return False
        return self._repeatable or not self._sent

    async def _is_enough(self, state: RetryCallState) -> bool:
        """Whether it is not to be made again; else the retry is paid for."""
        again_at = self._clock.now() + timedelta(seconds=state.upcoming_sleep)
        if self._made >= ATTEMPTS or again_at >= self._until:
            return True
        return not await self._memory.change(self._place, Standing.spend)

    async def _attempt(self) -> Answer:
        turn = await self._enter()
        self._made += 1
        retried = self._made > 1
        seconds = min(self._timeout, (self._until - self._clock.now()).total_seconds())
        answer: Answer | None = None
        well: bool | None = None
        try:
            answer = await self._send(timeout=seconds)
            self._sent = True
            well = not (answer.status in (408, 429) or answer.status >= 500)
        except SourceError as error:
            self._sent |= not error.nothing_sent
            self._error = error
            # Cut short by the attempts before it, it says nothing of the partner.
            cut = retried and seconds < self._timeout and isinstance(error, SourceTimeout)
            well = None if cut else not error.retryable
            raise
        except ConfigurationError as error:
            # A name may mean something else by now; what was sent before was sent all the same.
            raise self._told(error.what) or error from None
        finally:
            now = self._clock.now()
            await self._memory.change(
                self._place,
                lambda s: s.leave(turn, now, well=well, answer=answer, retried=retried),
            )
        if well:
            return answer
        try:
            return require_success(answer, self._who)
        except SourceError as error:
            self._error = error
            raise

    async def _enter(self) -> int:
        """Wait until an attempt may be made; its turn of the breaker.

        Raises:
            SourceUnavailable: It may not before the call has to be over.
        """
        while True:
            now = self._clock.now()
            admission = await self._memory.change(self._place, partial(Standing.enter, now=now))
            if admission.turn is not None:
                return admission.turn
            until = admission.until or now
            if admission.failing_since or until >= self._until:
                raise self._refused(admission)
            await self._clock.sleep((until - now).total_seconds())

    def _refused(self, admission: Admission) -> SourceError:
        if admission.failing_since:
            why = f"half of its calls failed, since {_time(admission.failing_since)}"
        else:
            why = "it takes no more calls until then"
        what = f"{self._who} is not called before {_time(admission.until)}: {why}."
        return self._told(what) or _spent(SourceUnavailable(what))

    def _told(self, hint: str) -> SourceError | None:
        """The last attempt's error, which is what counts, with why there is no further one."""
        if self._error is None:
            return None
        self._error.hint = hint
        return _spent(self._error)


def _spent(error: SourceError) -> SourceError:
    error.tries_spent = True
    return error


def _time(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC" if instant else "?"
