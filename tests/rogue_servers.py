"""Servers on loopback that mean no good: to a database's client, and to whoever waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, closing, suppress
from typing import Any

LOGIN_OK = b"\x00\x00\x00\x02\x00\x00\x00"
HELLO = (
    b"\x0a8.0.0\x00"  # protocol 10, a version
    b"\x01\x00\x00\x00" + b"saltsalt\x00"  # a thread, the first half of the salt
    # Capabilities: long passwords, LOAD DATA LOCAL, protocol 4.1, authentication plugins; no TLS.
    b"\x81\x82" + b"\x21" + b"\x02\x00" + b"\x08\x00" + b"\x15" + bytes(10) + b"saltsaltsalt\x00"
    b"mysql_native_password\x00"
)

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@asynccontextmanager
async def talking(talk: Talk) -> AsyncIterator[int]:
    """A server that says what ``talk`` says; its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError), closing(writer.transport):
            await talk(reader, writer)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(handle(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Listen, and never say a word: what Redis does with PostgreSQL's greeting."""
    while await reader.read(1000):
        pass


def dripping(what: bytes, pause: float = 0.2) -> Talk:
    """Say a thing over and over, a byte at a time: no single read ever waits for long."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            for byte in what:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(pause)

    return talk


def saying(what: bytes) -> Talk:
    """Say a thing at once, then listen."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(what)
        await silence(reader, writer)

    return talk


def mysql_thief(file: str, got: list[bytes]) -> Talk:
    """A MySQL server that lets everybody in and answers a question by asking for a file."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(packet(0, HELLO))
        await read_packet(reader)
        writer.write(packet(2, LOGIN_OK))
        while True:
            if b"SET" in await read_packet(reader):
                writer.write(packet(1, LOGIN_OK))
                continue
            writer.write(packet(1, b"\xfb" + file.encode()))
            while sent := await read_packet(reader):
                got.append(sent)
            writer.write(packet(3, LOGIN_OK))

    return talk


def mysql_mute_after_login() -> Talk:
    """A MySQL server that lets everybody in and answers no question."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(packet(0, HELLO))
        await read_packet(reader)
        writer.write(packet(2, LOGIN_OK))
        await silence(reader, writer)

    return talk


def postgresql_mute_after_login() -> Talk:
    """A PostgreSQL server that lets everybody in and answers no question."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            length = int.from_bytes(await reader.readexactly(4))
            greeting = await reader.readexactly(length - 4)
            if greeting[:2] == b"\x00\x03":  # else it asks for encryption
                break
            writer.write(b"N")
        writer.write(b"R\x00\x00\x00\x08\x00\x00\x00\x00" + b"Z\x00\x00\x00\x05I")
        await silence(reader, writer)

    return talk


def packet(number: int, body: bytes) -> bytes:
    """A packet of MySQL's protocol."""
    return len(body).to_bytes(3, "little") + bytes([number]) + body


async def read_packet(reader: asyncio.StreamReader) -> bytes:
    """What a packet of MySQL's protocol holds."""
    head = await reader.readexactly(4)
    return await reader.readexactly(int.from_bytes(head[:3], "little"))
