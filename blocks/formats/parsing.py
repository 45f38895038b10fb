"""Reading what others answer, in a process of its own that is ended when it takes too long.

A thread cannot be ended, and one that parses megabytes lets nothing else of its process have a
turn; so nothing that a partner sent is parsed in ours.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from blocks.formats import rows as foreign_rows
from blocks.formats.rows import Job, Said

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


@dataclass(frozen=True)
class Rows:
    """The wanted columns of an answer.

    Attributes:
        columns: Our name to a list with a cell per row: text, number, truth value, or None where
            it is empty, absent, nested or endless.
        said: What the answer says of itself beside its rows.
    """

    columns: dict[str, list[Any]]
    said: Said = field(default_factory=Said)

    def __len__(self) -> int:
        return max(map(len, self.columns.values()), default=0)

    @classmethod
    def joined(cls, pages: Sequence[Rows]) -> Rows:
        """The rows of several answers as one, with all that they say of themselves."""
        if len(pages) == 1:
            return pages[0]
        said = Said()
        for page in pages:
            said.update(page.said)
        return cls(
            {
                name: [cell for page in pages for cell in page.columns[name]]
                for name in pages[0].columns
            },
            said,
        )


async def read_rows(
    body: bytes, kind: Format, records_path: str, columns: dict[str, str], charset: str = ""
) -> Rows:
    """The wanted columns of an answer.

    Args:
        body: The answer, as it came.
        kind: Its format.
        records_path: Where the rows are: dotted keys for JSON, an element path for XML.
        columns: Our name of each wanted column to theirs.
        charset: What its text is labelled as; "" where nobody says.

    Raises:
        UnreadableError: It is not in its format, holds no rows, or is beyond a limit.
    """
    job = Job(
        format=kind,
        records_path=records_path,
        charset=charset,
        columns=columns,
        max_rows=MAX_ROWS,
        max_columns=MAX_COLUMNS,
        max_cell=MAX_CELL,
        memory=MEMORY,
        seconds=int(SECONDS) + 1,  # in case we are gone ourselves at the deadline
    )
    said = await _ask(json.dumps(job).encode() + b"\n" + body)
    return await asyncio.to_thread(_rows, said, list(columns))


def _rows(answer: bytes, names: list[str]) -> Rows:
    rows = Rows({name: [] for name in names})
    for line in answer.splitlines():
        part = json.loads(line)
        if "error" in part:
            raise UnreadableError(part["error"])
        for name, cells in zip(names, part.get("cells", ()), strict=False):
            rows.columns[name] += cells
        rows.said.update(part.get("said", {}))
    return rows


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
