"""Text from databases, partners and logs, made harmless to show; and names that were misspelt."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def printable(text: str) -> str:
    """Text without control characters: a name from a database must not steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """A hint for who named something that is not there.

    Args:
        name: What was written.
        known: What there is.
        otherwise: The hint when nothing is like it; else all that there is.
    """
    names = list(dict.fromkeys(map(printable, known)))
    spelled = {each.lower(): each for each in names}
    if near := get_close_matches(name.lower(), spelled, cutoff=0.5):
        return f"Did you mean {' or '.join(spelled[each] for each in near)}?"
    there = f"There {'are' if len(names) > 1 else 'is'} {', '.join(names) or 'none'}."
    return otherwise or there
