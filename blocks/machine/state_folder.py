"""The state folder is for this user alone: it holds orders, alerts, keys and logs.

Folders are 0700 and files 0600. What we make is so from the beginning (``files_for_us_alone``);
what an earlier version, or somebody else, has made in it is mended when the stack starts.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_OURS = (
    "demand",
    "prefect",
    "ledger.db",
    "logs",
    "partners",
    "receipts",
    "sample",
    "stack.",
    "store-days",
    ".stack.",
)
"""How the names of what we write into it begin."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO

_UMASK = "ORCHESTRATOR_USUAL_UMASK"


def files_for_us_alone() -> None:
    """From now on, what this process and those that it starts write is for this user alone."""
    usual = os.umask(_OTHERS)
    os.environ.setdefault(
        _UMASK, f"{usual:03o}"
    )  # of the first of our processes: it was the user's


def usual_umask() -> int:
    """The umask that the user's own commands expect; -1 when this process has it still."""
    return int(os.environ.get(_UMASK, "-1"), 8)


def make_state_folder(folder: Path) -> None:
    """Make the state folder if it is missing, and close it to other users.

    A folder that holds more than ours keeps its mode: it may be a home, or ``/tmp``.

    Raises:
        OSError: It can be neither made nor read.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None
    if all(name.startswith(_OURS) for name in os.listdir(folder)):
        _close(folder)


def close_state_folder(folder: Path) -> None:
    """Close whatever of ours lies in it to other users, too.

    Raises:
        OSError: It cannot be read.
    """
    make_state_folder(folder)
    for path in _contents(folder):
        _close(path)


def open_to_others(folder: Path) -> bool:
    """Whether other users may look into the state folder."""
    return bool(stat.S_IMODE(folder.stat().st_mode) & _OTHERS)


def _contents(folder: Path) -> Iterator[Path]:
    for first in (path for path in folder.iterdir() if path.name.startswith(_OURS)):
        yield first
        for root, folders, files in os.walk(first):
            yield from (Path(root, name) for name in [*folders, *files])


def _close(path: Path) -> None:
    # Gone meanwhile, or another user's: then it is theirs to close, and doctor says so.
    with suppress(FileNotFoundError, PermissionError):
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode) and mode & _OTHERS:
            path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
