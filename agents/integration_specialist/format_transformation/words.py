"""Names in databases, taken apart into words that can be compared."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache


def words_of(name: str) -> list[str]:
    """``OrderLine_ArtikelNr`` as order, line, artikel, nr; accents and umlauts spelt out."""
    return list(_words_of(name))


@lru_cache(maxsize=50_000)
def _words_of(name: str) -> tuple[str, ...]:
    name = re.sub(r"(?<=[a-z0-9äöü])(?=[A-ZÄÖÜ])", " ", name).lower()
    for letter, spelt in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")):
        name = name.replace(letter, spelt)
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    return tuple(re.findall(r"[a-z]+|\d+", plain))


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """The word without plural ending and umlaut, so that ``Aufträge`` is ``Auftrag``.

    Only good for comparing words with each other.
    """
    for umlaut, vowel in (("ae", "a"), ("oe", "o"), ("ue", "u")):
        word = word.replace(umlaut, vowel)
    if word.endswith("ies"):
        return word[:-3] + "y"
    for ending in ("en", "es", "e", "n", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word.removesuffix(ending)
    return word


def listed(names: list[str], most: int = 12) -> str:
    """Names as a person reads them, the rest of a long list counted."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
