"""What a spreadsheet makes of a table's cells."""

from __future__ import annotations

from blocks.text import printable

_FORMULA = tuple("=+-@＝＋－＠")  # the wide ones count in some countries


def harmless(cell: str) -> str:
    """Text that a spreadsheet shows and does not carry out, on one line."""
    line = printable(cell)
    return f"'{line}" if line.lstrip().startswith(_FORMULA) else line
