"""How much the name of a column says that it is what we look for."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from agents.integration_specialist.format_transformation.catalogue import Table
from agents.integration_specialist.format_transformation.words import stem, words_of

SURE = 0.7
"""More than likeness alone can give."""

_SLIP = 0.8  # words that are less alike mean something else


def name_score(column: str, table: Table, names: tuple[str, ...]) -> float:
    """How much a column's name says that it is one of ``names``, 0 to 1.

    Args:
        column: The column's name.
        table: Its table, whose own name in a column says nothing.
        names: What it may be called, in words, the likeliest first.
    """
    words = words_of(column)
    # products.product_name may be meant as "name", suppliers.name as "supplier name".
    without_table = [word for word in words if stem(word) not in table.stems]
    one = [word.removesuffix("s") for word in table.words]  # the id of products is a product id
    whole = ([*table.words, *words], [*one, *words])
    forms = {" ".join(form) for form in (words, without_table, *whole) if form}
    return max((_form_score(form, names) for form in forms), default=0.0)


@dataclass(frozen=True)
class _Vocabulary:
    """Names by what they are found by: a database has tens of thousands of columns to compare.

    Attributes:
        exact: A name without spaces to how likely it is.
        by_word: A word to the names that have it: their words, and how likely each is.
        by_letter: A first letter to the names that begin so, without spaces.
    """

    exact: dict[str, float]
    by_word: dict[str, list[tuple[frozenset[str], float]]]
    by_letter: dict[str, list[tuple[str, float]]]


@lru_cache
def _vocabulary(names: tuple[str, ...]) -> _Vocabulary:
    found = _Vocabulary({}, defaultdict(list), defaultdict(list))
    for rank, name in enumerate(names):
        likely = 1 - 0.25 * rank / len(names)
        joined, words = name.replace(" ", ""), frozenset(name.split())
        found.exact.setdefault(joined, likely)
        found.by_letter[joined[0]].append((joined, likely))
        for word in words:
            found.by_word[word].append((words, likely))
    return found


@lru_cache(maxsize=50_000)
def _form_score(form: str, names: tuple[str, ...]) -> float:
    known = _vocabulary(names)
    joined, words = form.replace(" ", ""), set(form.split())
    best = known.exact.get(joined, 0.0)
    for word in words:
        for name, likely in known.by_word.get(word, ()):
            if name <= words:
                best = max(best, 0.8 * likely - 0.05 * (len(words) - len(name)))
    if len(joined) > 4 and best < SURE:
        for other, likely in known.by_letter.get(joined[0], ()):
            best = max(best, SURE * likely * _alike(joined, other))
    return best


def _alike(one: str, other: str) -> float:
    """How alike two words are, 0 to 1; 0 where it is no slip of the pen."""
    shorter, longer = sorted((len(one), len(other)))
    if 2 * shorter <= _SLIP * (shorter + longer):
        return 0.0
    ratio = SequenceMatcher(None, one, other).ratio()
    return ratio if ratio > _SLIP else 0.0
