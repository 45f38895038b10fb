"""The worker's side of the fork server: starts it, orders runs, replaces it when code changed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from blocks.settings import PROJECT_ROOT
from deployments.processes.liveness import PATIENCE, until_hung
from deployments.worker.forked_process import ForkedProcess, ended_elsewhere
from deployments.worker.forked_run import EDITION, Order

_CODE = {"agents", "blocks", "deployments", "flows"}
_LOOK = 5.0  # seconds between two looks at whether code changed, beside the one before each run
_LOADING = 60.0  # seconds that a fork server may take to load everything
_PAUSE = 30.0  # seconds until a fork server that could not start is tried again

Stamps = dict[str, tuple[int, int]]


class NoForkServer(Exception):
    """There is none that could start a run; says why."""


class ForkServer:
    """One fork server; it and its runs end when it is closed.

    When it hangs, its runs go on. It is left alone until their end, since they would die with it.

    Args:
        modules: What it imports, beside what all runs need.
        environment: Its variables. Runs that have the same Prefect settings start faster.
        patience: Seconds that it has to answer a probe; see ``liveness.until_hung``.

    Attributes:
        ended: Whether it is gone.
        hung: Whether it no longer answers.
    """

    def __init__(
        self, modules: Iterable[str], environment: Mapping[str, str], patience: float
    ) -> None:
        self._modules, self._environment, self._patience = modules, environment, patience
        self._asked: dict[str, asyncio.Future[ForkedProcess]] = {}
        self._runs: dict[int, ForkedProcess] = {}
        self._waiting: set[int] = set()  # those of them that are not known to have begun
        self._answered = asyncio.Event()
        self.ended = self.hung = False

    async def start(self) -> None:
        """Return when it has everything loaded.

        Raises:
            NoForkServer: It ended instead, takes too long, or is of another edition than this
                process.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            # Takes a fork's time; what takes seconds is awaited below.
            self._process = subprocess.Popen(  # noqa: ASYNC220, S603
                [
                    *(sys.executable, "-m", "deployments.worker.fork_server", str(theirs.fileno())),
                    *self._modules,
                ],
                cwd=PROJECT_ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # no terminal's signal reaches its runs
            )
        self._reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        try:
            async with asyncio.timeout(_LOADING):
                greeting = await self._reader.readline()
        except TimeoutError:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
            raise NoForkServer(f"it was not ready within {_LOADING:g} s") from None
        if not greeting:
            self.ended = True
            raise NoForkServer(
                f"it ended with status {await asyncio.to_thread(self._process.wait)}"
            )
        if json.loads(greeting)["ready"] != EDITION:
            self._writer.close()
            await asyncio.to_thread(self._process.wait)
            raise NoForkServer(
                "its code is newer than this worker; python -m deployments.processes.restart worker"
            )
        self._listener = asyncio.create_task(self._listen())
        self._prober = asyncio.create_task(self._probe())

    @property
    def is_idle(self) -> bool:
        """Whether no run of it is left."""
        return not self._asked and not self._runs

    async def fork(self, order: Order) -> ForkedProcess:
        """Make a process for a run, which begins when it is told to go.

        Raises:
            NoForkServer: It ended or hung meanwhile, and nothing comes of what it was asked.
        """
        if self.ended or self.hung:
            raise NoForkServer("it ended" if self.ended else "it hangs")
        future: asyncio.Future[ForkedProcess] = asyncio.get_running_loop().create_future()
        self._asked[order["run"]] = future
        self._tell(order)
        return await future

    def _tell(self, message: Mapping[str, Any]) -> None:
        self._writer.write(json.dumps(message).encode() + b"\n")

    async def close(self) -> None:
        """End it, and the runs that it still has."""
        self._prober.cancel()
        if self.hung:
            self._process.kill()
        if not self.ended:
            self._tell({"end": True})
            self._writer.close()
            await self._listener
        await asyncio.to_thread(self._process.wait)

    async def _listen(self) -> None:
        with suppress(ConnectionError):
            while line := await self._reader.readline():
                self._note(json.loads(line))
        self.ended = True
        self._prober.cancel()
        self._writer.close()
        # The kernel has killed them; what they started themselves may still be there.
        for run in self._runs.values():
            run.signal(signal.SIGKILL)
            run.end(-signal.SIGKILL)
        self._runs.clear()
        self._waiting.clear()
        self._refuse("it ended")

    def _refuse(self, why: str) -> None:
        """Nothing comes of what was asked."""
        for future in self._asked.values():
            if not future.done():
                future.set_exception(NoForkServer(why))
        self._asked.clear()

    def _note(self, message: dict[str, Any]) -> None:
        if "pong" in message:
            self._answered.set()
        elif "begun" in message:
            self._waiting.discard(message["begun"])
        elif "returncode" in message:
            self._end(message["pid"], message["returncode"])
        elif "failed" in message:
            asked = self._asked.pop(message["run"], None)
            if asked is not None and not asked.done():
                asked.set_exception(NoForkServer(f"it cannot fork: {message['failed']}"))
        else:
            self._take(message["run"], message["pid"])

    def _take(self, run: str, pid: int) -> None:
        self._runs[pid] = ForkedProcess(pid, partial(self._tell, {"go": pid}))
        self._waiting.add(pid)
        asked = self._asked.pop(run, None)
        if asked is None or asked.done():  # whoever asked is gone, and nobody would let it go
            self._runs[pid].signal(signal.SIGKILL)
        else:
            asked.set_result(self._runs[pid])

    def _end(self, pid: int, returncode: int) -> None:
        self._waiting.discard(pid)
        if run := self._runs.pop(pid, None):
            run.end(returncode)

    async def _probe(self) -> None:
        async def ping() -> bool:
            self._answered.clear()
            self._tell({"ping": True})
            return await self._answered.wait()

        await until_hung(ping, self._patience)
        self.hung = True
        self._refuse("it hangs")
        for pid in self._waiting:  # for a word that it will not pass on
            self._runs[pid].signal(signal.SIGKILL)
        await asyncio.gather(*(self._outlast(pid) for pid in list(self._runs)))

    async def _outlast(self, pid: int) -> None:
        """Notice the end of a run that its hung parent does not tell of."""
        returncode = await ended_elsewhere(pid)
        if returncode is not None:
            self._end(pid, returncode)


