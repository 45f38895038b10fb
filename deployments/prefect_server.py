"""Prefect's server as the embedded stack runs it: ``python -m deployments.prefect_server``.

It is Prefect's own application behind one small wrapper. On SQLite the server answers 503 when two
writers meet, at once and without ``Retry-After``; Prefect's client then sleeps 2 s or more. With
the header it tries again as soon as told, so that a collision costs milliseconds.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

# Seconds. Prefect's client parses the header as a float. Its five tries must outlast a writer
# that holds the lock, and colliding clients must not come back in step: hence random, not tiny.
_RETRY_AFTER = (0.02, 0.25)


class RetrySoon:
    """ASGI wrapper that adds ``Retry-After`` to 503 answers that lack it."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Pass everything through; touch the headers of 503 answers alone."""

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 503:
                headers = list(message.get("headers", ()))
                if not any(name.lower() == b"retry-after" for name, _ in headers):
                    seconds = random.uniform(*_RETRY_AFTER)  # noqa: S311 - jitter, not a secret
                    headers.append((b"retry-after", f"{seconds:.3f}".encode()))
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_on if scope["type"] == "http" else send)


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description="Prefect's server for the embedded stack.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()

    import uvicorn
    from prefect.server.api.server import create_app

    uvicorn.run(
        RetrySoon(create_app(final=True)),
        host=options.host,
        port=options.port,
        log_level="warning",
        lifespan="on",
        # Workers and browsers hold websockets open; they are told and then left.
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
