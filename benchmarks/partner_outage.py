"""How many calls reach a supplier that is down for an hour, and when it is called again after that.

Processes ask it for its catalogue every few seconds, as one supplier's items are asked for by
several runs. The supplier is a server on loopback that answers 503 for an hour, then well; the hour
is compressed by the clock that the calls are handed, the requests are real. What the breaker and
the quota let through is held against what they promise, and against callers that only retry.

    python -m benchmarks.partner_outage [--json] [--speed 120] [--every 5]
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import tempfile
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.output import show_rows
from blocks.egress import PERSON
from blocks.errors import SourceError
from blocks.partners.breaker import MINIMUM, OPEN, PROBES
from blocks.partners.call import ATTEMPTS
from blocks.partners.clock import Clock
from blocks.partners.http import fetch
from blocks.partners.memory import SharedMemory
from blocks.partners.partner import Partner
from blocks.partners.quota import PRICE, TOKENS

OUTAGE = 3600.0
"""Seconds for which the supplier is down."""

AFTERWARDS = 300.0
"""Seconds for which it is called once it is well."""


class Compressed(Clock):
    """Time that passes ``speed`` times as fast as it does, the same in all processes.

    Attributes:
        began: Since when, in seconds since 1970.
    """

    def __init__(self, began: float, speed: float) -> None:
        self.began, self._speed = began, speed

    def now(self) -> datetime:
        """The present instant."""
        return datetime.fromtimestamp(self.began + self.passed(), UTC)

    def passed(self) -> float:
        """Seconds since the beginning."""
        return (time.time() - self.began) * self._speed

    async def sleep(self, seconds: float) -> None:
        """Return that much later."""
        await asyncio.sleep(seconds / self._speed)


@dataclass
class Supplier:
    """Down for an hour; counts who reaches it.

    Attributes:
        reached: Seconds from the beginning at which requests came.
    """

    clock: Compressed
    reached: list[float] = field(default_factory=list)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        with suppress(ConnectionError, asyncio.IncompleteReadError), closing(writer):
            await reader.readuntil(b"\r\n\r\n")
            self.reached.append(self.clock.passed())
            status = b"503 Down" if self.reached[-1] < OUTAGE else b"200 OK"
            writer.write(
                b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            await writer.drain()


async def with_breaker(url: str, clock: Compressed, memory: SharedMemory) -> None:
    """One call as the product makes it."""
    supplier = Partner("supplier", reach=PERSON, timeout=300, memory=memory, clock=clock)
    await supplier.get(url)


async def with_retries_alone(url: str, clock: Compressed, _: SharedMemory) -> None:
    """One call with as many attempts and the same pauses, and nothing else."""
    for attempt in range(ATTEMPTS):
        if (await fetch(url, source="supplier", timeout=60, reach=PERSON)).ok:
            return
        if attempt + 1 < ATTEMPTS:
            await clock.sleep(random.uniform(0, 0.5 * 2**attempt))


CALLS = {"breaker and quota": with_breaker, "retries alone": with_retries_alone}


def caller(how: str, url: str, folder: Path, began: float, speed: float, every: float) -> None:
    """One process: calls every ``every`` seconds until the end."""
    clock, memory = Compressed(began, speed), SharedMemory(folder)

    async def go_on() -> None:
        while clock.passed() < OUTAGE + AFTERWARDS:
            with suppress(SourceError):
                await CALLS[how](url, clock, memory)
            await clock.sleep(every)

    asyncio.run(go_on())


async def measured(how: str, processes: int, speed: float, every: float) -> dict[str, float]:
    """The hour with so many processes.

    Returns:
        Calls that reached the supplier in the outage, how many were promised at most, and the
        seconds from its end to the first call that reached it.
    """
    context = multiprocessing.get_context("spawn")
    clock = Compressed(time.time() + 3, speed)  # until then the processes have started
    supplier = Supplier(clock)
    server = await asyncio.start_server(supplier.handle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/catalogue"
    with tempfile.TemporaryDirectory() as folder:
        children = [
            context.Process(target=caller, args=(how, url, Path(folder), clock.began, speed, every))
            for _ in range(processes)
        ]
        for child in children:
            child.start()
        for child in children:
            await asyncio.to_thread(child.join)
    server.close()
    during = [at for at in supplier.reached if at < OUTAGE]
    after = [at - OUTAGE for at in supplier.reached if at >= OUTAGE]
    return {
        "reached it": len(during),
        "promised at most": promised(processes),
        "called again after (s)": min(after, default=float("nan")),
    }


def promised(processes: int) -> int:
    """The most calls that the breaker lets through in the outage.

    Those that open it, those that are under way then, and the probes of each time it was open.
    """
    return MINIMUM + (processes - 1) + PROBES * int(OUTAGE / OPEN.total_seconds())


async def main(speed: float, every: float, as_json: bool) -> None:
    """Measure, and print."""
    rows = {}
    for processes in (1, 4):
        for how in CALLS:
            rows[f"{how}, processes: {processes}"] = await measured(how, processes, speed, every)
    figures = {f"{row}: {name}": value for row, of in rows.items() for name, value in of.items()}
    figures["retries in an outage at most"] = TOKENS // PRICE
    show_rows("A supplier is down for an hour", rows, figures, as_json=as_json)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--speed", type=float, default=120.0, help="how much faster time passes")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between calls")
    given = parser.parse_args()
    asyncio.run(main(given.speed, given.every, given.json))
