"""Who calls, and what they may do: bearer tokens with scopes.

While no token was ever made, a server that only this machine reaches lets this machine do
everything, as Prefect's own does. From the first token on every request needs one, and stays so
when the last one expires or is revoked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from blocks.ledger import Ledger
from blocks.ledger.callers.tokens import Scope, TokenRecord
from blocks.vocabulary.messages import utc_now
from deployments.api.context import Ctx
from deployments.api.http.limits import Limit, Limiter
from deployments.api.http.problems import Refused

FRESH = 2.0
"""Seconds for which a token that was looked up is taken to be valid."""

_MOST_KNOWN = 1000

bearer = HTTPBearer(auto_error=False, description="A token of ./orchestrator token create.")


@dataclass(frozen=True)
class Caller:
    """Whoever sent a request.

    Attributes:
        id: Of the token; ``local`` without one. Idempotency keys and limits are per id.
        name: What people call it.
        allows: Whether it may do what a scope stands for.
    """

    id: str
    name: str
    allows: Callable[[Scope], bool]


LOCAL = Caller("local", "this machine", lambda _: True)


class Callers:
    """Knows the valid tokens; asks the ledger at most once in a moment for each.

    Args:
        ledger: Where the tokens are.
        local: Whether only this machine reaches the server.
    """

    def __init__(self, ledger: Ledger, *, local: bool) -> None:
        self._ledger, self._local = ledger, local
        self._known: dict[bytes, tuple[float, TokenRecord]] = {}
        self._open: tuple[float, bool] = (0.0, False)

    async def identify(self, token: str | None) -> Caller:
        """Whoever has that token.

        Raises:
            Refused: 401 without a valid token, where one is needed.
            LedgerError: The ledger cannot be read.
        """
        if token is None:
            if await self._is_open():
                return LOCAL
            raise _unauthorized("The request carries no token.")
        record = await self._record(token)
        if record is None:
            raise _unauthorized("The token is unknown, expired or revoked.")
        return Caller(record.id, record.name, record.allows)

    async def _record(self, token: str) -> TokenRecord | None:
        # By hash: how long the look takes then tells nothing of the tokens that are known.
        digest = sha256(token.encode(errors="replace")).digest()
        until, record = self._known.get(digest, (0.0, None))
        if record is None or time.monotonic() > until:
            record = await self._ledger.tokens.check(token, utc_now())
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            if record is not None:
                self._known[digest] = time.monotonic() + FRESH, record
        return record if record and record.is_valid(utc_now()) else None

    async def _is_open(self) -> bool:
        if not self._local:
            return False
        until, is_open = self._open
        if time.monotonic() > until:
            is_open = not await self._ledger.tokens.list()
            self._open = time.monotonic() + FRESH, is_open
        return is_open


def _unauthorized(what: str) -> Refused:
    return Refused(
        401,
        "unauthorized",
        what,
        hint="Send Authorization: Bearer TOKEN; ./orchestrator token create makes one.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def needing(scope: Scope) -> Callable[..., Coroutine[Any, Any, Caller]]:
    """The dependency of a route that needs a scope; gives whoever called."""

    async def caller(
        request: Request,
        ctx: Ctx,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ) -> Caller:
        said = request.headers.get("authorization", "").strip().lower()
        if credentials is None and said not in ("", "bearer"):
            raise _unauthorized("The Authorization header is no bearer token.")
        found = await _allowed(request, credentials.credentials if credentials else None, scope)
        limiter: Limiter = request.app.state.limiter
        limit = Limit("calls", ctx.settings.api_rate)
        request.state.rate = limiter.take(limit, found.id)
        return found

    return caller


async def _allowed(request: Request, token: str | None, scope: Scope) -> Caller:
    callers: Callers = request.app.state.callers
    found = await callers.identify(token)
    if not found.allows(scope):
        raise Refused(
            403,
            "scope-missing",
            f"Token {found.name!r} lacks the scope {scope}.",
            hint=f"Make one with ./orchestrator token create NAME --scope {scope}.",
        )
    return found


async def allowed(request: Request, scope: Scope) -> Caller:
    """Whoever sent a request, for routes that FastAPI resolves no dependencies for.

    Raises:
        Refused: 401 without a valid token, where one is needed; 403 without the scope.
        LedgerError: The ledger cannot be read.
    """
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind and kind.lower() != "bearer":
        raise _unauthorized("The Authorization header is no bearer token.")
    return await _allowed(request, token.strip() or None, scope)


Reader = Annotated[Caller, Depends(needing(Scope.READ))]
Runner = Annotated[Caller, Depends(needing(Scope.RUN))]
Approver = Annotated[Caller, Depends(needing(Scope.APPROVE))]
