"""Numbers that came as text: which mark sets off the decimals, read without guessing.

``1.234`` is one and a bit where the point is the decimal mark, and more than a thousand where it
groups digits. A value such as ``12.5`` or ``1.234,50`` tells which; ``1.234`` alone does not.
"""

from __future__ import annotations

from typing import Any, Literal

import pandas as pd

DecimalMark = Literal[".", ","]

_SIGN = r"^[+-]?"
_EITHER = _SIGN + r"[1-9]\d{0,2}[.,]\d{3}$"
"""Decimals or a group of three: nobody can know."""


def _telling(mark: str, group: str) -> str:
    return (
        rf"{_SIGN}(?:\d*{mark}\d+|\d{{1,3}}(?:{group}\d{{3}})+{mark}\d*"
        rf"|[1-9]\d{{0,2}}(?:{group}\d{{3}}){{2,}})$"
    )


_TELLING: dict[DecimalMark, str] = {".": _telling(r"\.", ","), ",": _telling(",", r"\.")}
"""What only makes sense with that decimal mark, unless it is ``_EITHER``."""

_SPACED = r"(?<=\d)[ '\u00a0\u2009\u202f](?=\d{3}(?:\D|$))"
"""What groups digits and is never a decimal mark."""


def read_numbers(
    column: pd.Series[Any], mark: DecimalMark | None = None
) -> tuple[pd.Series[Any], pd.Series[bool]]:
    """Text as what ``pandas.to_numeric`` reads, where it is clear what number is meant.

    Args:
        column: Values of any type; only text is looked at.
        mark: The decimal mark that the source is said to use; else the column's other values tell.

    Returns:
        The column with its text rewritten (``1.234,50`` as ``1234.50``), and which values could be
        either a thousand or a decimal; those are as they were.
    """
    text = column[column.map(lambda value: isinstance(value, str))].astype("str").str.strip()
    text = text.str.replace(_SPACED, "", regex=True)
    marked = text[text.str.contains("[.,]", regex=True)]
    unclear = pd.Series(False, index=column.index)
    if marked.empty:
        return _with(column, text), unclear
    either = marked.str.match(_EITHER)
    told = {m: marked.str.match(pattern) & ~either for m, pattern in _TELLING.items()}
    marks = [mark] if mark else [m for m, says in told.items() if says.any()]
    for each in marks:
        meant = told[each] | either if len(marks) == 1 else told[each]
        text[meant[meant].index] = _plain(marked[meant], each)
    if mark:  # what speaks against it is no number of this source
        against = told["," if mark == "." else "."]
        text[against[against].index] = "not a number here"
    elif len(marks) != 1:
        unclear[either[either].index] = True
    return _with(column, text), unclear


def _plain(text: pd.Series[str], mark: DecimalMark) -> pd.Series[str]:
    group = "," if mark == "." else "."
    return text.str.replace(group, "", regex=False).str.replace(mark, ".", regex=False)


def _with(column: pd.Series[Any], text: pd.Series[str]) -> pd.Series[Any]:
    if text.empty:
        return column
    column = column.astype(object).copy()
    column.loc[text.index] = text.astype(object)
    return column
