"""Prefect's server as the embedded stack runs it: ``python -m deployments.stack.prefect_server``.

It is Prefect's own application behind two small wrappers, of which one saves time and the other
keeps the pages of other sites out; on SQLite its writers queue.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from blocks.machine.state_folder import files_for_us_alone
from deployments.processes.own_pages import OwnPagesOnly

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction


# Seconds. Prefect's client parses the header as a float. Its five tries must outlast a writer
# that holds the lock, and colliding clients must not come back in step: hence random, not tiny.
_RETRY_AFTER = (0.02, 0.25)


class RetrySoon:
    """Adds ``Retry-After`` to 503 answers that lack it.

    On SQLite the server answers 503 when two writers meet, at once. Prefect's client then sleeps
    2 s or more, but obeys the header, so that a collision costs milliseconds.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
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


def queue_writers() -> None:
    """On SQLite, have transactions that may write wait for each other.

    Prefect begins most of them DEFERRED: they read first, and when another one has written by the
    time they write, SQLite refuses at once (BUSY_SNAPSHOT), however patient it was told to be.
    Then six runs that start together make a quarter of them fail, and now and then all stand still
    for a minute. Begun IMMEDIATE, they queue.
    """
    from prefect.server.database.configurations import SQLITE_BEGIN_MODE, AioSqliteConfiguration

    one_alone: ContextVar[bool] = ContextVar("one_alone", default=False)
    usual = AioSqliteConfiguration.begin_transaction

    @asynccontextmanager
    async def begin_transaction(
        self: AioSqliteConfiguration, session: AsyncSession, with_for_update: bool = False
    ) -> AsyncGenerator[AsyncSessionTransaction, None]:
        token = one_alone.set(True)
        try:
            async with usual(self, session, with_for_update) as transaction:
                yield transaction
        finally:
            one_alone.reset(token)

    def begin(self: AioSqliteConfiguration, conn: Connection) -> None:
        if SQLITE_BEGIN_MODE.get() is None:
            return  # the session only reads
        conn.exec_driver_sql("BEGIN IMMEDIATE")
        if one_alone.get():
            # What this transaction opens beside itself reads only: for the lock that it holds
            # itself it would wait in vain, as when a work queue is paused. Migrations, which do
            # not pass by ``begin_transaction``, begin many times.
            SQLITE_BEGIN_MODE.set(None)

    AioSqliteConfiguration.begin_transaction = begin_transaction  # type: ignore[method-assign]
    AioSqliteConfiguration.begin_sqlite_stmt = begin  # type: ignore[method-assign]


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description="Prefect's server for the embedded stack.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    files_for_us_alone()

    import uvicorn
    from prefect.server.api.server import create_app

    from deployments.api.http.prompt_requests import PromptRequests

    queue_writers()
    uvicorn.run(
        OwnPagesOnly(RetrySoon(create_app(final=True)), options.host, options.port),
        host=options.host,
        port=options.port,
        http=PromptRequests,
        log_level="warning",
        lifespan="on",
        # Workers and browsers hold websockets open; they are told and then left.
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
