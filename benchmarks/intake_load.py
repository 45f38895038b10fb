"""Load for ``benchmarks.intake``: signed webhooks over kept-alive connections, one event each.

Everything is signed and laid out as bytes beforehand, and answers are looked at no more than they
must be, so that the generator costs its machine little.

    python -m benchmarks.intake_load '{"port": 4250, "path": "/webhooks/bench", "seconds": 4, …}'
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import quantiles
from time import perf_counter, time
from typing import cast

import uvloop

from blocks.business.webhooks.signatures import key_of, sign

TWICE = 20
"""Every so many-th webhook is sent a second time, with the same id."""


@dataclass(frozen=True)
class Load:
    """What to send.

    Attributes:
        port: On loopback.
        path: Of the request.
        secret: To sign with.
        tag: Beginning of all ids.
        requests: How many to prepare.
        seconds: For how long to send them; the first quarter of it warms up and is not counted.
        connections: How many send at the same time.
        status: Whether one more connection asks for the status all the time.
        acked: File for the ids that were acknowledged.
    """

    port: int
    path: str
    secret: str
    tag: str
    requests: int
    seconds: float
    connections: int
    status: bool = False
    acked: str = ""


@dataclass
class Seen:
    """What came back.

    Attributes:
        at: When each answer came.
        took: Seconds from request to answer, for each.
        acked: Ids that were acknowledged.
        refused: Answers other than 2xx, by status.
    """

    at: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    acked: list[str] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)


def requests(load: Load) -> Iterator[tuple[str, bytes]]:
    """Id and bytes of each request."""
    key = key_of(load.secret)
    for number in range(load.requests):
        which = number - 1 if number % TWICE == TWICE - 1 else number
        name, stamp = f"{load.tag}-{which}", int(time())
        data = {"sku": f"{which % 500:05d}", "units": which % 7, "warehouse": "north"}
        body = json.dumps(
            {"type": "stock.changed", "timestamp": "2026-03-01T12:00:00Z", "data": data}
        ).encode()
        head = (
            f"POST {load.path} HTTP/1.1\r\nHost: 127.0.0.1:{load.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"webhook-id: {name}\r\nwebhook-timestamp: {stamp}\r\n"
            f"webhook-signature: {sign(key, name, stamp, body)}\r\n\r\n"
        )
        yield name, head.encode() + body


class Connection(asyncio.Protocol):
    """Sends one request after the other, each when the one before is answered.

    It begins with one that is not counted: a busy server is slow to take connections up.
    """

    def __init__(self, following: Callable[[], tuple[str, bytes] | None], seen: Seen) -> None:
        self._following, self._seen = following, seen
        self._buffer = b""
        loop = asyncio.get_running_loop()
        self.ready, self.ended = loop.create_future(), loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request that is not counted."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it
        self._transport.write(
            b"GET /livez HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % _port(transport)
        )

    def send(self) -> None:
        """Send the next request; close after the last."""
        following = self._following()
        if following is None:
            self._transport.close()
            return
        self._name, request = following
        self._sent = perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Note the answer once it is complete, and send the next request."""
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if len(body) < int(length):
            return
        self._buffer = b""
        if not self.ready.done():
            self.ready.set_result(None)
            return
        now, status = perf_counter(), head[9:12].decode()
        self._seen.at.append(now)
        self._seen.took.append(now - self._sent)
        if status[0] == "2":
            self._seen.acked.append(self._name)
        else:
            self._seen.refused[status] = self._seen.refused.get(status, 0) + 1
        self.send()

    def connection_lost(self, _: Exception | None) -> None:
        """The server is gone, or everything was sent."""
        for future in (self.ready, self.ended):
            if not future.done():
                future.set_result(None)


def _port(transport: asyncio.BaseTransport) -> int:
    return int(transport.get_extra_info("peername")[1])


async def send(load: Load) -> dict[str, object]:
    """Send it all, and count."""
    prepared = list(requests(load))
    loop = asyncio.get_running_loop()
    until = warm = 0.0
    seen, states = Seen(), Seen()
    waiting = iter(prepared)
    status = f"GET /orchestrate/status HTTP/1.1\r\nHost: 127.0.0.1:{load.port}\r\n\r\n".encode()

    def following() -> tuple[str, bytes] | None:
        return next(waiting, None) if perf_counter() < until else None

    def asking() -> tuple[str, bytes] | None:
        return ("", status) if perf_counter() < until else None

    senders = [lambda: Connection(following, seen)] * load.connections
    if load.status:
        senders.append(lambda: Connection(asking, states))
    made = [(await loop.create_connection(s, "127.0.0.1", load.port))[1] for s in senders]
    await asyncio.gather(*(connection.ready for connection in made))
    begun = perf_counter()
    until, warm = begun + load.seconds, begun + load.seconds / 4
    for connection in made:
        connection.send()
    await asyncio.gather(*(connection.ended for connection in made))
    if load.acked:
        await asyncio.to_thread(Path(load.acked).write_text, json.dumps(seen.acked))
    return {
        **counted(seen, warm),
        "status": counted(states, warm),
        "used_up": next(waiting, None) is None,
    }


def counted(seen: Seen, since: float) -> dict[str, object]:
    """Rate, latencies in ms and refusals, of what came after the warming up."""
    took = [t * 1000 for at, t in zip(seen.at, seen.took, strict=True) if at >= since]
    if len(took) < 2:
        return {"per_s": 0.0, "refused": seen.refused}
    cuts = quantiles(took, n=100)
    return {
        "per_s": len(took) / (max(seen.at) - since),
        "p50_ms": cuts[49],
        "p95_ms": cuts[94],
        "p99_ms": cuts[98],
        "refused": seen.refused,
    }


def arguments(load: Load) -> list[str]:
    """The command line that sends it."""
    return [sys.executable, "-m", "benchmarks.intake_load", json.dumps(asdict(load))]


if __name__ == "__main__":
    uvloop.install()
    sys.stdout.write(json.dumps(asyncio.run(send(Load(**json.loads(sys.argv[1]))))) + "\n")
