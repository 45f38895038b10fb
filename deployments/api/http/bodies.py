"""Bodies are bounded in size and time, and JSON is read once and strictly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from blocks.dialects.strict_json import MAX_BYTES, parse_value
from blocks.errors import InvalidMessage
from deployments.api.http.problems import Refused, problem

LONGEST = 30.0
"""Seconds that a body may take to arrive."""

_DRAINED = 4 * 1024**2  # bytes


class BoundedBodies:
    """Answers 413 to a body that is too large: by its declared length, else once it has passed.

    One that does not arrive in time is answered 408: who sends a byte a second holds nothing up.

    Args:
        app: What to protect.
        larger: Bytes that a body may have by path; elsewhere ``MAX_BYTES``.
        longest: Seconds that it may take.
    """

    def __init__(
        self, app: ASGIApp, larger: Mapping[str, int] | None = None, longest: float = LONGEST
    ) -> None:
        self._app, self._larger, self._longest = app, larger or {}, longest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request through, as long as its body is small enough."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        most = self._larger.get(scope["path"], MAX_BYTES)
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > most:
            await _drain(receive)
            return await _too_large(most)(scope, receive, send)
        until, taken, complete = asyncio.get_running_loop().time() + self._longest, 0, False

        async def bounded() -> Message:
            nonlocal taken, complete
            if complete:  # whoever asks now waits for the client to leave
                return await receive()
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise _Ended(self._too_slow()) from None
            taken += len(message.get("body", b""))
            if taken > most:
                await _drain(receive)
                raise _Ended(_too_large(most))
            complete = not message.get("more_body", False)
            return message

        try:
            await self._app(scope, bounded, send)
        except _Ended as ended:
            await ended.answer(scope, receive, send)
        except ClientDisconnect:  # nobody is left to tell; counted as what it is
            await problem(400, "body-incomplete", "The client left before its body was complete.")(
                scope, receive, send
            )

    def _too_slow(self) -> JSONResponse:
        return problem(
            408,
            "body-too-slow",
            f"The body did not arrive within {self._longest:g} s.",
            hint="Send it again, at once.",
            headers={"Connection": "close"},
        )


def _too_large(most: int) -> JSONResponse:
    return problem(
        413,
        "body-too-large",
        f"The body has more than {most:,} bytes.",
        hint="Send less at once.",
        headers={"Connection": "close"},
    )


async def _drain(receive: Receive) -> None:
    """Read on for a while: closed with bytes on the way, a connection is reset, the answer lost."""
    left = _DRAINED
    with suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


class _Ended(BaseException):
    """Not an Exception: nothing on the way may take it for one of its own."""

    def __init__(self, answer: JSONResponse) -> None:
        self.answer = answer


class StrictRoute(APIRoute):
    """A route whose JSON body is read by our own rules: no key twice, no NaN, not too deep."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """The handler, given requests whose ``json`` is strict."""
        handler = super().get_route_handler()
        if self.body_field is None:
            return handler

        async def handle(request: Request) -> Response:
            strict = _StrictRequest(request.scope, request.receive)
            await strict.json()
            try:
                # Who calls is asked first: to strangers nothing is said of their body.
                return await handler(strict)
            except RequestValidationError:
                if strict.fault is not None:  # said in our words
                    raise strict.fault from None
                raise

        return handle


class _StrictRequest(Request):
    """A request whose JSON is None when it cannot be read; ``fault`` says why."""

    fault: Refused | None = None

    async def json(self) -> Any:
        if not hasattr(self, "_read"):
            try:
                self._read = await self._strictly()
            except Refused as fault:
                self._read, self.fault = None, fault
        return self._read

    async def _strictly(self) -> Any:
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        body = await self.body()
        if kind != "application/json":
            raise Refused(
                415,
                "unsupported-media-type",
                f"The body is {kind or 'of no declared type'}.",
                hint="Send JSON with the header Content-Type: application/json.",
            )
        try:
            return parse_value(body)
        except InvalidMessage as error:
            raise Refused(400, "invalid-json", error.what, hint=error.hint) from None
