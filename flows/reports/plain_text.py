"""Text inside Markdown: names come from databases and partners, and nothing in them comes alive.

Prefect's pages read GitHub's Markdown, which makes links of bare addresses, too. One of their
readers does so after it has resolved escapes, so an address is shown as code, which none touches.
"""

from __future__ import annotations

import re

from blocks.text import printable
from blocks.text.masking import without_passwords

_SYMBOLS = str.maketrans({symbol: f"\\{symbol}" for symbol in "\\`*_[]<>|&~$"})
_ADDRESS = re.compile(r"[^\s|`]*(?::/|www\.|[^\s|`]@[^\s|`])[^\s|`]*", re.IGNORECASE)
_BEGINNING = re.compile(r"^(?:(\d+)(?=[.)](?:\s|$))|(?=[+-](?:\s|$)|#|=|--))")


def as_text(text: str) -> str:
    """One line of Markdown that shows the text as it is, and does nothing else.

    Args:
        text: Anything. Line ends and control characters become spaces, passwords of URLs stars.
    """
    line = " ".join(printable(without_passwords(text)).split())
    parts, end = [], 0
    for address in _ADDRESS.finditer(line):
        parts += [_escaped(line[end : address.start()]), f"`{address[0]}`"]
        end = address.end()
    return _BEGINNING.sub(r"\1\\", "".join([*parts, _escaped(line[end:])]))


def as_lines(text: str) -> str:
    """Several lines of text; those that begin with a dash are a list."""
    return "\n".join(
        f"- {as_text(line[2:])}" if line.startswith("- ") else as_text(line)
        for line in text.splitlines()
    )


def _escaped(text: str) -> str:
    return text.translate(_SYMBOLS)
