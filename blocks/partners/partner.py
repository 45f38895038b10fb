"""The one way to ask a partner for something: with retries, a breaker, and patience for its limits.

Who retries is decided here. An error that comes from here says ``tries_spent``, and nobody above
tries again at once: neither the task of the action (``agents.tasks``) nor whoever asked for it.
Looks that see whether somebody is well (a service's health, ``check`` of a supplier) do not come
this way but through ``blocks.partners.http``: the look itself is what is wanted, and a breaker that
answered in place of the partner, or a retry that hid a failure, would be wrong.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping
from datetime import timedelta
from functools import partial
from typing import Protocol

from blocks.egress import Reach
from blocks.errors import SourceTimeout
from blocks.partners.answers import Answer, require_success
from blocks.partners.call import ATTEMPTS, Call
from blocks.partners.clock import Clock
from blocks.partners.http import fetch, place_of
from blocks.partners.memory import Memory, memory_of_this_machine
from blocks.partners.paging import Paging, Walk

SPARE = 2.0
"""Seconds of a call's usual deadline beside its attempts: for the pauses between them."""

_REAL = Clock()


class Partner:
    """Somebody whom we call over HTTP for data, or to have something done.

    A call is made again, ATTEMPTS times at most, when it got no answer or 408, 429 or 5xx: a GET
    always, a POST if it has an idempotency key or nothing of it was sent. Each attempt passes the
    partner's breaker, waits for its rate limit, and retries are paid from its quota; all three are
    shared by the processes of this machine.

    Args:
        name: Who it is, for error messages and for telling partners apart: ``supplier 'acme'``.
        reach: Which internal hosts may be called.
        timeout: Seconds that one attempt may take.
        memory: Where it is remembered how we stand with it; shared by this machine if None.
        clock: What waiting goes by.
    """

    def __init__(
        self,
        name: str,
        *,
        reach: Reach,
        timeout: float,
        memory: Memory | None = None,
        clock: Clock = _REAL,
    ) -> None:
        self.name = name
        self._reach = reach
        self._timeout = timeout
        self._memory = memory or memory_of_this_machine()
        self._clock = clock

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        deadline: float | None = None,
    ) -> Answer:
        """Ask for something.

        Args:
            url: http or https.
            headers: Further headers; their values never appear in an error.
            params: Query parameters, in place of those of the URL.
            auth: User name and password for basic authentication.
            deadline: Seconds for all attempts and all waiting; ATTEMPTS timeouts and SPARE if
                None.

        Returns:
            Its answer, whatever the status, unless that is 408, 429 or 5xx.

        Raises:
            SourceTimeout: The last attempt was not answered completely in time.
            SourceUnavailable: The last attempt got no answer, or 408, 429 or 5xx; or the partner is
                not called now, because its calls fail or it takes no more of them: says until when.
            SourceGarbled: It answered something that is no HTTP, or too large.
            ConfigurationError: As blocks.partners.http.fetch.
        """
        make = partial(fetch, url, headers=headers, params=params, auth=auth)
        return await self._new_call(url, make, deadline, repeatable=True).answer()

    async def post(
        self,
        url: str,
        body: bytes,
        *,
        content_type: str,
        idempotency_key: str = "",
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        deadline: float | None = None,
    ) -> Answer:
        """Have something done.

        Args:
            url: http or https.
            body: What is sent.
            content_type: What that is.
            idempotency_key: Sent as ``Idempotency-Key`` (draft-ietf-httpapi-idempotency-key-header,
                without the quotes, as it is used). Give one only if the partner does the same thing
                once for it: then the call is made again like a GET.
            headers: Further headers; their values never appear in an error.
            auth: User name and password for basic authentication.
            deadline: Seconds for all attempts and all waiting; ATTEMPTS timeouts and SPARE if
                None.

        Returns:
            Its answer, as of ``get``.

        Raises:
            OrchestratorError: As ``get``. A SourceError says whether it is sure that no attempt
                sent anything (``nothing_sent``); if it is not, nobody knows whether it was done.
                With a ConfigurationError nothing was sent.
        """
        keyed = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        make = partial(
            fetch,
            url,
            method="POST",
            headers={**(headers or {}), **keyed},
            auth=auth,
            body=body,
            content_type=content_type,
        )
        return await self._new_call(url, make, deadline, repeatable=bool(keyed)).answer()

    async def pages(
        self,
        url: str,
        paging: Paging,
        *,
        records_path: str = "",
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
    ) -> AsyncIterator[Answer]:
        """Ask for all pages of something, one after the other.

        Only when the iteration has ended without an error is it known that these were all: a page
        that fails, a bound that is reached and a total that is not met are errors.

        Args:
            url: The first page's, without the parameters of ``paging``.
            paging: How the partner divides what it has.
            records_path: Dotted keys of the rows in a JSON page; "" when the page is the list.
            headers: As of ``get``.
            params: As of ``get``, for the first page; added to those of the URL.
            auth: As of ``get``.

        Raises:
            OrchestratorError: As ``get``.
            SourceRefused: A page was answered with a 4xx.
            SourceGarbled: There are more pages, rows or bytes than ``paging`` allows; they go in a
                circle, lead elsewhere, or are not all that the partner says it has.
        """
        walk = Walk(paging, url, params, records_path, self.name)
        until = self._clock.now() + timedelta(seconds=paging.max_seconds)
        while walk.url:
            left = (until - self._clock.now()).total_seconds()
            if left <= 0:
                raise SourceTimeout(
                    f"{self.name} did not answer all pages within {paging.max_seconds:g} s: "
                    f"{walk.pages} came.",
                    hint="Ask for larger pages, or raise max_seconds of the connection's paging.",
                )
            answer = await self.get(walk.url, headers=headers, auth=auth, deadline=left)
            walk.take(require_success(answer, self.name))
            yield answer

    def _new_call(self, url: str, make: _Make, deadline: float | None, *, repeatable: bool) -> Call:
        seconds = ATTEMPTS * self._timeout + SPARE if deadline is None else deadline
        return Call(
            self.name,
            # At another address it is another partner, whatever its name.
            f"{self.name} {place_of(url, self.name)}",
            partial(make, source=self.name, reach=self._reach),
            repeatable=repeatable,
            timeout=self._timeout,
            until=self._clock.now() + timedelta(seconds=seconds),
            memory=self._memory,
            clock=self._clock,
        )


class _Make(Protocol):
    """Makes a request; see ``blocks.partners.http.fetch``."""

    def __call__(self, *, source: str, reach: Reach, timeout: float) -> Awaitable[Answer]:
        """Make it once."""
