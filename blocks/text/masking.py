"""Passwords in URLs are masked before anything is kept, shown, or handed to Prefect.

What partners and clients send us holds links, and links hold passwords: before the host, or as the
value of a query's key. Nothing of ours needs them: connections take theirs from blocks. So they are
masked where text comes in (events, parameters, documents) and where it is written (the ledger).
"""

from __future__ import annotations

import re
from typing import Any, TypeVar, cast

MASK = "***"

V = TypeVar("V")

# Whatever follows takes time that grows with the text alone, whoever has written it: words are
# taken one by one, and each expression within a word is anchored or bounded.
_WORD = re.compile(r"""[^\s"'<>]+""")
_ADDRESS = re.compile(r"(:\\?/\\?/)")  # with the backslashes that some writers of JSON put there
_PORT = re.compile(r"\d{1,5}(?![\w@.~!$*+=%-])")
_PASSWORD = re.compile(r"[^@]*(?:@[^@/?#]*(?=@))*@")  # one that is not encoded may hold / or @
_USER = re.compile(r"[^:@/?#\[]*")
_KEY = re.compile(
    r"""
    (
        (?: (?<=[?&;#]) | (?<=\\u0026) )
        (?:
            [\w.-]{0,40} (?: passw(?:or)?d | passphrase | secret | token | api[_-]?key
                           | credential | signature ) [\w.-]{0,40}
            | pwd | pass | sig | auth | key
        )
        | (?<![\w.-]) passw(?:or)?d     # as in the settings of a database's client
    )
    = [^&\s\#"'<>;\\]+
    """,
    re.IGNORECASE | re.VERBOSE,
)


def without_passwords(value: V) -> V:
    """The value with each password of a URL in it masked, in texts at any depth.

    Masking what is masked already changes nothing.

    Args:
        value: Text, or what JSON can hold; anything else stays as it is.
    """
    return cast(V, _without(value))


def _without(value: Any) -> Any:
    if isinstance(value, str):
        return _masked(value)
    if isinstance(value, dict):
        return {_without(key): _without(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without(each) for each in value]
    return value


def _masked(text: str) -> str:
    if "//" in text or "\\/" in text:
        text = _WORD.sub(_masked_word, text)
    if "=" in text:
        text = _KEY.sub(rf"\1={MASK}", text)
    return text


def _masked_word(found: re.Match[str]) -> str:
    parts = _ADDRESS.split(found[0])
    for number in range(2, len(parts), 2):
        of_a_page = parts[number - 2][-5:].lower().endswith(("http", "https"))
        parts[number] = _masked_user(parts[number], of_a_page)
    return "".join(parts)


def _masked_user(after: str, of_a_page: bool) -> str:
    """What follows the slashes; of a page even a name without a password is a secret, a token."""
    user = _USER.match(after)
    assert user is not None, "it may be empty"
    end = user.end()
    if after[end : end + 1] == "@":
        return MASK + after[end:] if of_a_page and end else after
    if after[end : end + 1] != ":" or _PORT.match(after, end + 1):
        return after
    password = _PASSWORD.match(after, end + 1)
    return f"{after[:end]}:{MASK}@{after[password.end() :]}" if password else after
