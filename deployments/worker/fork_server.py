"""Forks the processes of runs: ``python -m deployments.worker.fork_server FD MODULE ...``.

It imports Prefect and the modules of the flows once and then only waits: one thread, no event loop,
no client, no connection, so that a fork copies nothing that is at work. Orders come over the socket
``FD``, one JSON object a line; each makes one process, whose number and end are told the same way.
The process makes itself ready and begins its run when it is told to go.

When the other side says that it ends, the runs that still go on are ended: asked first, so that
they can say what became of them, then killed. When it is gone without a word, killed or hung, they
go on to their end, and this process with the last of them. When this process itself is killed, the
kernel kills its children.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from typing import Any, NamedTuple, NoReturn

from deployments.worker.forked_run import EDITION, Order, live

# How often runs whose worker is gone are asked to end, and for how many seconds each time before
# they are killed.
_ASKED, _PATIENCE = 2, 2.5
_PR_SET_PDEATHSIG = 1


class _Run(NamedTuple):
    """Descriptors of a run's process, and of the pipe over which it is told to go."""

    process: int
    begins: int

    def close(self) -> None:
        os.close(self.process)
        os.close(self.begins)


class Server:
    """Takes orders from a socket until it closes, or until SIGTERM.

    Args:
        channel: Connected to whoever orders.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._selector = selectors.DefaultSelector()
        self._received = b""
        self._runs: dict[int, _Run] = {}
        self._waiting: set[int] = set()  # those of them that have not begun
        self._woken, self._wakes = socket.socketpair()
        self._stopping = self._deserted = False

    def serve(self) -> None:
        """Fork what is ordered; return when no run is left and none can come."""
        self._wakes.setblocking(False)
        signal.set_wakeup_fd(self._wakes.fileno())
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the worker's affair
        self._selector.register(self._channel, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._tell({"ready": EDITION})
        while not (self._stopping or self._deserted):
            self._look(None)
        self._selector.unregister(self._channel)  # nothing is begun any more
        self._signal(self._waiting, signal.SIGKILL)
        while self._runs and not self._stopping:
            self._look(None)
        self._end_runs()

    def _look(self, timeout: float | None) -> None:
        for key, _ in self._selector.select(timeout):
            if key.fileobj is self._channel:
                self._receive()
            elif key.fileobj is self._woken:
                self._woken.recv(64)
            elif key.data is not None:
                self._reap(key.data)

    def _stop(self, _signal: int, _frame: object) -> None:
        self._stopping = True

    def _receive(self) -> None:
        try:
            received = self._channel.recv(1 << 16)
        except ConnectionError:
            received = b""
        if not received:
            self._deserted = True
            return
        *lines, self._received = (self._received + received).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "go" in message:
                self._let_go(message["go"])
            elif "ping" in message:
                self._tell({"pong": message["ping"]})
            elif "end" in message:
                self._stopping = True
            else:
                self._fork(message)

    def _fork(self, order: Order) -> None:
        try:
            pid, run = self._begun(order)
        except OSError as error:  # no memory, process or file is left; those that run go on
            self._tell({"run": order["run"], "failed": str(error)})
            return
        self._runs[pid] = run
        self._waiting.add(pid)
        self._selector.register(run.process, selectors.EVENT_READ, pid)
        self._tell({"run": order["run"], "pid": pid})

    def _begun(self, order: Order) -> tuple[int, _Run]:
        parent = os.getpid()
        with ExitStack() as undo:
            waits, begins = os.pipe()
            undo.callback(os.close, begins)
            # A signal that comes while the child still has our handlers waits until it has its own.
            blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            try:
                pid = os.fork()
                if pid == 0:
                    os.close(begins)
                    self._become(order, parent, waits)
            finally:  # the child ends before it comes here
                os.close(waits)
                signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            # Both sides do this, so that it is done when either goes on.
            with suppress(OSError):
                os.setpgid(pid, pid)
            undo.callback(os.waitpid, pid, 0)
            undo.callback(os.kill, pid, signal.SIGKILL)
            run = _Run(os.pidfd_open(pid), begins)
            undo.pop_all()
            return pid, run

    def _let_go(self, pid: int) -> None:
        if pid in self._runs:
            self._waiting.discard(pid)
            with suppress(BrokenPipeError):  # it has just ended
                os.write(self._runs[pid].begins, b"g")
                self._tell({"begun": pid})

    def _become(self, order: Order, parent: int, waits: int) -> NoReturn:
        """Go on as the run, without anything of the server."""
        try:
            os.setpgid(0, 0)
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)  # it ended before the kernel was asked to tell
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            self._selector.close()
            for run in self._runs.values():
                run.close()
            for each in (self._channel, self._woken, self._wakes):
                each.close()
            live(order, waits)
        finally:
            os._exit(1)

    def _reap(self, pid: int) -> None:
        _, status = os.waitpid(pid, 0)
        run = self._runs.pop(pid)
        self._waiting.discard(pid)
        self._selector.unregister(run.process)
        run.close()
        self._tell({"pid": pid, "returncode": os.waitstatus_to_exitcode(status)})

    def _tell(self, message: dict[str, Any]) -> None:
        with suppress(ConnectionError):
            self._channel.sendall(json.dumps(message).encode() + b"\n")

    def _end_runs(self) -> None:
        for _ in range(_ASKED):  # more than once, as in deployments.worker.warm_worker
            deadline = time.monotonic() + _PATIENCE
            self._signal(self._runs, signal.SIGTERM)
            while self._runs and (left := deadline - time.monotonic()) > 0:
                self._look(left)
        self._signal(self._runs, signal.SIGKILL)
        while self._runs:
            self._look(None)

    def _signal(self, runs: Iterable[int], number: signal.Signals) -> None:
        for pid in runs:
            with suppress(ProcessLookupError):
                os.killpg(pid, number)


def main() -> None:
    """Load everything and serve."""
    from deployments.worker.preloading import preload

    channel = socket.socket(fileno=int(sys.argv[1]))
    preload(sys.argv[2:])
    Server(channel).serve()


if __name__ == "__main__":
    main()
