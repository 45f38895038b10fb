"""Starts, watches, restarts and stops the processes of the embedded stack.

Every process gets its own session, a log file and the variable ``ORCHESTRATOR_STACK_ID``, which
all its descendants inherit. When the supervisor ends, by whatever means, the watchdog
(``deployments.processes.watchdog``) ends every process that carries it, so none is left behind.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx

from blocks.errors import StackError
from blocks.settings import PROJECT_ROOT
from deployments.processes.liveness import MISSES, PATIENCE, Echo, until_hung
from deployments.processes.watchdog import MARK

_BACKOFF = (1, 2, 5, 15, 60)  # seconds before the n-th restart in a row
_GRACE = 10.0  # seconds between SIGTERM and SIGKILL
_TAIL = 64 * 1024  # bytes of a log that are looked through for a reason
_STEADY = 60.0  # seconds after which a process counts as steady, and its backoff starts over

Ready = Callable[[], Awaitable[bool]]


@dataclass(frozen=True)
class ProcessSpec:
    """A process to run.

    Attributes:
        name: Dashed name, unique in the stack; also its log file's name.
        argv: Program and arguments.
        env: Variables added to those of the supervisor.
        ready_url: Answers 200 when the process does its work; None when there is no such URL.
        live_url: Answers 200 unless the process hangs; None when it is not probed so.
        echoes: Whether it answers probes on its standard input (``liveness.answer_probes``).
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    ready_url: str | None = None
    live_url: str | None = None
    echoes: bool = False


@dataclass
class _Child:
    spec: ProcessSpec
    process: asyncio.subprocess.Process
    ready: Ready | None
    keep_alive: bool
    echo: Echo | None
    started_at: float = field(default_factory=time.monotonic)
    failures: int = 0
    watcher: asyncio.Task[None] | None = None


