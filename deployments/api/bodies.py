"""Bodies are bounded before they are read, and JSON is read once and strictly."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from blocks.dialects.strict_json import MAX_BYTES, parse_value
from blocks.errors import InvalidMessage
from deployments.api.problems import Refused, problem


class BoundedBodies:
    """Answers 413 to a body that is too large: by its declared length, else once it has passed.

    Args:
        app: What to protect.
        most: Bytes that a body may have.
    """

    def __init__(self, app: ASGIApp, most: int = MAX_BYTES) -> None:
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request through, as long as its body is small enough."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self._most:
            return await self._refuse(scope, receive, send)
        taken = 0

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._most:
                raise _TooLarge
            return message

        try:
            await self._app(scope, bounded, send)
        except _TooLarge:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = problem(
            413,
            "body-too-large",
            f"The body has more than {self._most:,} bytes.",
            hint="Send less at once.",
            headers={"Connection": "close"},
        )
        await refusal(scope, receive, send)


class _TooLarge(BaseException):
    """Not an Exception: nothing on the way may take it for one of its own."""


class StrictRoute(APIRoute):
    """A route whose JSON body is read by our own rules: no key twice, no NaN, not too deep."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """The handler, given requests whose ``json`` is strict."""
        handler = super().get_route_handler()
        takes_body = self.body_field is not None

        async def handle(request: Request) -> Response:
            if takes_body:
                request = _StrictRequest(request.scope, request.receive)
                await request.json()  # what is wrong with it is said here, in our words
            return await handler(request)

        return handle


class _StrictRequest(Request):
    async def json(self) -> Any:
        if not hasattr(self, "_read"):
            self._read = await self._strictly()
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
