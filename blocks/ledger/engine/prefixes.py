"""What a person names by the beginning of its id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from blocks.errors import NotFound, RequestError

SHORTEST_PREFIX = 6
"""Characters of an id that a person has to give."""

T = TypeVar("T")


def require_enough(named: str, what: str) -> None:
    """See that a name is long enough to name one thing.

    Args:
        named: What a person gave.
        what: What it is to name, with its article: ``an order``.

    Raises:
        RequestError: It is too short.
    """
    if len(named) < SHORTEST_PREFIX:
        raise RequestError(
            f"{named!r} is too short to name {what}.",
            hint=f"Give at least {SHORTEST_PREFIX} characters of its id.",
        )


def the_one(found: Sequence[T], named: str, what: str, see: str) -> T:
    """The only one that a name fits.

    Args:
        found: What it fits; two of them are enough.
        named: What a person gave.
        what: What it is to name, with its article.
        see: Where the others are listed.

    Raises:
        NotFound: It fits none.
        RequestError: It fits several.
    """
    noun = what.partition(" ")[2]
    if not found:
        raise NotFound(f"There is no {noun} {named!r}.", hint=f"See {see}")
    if len(found) > 1:
        raise RequestError(
            f"More than one {noun} begins with {named!r}.", hint="Give more of its id."
        )
    return found[0]
