"""Reading what others answer, in a process of its own that is ended when it takes too long.

A thread cannot be ended, and one that parses megabytes lets nothing else of its process have a
turn; so nothing that a partner sent is parsed in ours.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any, Literal

from blocks.formats import rows as foreign_rows
from blocks.formats.rows import Job

Format = Literal["json", "csv", "xml"]

SECONDS = 10.0
"""What reading one answer may take."""

MAX_ROWS = 100_000
"""Most rows of an answer."""

MAX_COLUMNS = 2_000
"""Most columns of a CSV header."""

MAX_CELL = 1_000
"""Longest cell, in characters; a longer one counts as empty."""

MEMORY = 512 * 1024 * 1024
"""What reading one answer may take, in bytes."""


class UnreadableError(ValueError):
    """There are no rows in an answer; the text says why."""


async def read_rows(
    body: bytes, kind: Format, records_path: str, columns: dict[str, str]
) -> dict[str, list[Any]]:
    """The wanted columns of an answer.

    Args:
        body: The answer, as it came.
        kind: Its format.
        records_path: Where the rows are: dotted keys for JSON, an element path for XML.
        columns: Our name of each wanted column to theirs.

    Returns:
        Our name to a list with a cell per row: text, number, truth value, or None where it is
        empty, absent, nested or endless.

    Raises:
        UnreadableError: It is not in its format, holds no rows, or is beyond a limit.
    """
    job = Job(
        format=kind,
        records_path=records_path,
        columns=columns,
        max_rows=MAX_ROWS,
        max_columns=MAX_COLUMNS,
        max_cell=MAX_CELL,
        memory=MEMORY,
        seconds=int(SECONDS) + 1,  # in case we are gone ourselves at the deadline
    )
    said = await _ask(json.dumps(job).encode() + b"\n" + body)
    return await asyncio.to_thread(_columns, said, list(columns))


def _columns(said: bytes, names: list[str]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for line in said.splitlines():
        part = json.loads(line)
        if "error" in part:
            raise UnreadableError(part["error"])
        for name, cells in zip(names, part.get("cells", ()), strict=False):
            columns[name] += cells
    return columns


async def _ask(request: bytes) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", foreign_rows.__file__),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
    )
    try:
        async with asyncio.timeout(SECONDS):
            said, _ = await process.communicate(request)
    except TimeoutError:
        raise UnreadableError(f"reading it takes more than {SECONDS:g} s") from None
    finally:
        if process.returncode is None:  # too late or cancelled: nothing of it stays behind
            process.kill()
            await process.communicate()
    if process.returncode:
        raise UnreadableError("reading it takes too much memory or time")
    return said
