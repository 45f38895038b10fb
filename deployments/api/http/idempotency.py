"""A request with an ``Idempotency-Key`` is done once, and answered the same however often sent."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from hashlib import sha256
from typing import Annotated, Any

from fastapi import Depends, Header, Request

from blocks.crash_points import reach
from blocks.errors import RequestError
from blocks.ledger.callers.requests import LONGEST_KEY, Begun, Done, InFlight
from blocks.vocabulary.messages import utc_now
from deployments.api.context import Context, Ctx
from deployments.api.http.callers import Caller
from deployments.api.http.problems import RETRY_SOON, Refused

HEADER = "Idempotency-Key"

ALIVE = timedelta(seconds=30)
"""A request that takes longer than this is taken to have died with its process.

More than the work can take: a run is created within ``runs.DEADLINE``, twice at most.
"""


class Once:
    """Does a request's work unless it was done before.

    Args:
        context: Whose ledger remembers.
        key: The client's key.
        fingerprint: Of the request's method, path and body.
    """

    def __init__(self, context: Context, key: str, fingerprint: str) -> None:
        self._requests = context.ledger.requests
        self.key = key
        self._fingerprint = fingerprint

    async def do(
        self, caller: Caller, work: Callable[[str], Awaitable[dict[str, Any]]]
    ) -> tuple[dict[str, Any], bool]:
        """The answer of a request that is accepted.

        Args:
            caller: Whose key it is.
            work: Does it, given a key that is unique among all callers. It may be begun again
                when the process died in it, so it is idempotent by that key itself.

        Returns:
            The body, and whether it was answered before.

        Raises:
            Refused: The key was used for another request (422), or its request is going on (409).
        """
        now = utc_now()
        begun = await self._requests.begin(self.key, caller.id, self._fingerprint, now, now + ALIVE)
        if isinstance(begun, Done):
            return json.loads(begun.body), True
        if isinstance(begun, InFlight):
            raise Refused(
                409,
                "request-in-flight",
                f"The request with Idempotency-Key {self.key!r} is being carried out.",
                hint="Send it again in a moment to get its answer.",
                headers=RETRY_SOON,
            )
        if not isinstance(begun, Begun):
            raise Refused(
                422,
                "idempotency-key-reused",
                f"Idempotency-Key {self.key!r} was used for another request.",
                hint="Send a new key with a new request.",
            )
        reach("api.request-begun")
        try:
            # The fingerprint is a part of it: what remembers the key for longer than the ledger
            # must not take a later request with it for this one.
            # So must one with the same body, once the key is forgotten: hence the instant.
            since = f"{begun.since.timestamp():.6f}"
            body = await work(f"{caller.id} {self.key} {self._fingerprint[:16]} {since}")
        except RequestError:  # refused before anything happened
            await self._requests.forget(self.key, caller.id)
            raise
        except Exception:  # the work may have begun: no other request may take its key
            await self._requests.release(self.key, caller.id, utc_now())
            raise
        reach("api.run-created")
        await self._requests.finish(self.key, caller.id, 202, json.dumps(body), utc_now())
        return body, False


async def _once(
    request: Request,
    ctx: Ctx,
    key: Annotated[
        str,
        Header(
            alias=HEADER,
            min_length=1,
            max_length=LONGEST_KEY,
            pattern=r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$",
            description="Any text of the client's, for instance a UUID: of all requests with one "
            "key, one is carried out, and all get its answer. Kept for 48 hours.",
            examples=["restock-2026-11-25-6f1c2a4e"],
        ),
    ],
) -> Once:
    body = json.dumps(await request.json(), sort_keys=True)
    told = f"{request.method} {request.url.path}\n{body}"
    return Once(ctx, key, sha256(told.encode()).hexdigest())


Idempotent = Annotated[Once, Depends(_once)]
