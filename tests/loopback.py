"""A server on loopback that answers as told: well, badly, slowly, or never."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from email.utils import format_datetime
from urllib.parse import parse_qsl, urlsplit

from blocks.vocabulary.messages import utc_now


@dataclass(frozen=True)
class Request:
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    method: str = "GET"
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """An answer; each byte of the body waits ``pause`` seconds, and ``raw`` replaces everything."""

    body: bytes | str = b""
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    pause: float = 0.0
    raw: bytes | None = None

    def head(self, length: int) -> bytes:
        headers = {
            "Content-Type": self.content_type,
            "Content-Length": str(length),
            "Date": format_datetime(utc_now(), usegmt=True),
            "Connection": "close",
        } | self.headers
        lines = [f"HTTP/1.1 {self.status} Whatever", *(f"{k}: {v}" for k, v in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


HANG = Reply(raw=b"")
"""Accepts, reads, and never says a word."""


@dataclass
class Loopback:
    """What the server will answer, and what it was asked."""

    answer: Callable[[Request], Reply]
    port: int = 0
    requests: list[Request] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError), closing(writer.transport):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, address, _ = head[0].split(" ")
            target = urlsplit(address)
            lines = dict(line.split(": ", 1) for line in head[1:] if line)
            headers = {name.lower(): value for name, value in lines.items()}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            request = Request(target.path, dict(parse_qsl(target.query)), headers, method, body)
            self.requests.append(request)
            await self._write(self.answer(request), writer)

    async def _write(self, reply: Reply, writer: asyncio.StreamWriter) -> None:
        if reply is HANG:
            await asyncio.Event().wait()
        body = reply.body.encode() if isinstance(reply.body, str) else reply.body
        whole = reply.head(len(body)) + body if reply.raw is None else reply.raw
        dripping = len(body) if reply.pause else 0
        writer.write(whole[: len(whole) - dripping])
        for byte in whole[len(whole) - dripping :]:
            await asyncio.sleep(reply.pause)
            writer.write(bytes([byte]))
            await writer.drain()


@asynccontextmanager
async def serve(answer: Reply | Callable[[Request], Reply]) -> AsyncIterator[Loopback]:
    """Run a server that gives one reply, or what a function makes of the request."""
    loopback = Loopback(answer if callable(answer) else lambda _: answer)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(loopback.handle(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    loopback.port = server.sockets[0].getsockname()[1]
    try:
        yield loopback
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # closed transports let go of their sockets in the next turn
