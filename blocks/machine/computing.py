"""Computing in a process of its own, which can be ended; a thread cannot."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import pickle
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")

_PR_SET_PDEATHSIG = 1


async def compute(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function in a fork of this process; whoever stops waiting for it ends it.

    The fork shares our memory as it is, so that no frame is copied on the way there. Its result
    comes back (or its error): whatever else it changes is lost, and no connection of ours is its
    to use. Where forks are not safe (macOS) it runs in a thread, which goes on to its end.

    Args:
        function: Crunches numbers. What it returns or raises is pickled.
        *args: Its arguments.
        **kwargs: The same.

    Raises:
        OSError: No process can be started.
        RuntimeError: It ended without a result: killed, maybe for want of memory.
    """
    if sys.platform != "linux":
        return await asyncio.to_thread(function, *args, **kwargs)
    pid, receives = _fork(partial(function, *args, **kwargs))
    try:
        answer = await _read(receives)
    except BaseException:  # nobody waits any more
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        status = _returncode(pid)
    if status:
        raise RuntimeError(f"The process of {function!r} ended with {status}, without a result.")
    result, error = pickle.loads(answer)  # noqa: S301 - our own process wrote it
    if error is not None:
        raise error
    return cast(R, result)


def _fork(work: Callable[[], Any]) -> tuple[int, int]:
    """Start the process; its number, and where its answer can be read."""
    parent = os.getpid()
    receives, sends = os.pipe()
    try:
        with warnings.catch_warnings():  # of threads whose locks it finds taken: it needs none
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            _become(work, sends, parent)
    except OSError:  # no memory, no process is left
        os.close(receives)
        raise
    finally:
        os.close(sends)  # at once: the end of the process is then the end of the pipe
    return pid, receives


async def _read(descriptor: int) -> bytes:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
    )
    try:
        return await reader.read()
    finally:
        transport.close()


def _returncode(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])  # at once: it has nothing left to do


def _become(work: Callable[[], Any], sends: int, parent: int) -> NoReturn:
    """Go on as the process that computes: it has one thread, and ends with its parent."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)  # or our signals would wake the parent's loop
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the parent's affair
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            gc.freeze()  # a collection would touch, and so copy, all that is shared
            with open(sends, "wb") as pipe:
                pipe.write(_answer(work))
            status = 0
    except BaseException:  # what came of it cannot be pickled
        traceback.print_exc()
    finally:
        os._exit(status)


def _answer(work: Callable[[], Any]) -> bytes:
    try:
        return pickle.dumps((work(), None))
    except BaseException as error:
        error.add_note(traceback.format_exc())  # else nobody would know where
        return pickle.dumps((None, error))