class Supervisor:
    """The parent of the stack's processes.

    Args:
        log_dir: One log file per process goes here.
        say: Told in one sentence when a process dies, hangs or comes back.
        patience: Seconds that a process has to answer a probe; see ``liveness.until_hung``.
    """

    def __init__(
        self, log_dir: Path, say: Callable[[str], None], *, patience: float = PATIENCE
    ) -> None:
        self.id = secrets.token_hex(8)
        self._log_dir = log_dir
        self._say = say
        self._patience = patience
        self._children: dict[str, _Child] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._said_before: dict[str, int] = {}  # bytes of its log that earlier starts wrote
        self._watchdog: asyncio.subprocess.Process | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The managed processes, in the order of their start."""
        return tuple(self._children)

    def log_of(self, name: str) -> Path:
        """The log file of a process."""
        return self._log_dir / f"{name}.log"

    def age(self, name: str) -> float:
        """Seconds since a process was started, or started again."""
        return time.monotonic() - self._children[name].started_at

    async def start(
        self,
        spec: ProcessSpec,
        *,
        keep_alive: bool,
        ready: Ready | None = None,
        timeout: float = 60,
    ) -> None:
        """Start a process and wait until it does its work.

        Args:
            spec: What to run.
            keep_alive: Start it again, with growing delays, whenever it ends by itself or hangs.
            ready: Says whether it does its work; by default ``ready_url`` is asked.
            timeout: Seconds that it may take.

        Raises:
            StackError: It ended, or was not ready in time; quotes its log.
        """
        if self._watchdog is None:
            self._watchdog = await self._spawn_watchdog()
        echo = Echo() if spec.echoes else None
        child = _Child(spec, await self._spawn(spec, echo), ready, keep_alive, echo)
        self._children[spec.name] = child
        self._locks[spec.name] = asyncio.Lock()
        await self._until_ready(child, timeout)
        child.watcher = asyncio.create_task(self._watch(child))

    async def restart(self, name: str, *, timeout: float = 30) -> None:
        """End a process if it runs, start it afresh, and wait until it does its work.

        Raises:
            StackError: No process has that name, or it did not come back.
        """
        child = self._children.get(name)
        if child is None:
            raise StackError(
                f"The stack manages no process {name!r}.",
                hint=f"It manages {', '.join(self.names)}.",
            )
        async with self._locks[name]:
            await self._unwatch(child)
            await _end(child.process)
            try:
                await self._spawn_and_wait(child, timeout)
            finally:
                child.watcher = asyncio.create_task(self._watch(child))

    async def stop(self) -> None:
        """End everything, the youngest process first, then whatever they left behind."""
        for child in reversed(self._children.values()):
            await self._unwatch(child)
            await _end(child.process)
            if child.echo is not None:
                child.echo.close()
        self._children.clear()
        if self._watchdog is not None and self._watchdog.stdin is not None:
            self._watchdog.stdin.close()  # it now sweeps up, as it would after our death
            await self._watchdog.wait()
            self._watchdog = None

    async def _spawn_watchdog(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "deployments.processes.watchdog", self.id,
            stdin=asyncio.subprocess.PIPE, start_new_session=True, cwd=PROJECT_ROOT,
        )  # fmt: skip

    async def _spawn(self, spec: ProcessSpec, echo: Echo | None) -> asyncio.subprocess.Process:
        with self.log_of(spec.name).open("ab") as log:
            self._said_before[spec.name] = log.tell()
            try:
                return await asyncio.create_subprocess_exec(
                    *spec.argv,
                    env={**os.environ, **spec.env, MARK: self.id},
                    stdin=echo.theirs.fileno() if echo else asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C in the terminal reaches the supervisor alone
                    cwd=PROJECT_ROOT,
                )
            except OSError as error:
                raise StackError(
                    f"{spec.name} cannot be started: {spec.argv[0]}: {error.strerror}."
                ) from None

    async def _watch(self, child: _Child) -> None:
        name = child.spec.name
        while True:
            code = await self._until_ended(child)
            if not child.keep_alive:
                self._say(f"{name} ended with code {code}. Its log is {self.log_of(name)}.")
                return
            if time.monotonic() - child.started_at > _STEADY:
                child.failures = 0
            delay = _BACKOFF[min(child.failures, len(_BACKOFF) - 1)]
            child.failures += 1
            self._say(f"{name} ended with code {code}; it is started again in {delay} s.")
            await asyncio.sleep(delay)
            try:
                await self._spawn_and_wait(child, timeout=120)
                self._say(f"{name} is back.")
            except StackError as error:
                self._say(str(error))
                await _end(child.process)

    async def _until_ended(self, child: _Child) -> int:
        """Wait for the end of a process, whose return code this is; one that hangs is killed."""
        ended = asyncio.create_task(child.process.wait())
        hung = asyncio.create_task(self._until_hung(child))
        try:
            await asyncio.wait([ended, hung], return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                hung.result()
                self._say(
                    f"{child.spec.name} hangs: it left {MISSES} probes of {self._patience:g} s "
                    "unanswered, and is killed."
                )
                # Not asked: once it came to, it would take along what works without it.
                _kill(child.process)
            return await ended
        finally:
            ended.cancel()
            hung.cancel()

    async def _until_hung(self, child: _Child) -> None:
        if child.echo is not None:
            await until_hung(child.echo.probe, self._patience)
        elif child.spec.live_url is not None:
            async with httpx.AsyncClient(trust_env=False, timeout=self._patience) as client:
                await until_hung(partial(_answers, client, child.spec.live_url), self._patience)
        else:
            await asyncio.Event().wait()  # nobody can tell

    async def _unwatch(self, child: _Child) -> None:
        if child.watcher is not None:
            child.watcher.cancel()
            await asyncio.wait([child.watcher])

    async def _spawn_and_wait(self, child: _Child, timeout: float) -> None:
        child.process = await self._spawn(child.spec, child.echo)
        child.started_at = time.monotonic()
        await self._until_ready(child, timeout)

    async def _until_ready(self, child: _Child, timeout: float) -> None:
        ended = asyncio.create_task(child.process.wait())
        # The environment's proxies are for the outside world, not for loopback.
        client = httpx.AsyncClient(trust_env=False, timeout=2)
        ready = child.ready or partial(_answers, client, child.spec.ready_url)
        try:
            async with client, asyncio.timeout(timeout):
                while not await ready():
                    await asyncio.wait([ended], timeout=0.1)
                    if ended.done():
                        raise StackError(
                            f"{child.spec.name} ended with code {ended.result()} while starting"
                            f"{self._last_words(child.spec.name)}",
                            hint=f"Its log is {self.log_of(child.spec.name)}.",
                        )
        except TimeoutError:
            raise StackError(
                f"{child.spec.name} did not answer within {timeout:.0f} s.",
                hint=f"Its log is {self.log_of(child.spec.name)}.",
            ) from None
        finally:
            ended.cancel()

    def _last_words(self, name: str) -> str:
        with self.log_of(name).open("rb") as log:
            log.seek(max(self._said_before[name], log.seek(0, os.SEEK_END) - _TAIL))
            lines = log.read().decode(errors="replace").strip().splitlines()
        errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
        return f": {(errors or lines)[-1].strip()[:300]}" if lines else "."


async def _answers(client: httpx.AsyncClient, url: str | None) -> bool:
    if url is None:
        return True
    try:
        return (await client.get(url)).status_code == 200
    except httpx.TransportError:
        return False


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_GRACE):
            await process.wait()
    except TimeoutError:
        _kill(process)
        await process.wait()


def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
