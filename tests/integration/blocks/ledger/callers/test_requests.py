"""Requests with an idempotency key: whatever happens, one begins and one answer stands."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from blocks.crash_points import VARIABLE as CRASH_AT
from blocks.errors import RequestError
from blocks.ledger import Ledger
from blocks.ledger.callers.requests import Begun, Done, InFlight, Mismatch
from blocks.settings import PROJECT_ROOT, Retention

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url) as ledger:
        yield ledger


async def begin(
    ledger: Ledger, key: str = "k", caller: str = "c", what: str = "f", now: datetime = NOON
) -> object:
    return await ledger.requests.begin(key, caller, what, now, now + MINUTE)


async def test_a_request_sent_again_gets_the_answer_to_the_letter(ledger: Ledger) -> None:
    body = '{"b": 1.50, "a": "é \U0001f600"}\n'
    assert await begin(ledger) == Begun(NOON)
    assert await begin(ledger) == InFlight()
    await ledger.requests.finish("k", "c", 202, body, NOON, headers={"Location": "/runs/1"})
    done = Done(202, body, {"Location": "/runs/1"})
    assert await begin(ledger) == done
    assert await begin(ledger, now=NOON + DAY) == done
    await ledger.requests.finish("k", "c", 500, "{}", NOON)
    await ledger.requests.forget("k", "c")
    assert await begin(ledger) == done, "the first answer stands"


async def test_a_key_stands_for_one_request_of_one_caller(ledger: Ledger) -> None:
    assert await begin(ledger) == Begun(NOON)
    assert await begin(ledger, what="other") == Mismatch()
    assert await begin(ledger, what="other", now=NOON + DAY) == Mismatch(), "dead or not"
    assert await begin(ledger, caller="other", what="other") == Begun(NOON)
    assert await begin(ledger, key="other", what="other") == Begun(NOON)
    await ledger.requests.finish("k", "c", 200, "1", NOON)
    assert await begin(ledger, what="other") == Mismatch()
    assert await begin(ledger) == Done(200, "1", {})


async def test_a_refused_request_leaves_its_key_free(ledger: Ledger) -> None:
    assert await begin(ledger) == Begun(NOON)
    assert await begin(ledger, caller="other") == Begun(NOON)
    await ledger.requests.forget("k", "c")
    await ledger.requests.forget("k", "nobody")
    assert await begin(ledger, what="corrected") == Begun(NOON)
    assert await begin(ledger, caller="other") == InFlight()


async def test_a_released_key_takes_the_same_request_alone(ledger: Ledger) -> None:
    assert await begin(ledger) == Begun(NOON)
    await ledger.requests.release("k", "c", NOON)
    assert await begin(ledger, what="another") == Mismatch()
    assert await begin(ledger) == Begun(NOON)


async def test_a_dead_request_is_begun_again_once(ledger: Ledger) -> None:
    assert await begin(ledger) == Begun(NOON)
    assert await begin(ledger, now=NOON + MINUTE - timedelta(microseconds=1)) == InFlight()
    assert await begin(ledger, now=NOON + MINUTE) == Begun(NOON)
    assert await begin(ledger, now=NOON + MINUTE) == InFlight()


@pytest.mark.parametrize("dead", [False, True], ids=["new", "left by a dead process"])
def test_of_threads_and_ledgers_that_begin_at_once_one_does(ledger_url: str, dead: bool) -> None:
    with Ledger.open(ledger_url) as one, Ledger.open(ledger_url) as other:
        if dead:
            asyncio.run(begin(one))
        start = threading.Barrier(8)

        def work(number: int) -> list[object]:
            start.wait()
            ledger = (one, other)[number % 2]
            keys = ["k", *(f"k{i}" for i in range(5))]
            return [asyncio.run(begin(ledger, key, now=NOON + MINUTE)) for key in keys]

        with ThreadPoolExecutor(8) as threads:
            came = list(threads.map(work, range(8)))
    for of_one_key in zip(*came, strict=True):
        assert Counter(map(type, of_one_key)) == {Begun: 1, InFlight: 7}


PROCESS = """
import asyncio, sys
from datetime import UTC, datetime, timedelta
from blocks.crash_points import reach
from blocks.ledger import Ledger