class Forks:
    """The fork server in use, and those before it that still have runs.

    Args:
        modules: Names of the modules of flows; others are imported by each run that needs them.
        environment: What they start with.
        say: Told what a person should know.
        patience: Seconds that one has to answer a probe.
    """

    def __init__(
        self,
        modules: Iterable[str],
        environment: Mapping[str, str],
        say: Callable[[str], None],
        *,
        patience: float = PATIENCE,
    ) -> None:
        self._modules, self._environment = sorted(modules), environment
        self._patience = patience
        self._folders = {
            folder
            for name in _CODE | {module.partition(".")[0] for module in self._modules}
            if (folder := PROJECT_ROOT / name).is_dir()
        }
        self._say = say
        self._lock = asyncio.Lock()
        self._current: ForkServer | None = None
        self._retired: list[ForkServer] = []
        self._stamps: Stamps = {}
        self._pause_until = 0.0

    async def fork(self, order: Order) -> ForkedProcess:
        """Make a process for a run, on the code as it is now.

        Raises:
            NoForkServer: None could be started, or it ended.
        """
        async with self._lock:
            server = await self._up_to_date()
        return await server.fork(order)

    async def keep_fresh(self) -> NoReturn:
        """Keep a fork server ready that knows the code as it is."""
        while True:
            async with self._lock:
                with suppress(NoForkServer):
                    await self._up_to_date()
            await asyncio.sleep(_LOOK)

    async def aclose(self) -> None:
        """End all of them."""
        for server in (*self._retired, self._current):
            if server is not None:
                await server.close()

    async def _up_to_date(self) -> ForkServer:
        for retired in [each for each in self._retired if each.is_idle]:
            self._retired.remove(retired)
            await retired.close()
        stamps = await asyncio.to_thread(code_stamps, self._folders)
        if self._current is not None:
            if self._current.hung:
                self._say("The fork server hangs: another one takes over, and its runs go on.")
            elif not self._current.ended and stamps == self._stamps:
                return self._current
            else:
                self._say("A fork server with the code as it is now takes over.")
            self._retired.append(self._current)
            self._current = None
        if time.monotonic() < self._pause_until and stamps == self._stamps:
            raise NoForkServer("the last one could not start")
        # Of before it is loaded: what changes meanwhile is then seen at the next run.
        self._stamps = stamps
        server = ForkServer(self._modules, self._environment, self._patience)
        try:
            await server.start()
        except NoForkServer as error:
            self._pause_until = time.monotonic() + _PAUSE
            self._say(f"No fork server, so runs take an interpreter each: {error}.")
            raise
        self._current = server
        return server


def code_stamps(folders: Iterable[Path]) -> Stamps:
    """Path to modification time and inode of each Python file in the folders."""
    stamps = {}
    for entry in _files(folders):
        with suppress(FileNotFoundError):  # gone meanwhile, or an editor's lock that leads nowhere
            stamps[entry.path] = entry.stat().st_mtime_ns, entry.inode()
    return stamps


def _files(folders: Iterable[Path]) -> Iterator[os.DirEntry[str]]:
    left: list[str | Path] = [*folders]
    while left:
        with suppress(FileNotFoundError), os.scandir(left.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    left.append(entry.path)
                elif entry.name.endswith(".py"):
                    yield entry
