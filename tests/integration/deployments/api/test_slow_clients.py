"""Clients that send a request's head slowly, endlessly, or not at all hold no connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx
import pytest
import uvicorn

from blocks.settings import Settings
from deployments.api.http.prompt_requests import PromptRequests
from deployments.api.serving import options
from tests.integration.loopback import free_port

PATIENCE = 1.0


class Quick(PromptRequests):
    longest = PATIENCE


async def application(scope, receive, send):
    """Reads the body, and says how many bytes it has."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
        return
    if scope["path"] == "/refused":
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": b"no"})
        return
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


@pytest.fixture
async def server() -> AsyncIterator[uvicorn.Server]:
    config = uvicorn.Config(
        application, port=free_port(), http=Quick, lifespan="off", log_level="critical"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    yield server
    server.should_exit = True
    await serving


async def connect(server: uvicorn.Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", server.config.port)


@pytest.mark.parametrize("begun", [b"", b"G", b"GET / HTTP/1.1\r\nHost: x\r\nX-A: b"])
async def test_a_head_that_does_not_come_is_answered_and_the_connection_closed(
    server: uvicorn.Server, begun: bytes
) -> None:
    held = [await connect(server) for _ in range(50)]
    for _, writer in held:
        writer.write(begun)
    for reader, writer in held:
        assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
        writer.close()
    assert not server.server_state.connections


async def test_bytes_that_trickle_in_gain_no_time(server: uvicorn.Server) -> None:
    reader, writer = await connect(server)
    writer.write(b"GET / HTTP/1.1\r\nX-A: ")
    answer = asyncio.create_task(reader.read())
    while not answer.done():
        writer.write(b"a")
        await asyncio.sleep(PATIENCE / 20)
    assert answer.result().startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_a_later_request_on_the_connection_has_no_more_time(server: uvicorn.Server) -> None:
    reader, writer = await connect(server)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await reader.readuntil(b"\r\n0")).startswith(b"HTTP/1.1 200 ")
    writer.write(b"GET / HTTP/1.1\r\nHost")
    assert b"HTTP/1.1 408 " in await reader.read()
    writer.close()


async def test_a_head_without_end_is_refused(server: uvicorn.Server) -> None:
    reader, writer = await connect(server)
    writer.write(b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 20_000)
    with suppress(ConnectionResetError):  # closed with bytes on the way, the answer may be lost
        assert (await reader.read()).startswith(b"HTTP/1.1 431 ")
    writer.close()
    assert not server.server_state.connections


async def test_a_body_has_its_own_time(server: uvicorn.Server) -> None:
    reader, writer = await connect(server)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1234")
    await asyncio.sleep(1.5 * PATIENCE)  # the head's time is over, and nothing says so
    writer.write(b"56789")
    assert (await reader.readuntil(b"9")).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_ordinary_clients_notice_nothing(server: uvicorn.Server) -> None:
    url = f"http://127.0.0.1:{server.config.port}"
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        for size in (0, 10, 5_000_000):
            assert (await client.post("/", content=b"x" * size)).text == str(size)
            await asyncio.sleep(PATIENCE / 2)


async def test_a_body_that_nobody_reads_is_no_head(server: uvicorn.Server) -> None:
    reader, writer = await connect(server)
    head = "POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n"
    writer.write(head.encode())
    assert (await reader.readuntil(b"no")).startswith(b"HTTP/1.1 401 ")
    for _ in range(30):
        writer.write(b"x" * 10_000)
        await writer.drain()
        await asyncio.sleep(0.01)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"HTTP/1.1 200 " in await reader.readuntil(b"\r\n0")
    writer.close()


async def test_a_websocket_stays_open(server: uvicorn.Server) -> None:
    from websockets.asyncio.client import connect as connect_websocket

    async with connect_websocket(f"ws://127.0.0.1:{server.config.port}/") as socket:
        await asyncio.sleep(1.5 * PATIENCE)
        await socket.send("still there")
        assert await socket.recv() == "still there"


def test_the_api_is_served_so() -> None:
    assert options(Settings())["http"] is PromptRequests