async def main():
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with Ledger.open(sys.argv[1], patience=60) as ledger:
        print("ready", flush=True)
        sys.stdin.readline()
        for key in sys.argv[2:]:
            came = await ledger.requests.begin(key, "c", "f", noon, noon + timedelta(minutes=1))
            print(type(came).__name__, flush=True)
            reach("requests.begun")
            await ledger.requests.finish(key, "c", 200, "{}", noon)
            reach("requests.finished")

asyncio.run(main())
"""


def process(url: str, *keys: str, point: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, url, *keys],
        cwd=PROJECT_ROOT,
        env={**os.environ, CRASH_AT: point},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def test_of_processes_that_begin_at_once_one_does(ledger_url: str) -> None:
    Ledger.open(ledger_url).close()
    keys = [f"k{i}" for i in range(20)]
    processes = [process(ledger_url, *keys) for _ in range(3)]
    for each in processes:
        assert each.stdout
        assert each.stdout.readline() == "ready\n"
    for each in processes:
        assert each.stdin
        each.stdin.write("go\n")
        each.stdin.flush()
    said = [each.communicate(timeout=60)[0].split() for each in processes]
    assert [each.returncode for each in processes] == [0, 0, 0]
    for of_one_key in zip(*said, strict=True):
        assert Counter(of_one_key)["Begun"] == 1
    assert len(said[0]) == len(keys)


async def test_what_a_killed_process_began_is_begun_again(ledger: Ledger, ledger_url: str) -> None:
    with process(ledger_url, "k", point="requests.begun") as victim:
        said, _ = victim.communicate("go\n", timeout=60)
    assert victim.returncode == -signal.SIGKILL
    assert said.split() == ["ready", "Begun"]
    assert await begin(ledger) == InFlight(), "nobody knows yet"
    assert await begin(ledger, now=NOON + MINUTE, what="other") == Mismatch()
    assert await begin(ledger, now=NOON + MINUTE) == Begun(NOON)
    await ledger.requests.finish("k", "c", 200, "{}", NOON + MINUTE)
    assert await begin(ledger, now=NOON + MINUTE) == Done(200, "{}", {})


async def test_what_was_finished_survives_a_kill(ledger: Ledger, ledger_url: str) -> None:
    with process(ledger_url, "k", point="requests.finished") as victim:
        victim.communicate("go\n", timeout=60)
    assert victim.returncode == -signal.SIGKILL
    assert await begin(ledger, now=NOON + DAY) == Done(200, "{}", {})


async def test_old_requests_are_forgotten_and_live_ones_are_not(ledger: Ledger) -> None:
    await begin(ledger, "answered")
    await ledger.requests.finish("answered", "c", 200, "{}", NOON)
    await begin(ledger, "answered late")
    later = NOON + DAY
    await ledger.requests.finish("answered late", "c", 200, "{}", later)
    await begin(ledger, "dead")
    await ledger.requests.begin("long", "c", "f", NOON, NOON + 2 * DAY)
    await begin(ledger, "new", now=later)
    kept = Retention(requests=2)
    assert await ledger.retention.cut(kept, NOON + 2 * DAY) == {}
    assert await ledger.retention.cut(kept, later + 2 * DAY) == {"api_requests": 2}
    assert await begin(ledger, "answered late", now=later) == Done(200, "{}", {})
    assert await begin(ledger, "long", now=later) == InFlight()
    assert await begin(ledger, "new", now=later) == InFlight()
    assert await begin(ledger, "answered", now=later, what="other") == Begun(later)
    assert await begin(ledger, "dead", now=later, what="other") == Begun(later)


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_that_cannot_be_kept_is_refused(ledger: Ledger, key: str) -> None:
    with pytest.raises(RequestError, match="cannot be kept"):
        await begin(ledger, key)


@pytest.mark.parametrize("key", ["é" * 255, "\U0001f600" * 255, "\x00", "\ud800", "'; --"])
async def test_any_other_key_is_kept(ledger: Ledger, key: str) -> None:
    assert await begin(ledger, key) == Begun(NOON)
    assert await begin(ledger, key) == InFlight()
    await ledger.requests.finish(key, "c", 200, "{}", NOON)
    assert await begin(ledger, key) == Done(200, "{}", {})


async def test_an_unknown_request_is_neither_finished_nor_forgotten(ledger: Ledger) -> None:
    await ledger.requests.finish("k", "c", 200, "{}", NOON)
    await ledger.requests.forget("k", "c")
    assert await begin(ledger) == Begun(NOON)
