"""The language in which a mapping says how a column of ours is made of theirs.

A handful of operators and functions, parsed into a tree; ``blocks.store.compiling`` makes SQL of
it. No text of a mapping ever becomes SQL.

::

    or            condition or condition
    and           condition and condition
    not           not condition
    comparison    a = b, a != b, <, <=, >, >=, a in (1, 2), a not in ('x'), a is [not] empty
    sum           a + b, a - b
    product       a * b, a / b
    value         12.5, 'text', true, false, empty, column, table.column, `any name`, f(a, b), (a)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn, TypeAlias

from blocks.errors import ContractViolation
from blocks.text import did_you_mean

FUNCTIONS: dict[str, tuple[int, int]] = {
    "first_of": (1, 9),
    "null_if": (2, 2),
    "if": (3, 3),
    "json": (2, 9),
    "epoch": (1, 1),
    "epoch_ms": (1, 1),
    "utc": (1, 1),
    "number": (2, 2),
    "text": (1, 1),
    "lower": (1, 1),
    "concat": (2, 9),
}
"""Function to the fewest and the most arguments that it takes."""

LONGEST, MOST_WORDS, DEEPEST = 2_000, 200, 40
"""Characters of an expression, its words and signs, and parentheses within each other."""


@dataclass(frozen=True)
class Name:
    """A column: ``column`` or ``table.column``."""

    text: str


@dataclass(frozen=True)
class Constant:
    """A number, a text, a truth value, or None for ``empty``."""

    value: str | int | float | bool | None


@dataclass(frozen=True)
class Call:
    """A function, or an operator by its sign (``neg`` and ``not`` have one argument)."""

    name: str
    arguments: tuple[Node, ...]


Node: TypeAlias = Name | Constant | Call
_Part: TypeAlias = Callable[[], Node]

_WORD = r"(?:`[^`]+`|[^\W\d]\w*)"
_TOKEN = re.compile(
    rf"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<text>'(?:[^']|'')*')|(?P<name>{_WORD}(?:\.{_WORD})*)"
    r"|(?P<sign><=|>=|!=|[-+*/=<>(),]))"
)
_RESERVED = frozenset({"and", "or", "not", "in", "is", "empty", "true", "false"})
_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "empty": None}
_COMPARISONS = frozenset({"=", "!=", "<", "<=", ">", ">="})


@lru_cache(maxsize=2_000)
def parse(text: str) -> Node:
    """The tree of an expression.

    Raises:
        ContractViolation: It is none; says what was expected, and where.
    """
    if len(text) > LONGEST:
        raise ContractViolation(f"An expression of {len(text)} characters; {LONGEST} are the most.")
    return _Parser(text).whole()


class _Parser:
    """Recursive descent: one method per line of the table above."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str, int]] = list(_tokens(text))
        self._depth = 0
        if len(self._tokens) > MOST_WORDS:
            raise ContractViolation(f"more than {MOST_WORDS} words and signs.")

    def whole(self) -> Node:
        node = self._or()
        if self._tokens:
            self._refuse("an operator, or the end")
        return node

    def _or(self) -> Node:
        return self._chain(self._and, ("or",))

    def _and(self) -> Node:
        return self._chain(self._not, ("and",))

    def _not(self) -> Node:
        if self._take("not"):
            return Call("not", (self._deeper(self._not),))
        return self._comparison()

    def _comparison(self) -> Node:
        left = self._sum()
        if sign := self._take(*_COMPARISONS):
            return Call(sign, (left, self._sum()))
        if self._take("is"):
            negated = bool(self._take("not"))
            self._need("empty")
            empty = Call("is empty", (left,))
            return Call("not", (empty,)) if negated else empty
        if self._peek() == "not" and self._peek(1) == "in":
            self._take("not")
            self._take("in")
            return Call("not in", (left, *self._listed()))
        if self._take("in"):
            return Call("in", (left, *self._listed()))
        return left

    def _sum(self) -> Node:
        return self._chain(self._product, ("+", "-"))

    def _product(self) -> Node:
        return self._chain(self._signed, ("*", "/"))

    def _signed(self) -> Node:
        if self._take("-"):
            return Call("neg", (self._deeper(self._signed),))
        return self._value()

    def _value(self) -> Node:
        if not self._tokens:
            self._refuse("a value")
        kind, token, _ = self._tokens[0]
        if self._take("("):
            node = self._deeper(self._or)
            self._need(")")
            return node
        if kind == "sign" or (token in _RESERVED and token not in _CONSTANTS):
            self._refuse("a value")
        self._tokens.pop(0)
        if kind == "number":
            return Constant(float(token) if "." in token else int(token))
        if kind == "text":
            return Constant(token[1:-1].replace("''", "'"))
        if token in _CONSTANTS:
            return Constant(_CONSTANTS[token])
        if self._peek() == "(":
            return self._call(token)
        return Name(".".join(word.strip("`") for word in re.findall(_WORD, token)))

    def _call(self, name: str) -> Node:
        if name not in FUNCTIONS:
            raise ContractViolation(
                f"there is no function {name!r}.",
                hint=did_you_mean(name, list(FUNCTIONS)),
            )
        arguments = self._listed()
        fewest, most = FUNCTIONS[name]
        if not fewest <= len(arguments) <= most:
            takes = f"{fewest}" if fewest == most else f"{fewest} to {most}"
            raise ContractViolation(f"{name} takes {takes} values and was given {len(arguments)}.")
        return Call(name, tuple(arguments))

    def _listed(self) -> Sequence[Node]:
        self._need("(")
        nodes = [self._deeper(self._or)]
        while self._take(","):
            nodes.append(self._deeper(self._or))
        self._need(")")
        return nodes

    def _chain(self, part: _Part, signs: tuple[str, ...]) -> Node:
        node = part()
        while sign := self._take(*signs):
            node = Call(sign, (node, part()))
        return node

    def _deeper(self, part: _Part) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ContractViolation(f"more than {DEEPEST} levels deep.")
        node = part()
        self._depth -= 1
        return node

    def _peek(self, ahead: int = 0) -> str:
        token = self._tokens[ahead] if ahead < len(self._tokens) else ("", "", 0)
        return "" if token[0] in ("text", "number") else token[1]

    def _take(self, *wanted: str) -> str:
        token = self._peek()
        if token and token in wanted:
            self._tokens.pop(0)
            return token
        return ""

    def _need(self, wanted: str) -> None:
        if not self._take(wanted):
            self._refuse(repr(wanted))

    def _refuse(self, wanted: str) -> NoReturn:
        at = self._tokens[0][2] if self._tokens else len(self._text)
        found = f"before {self._text[at : at + 20]!r}" if self._tokens else "at its end"
        raise ContractViolation(
            f"{wanted} is expected {found}.",
            hint="Write names with other characters than letters, digits and _ in `backticks`, "
            "and texts in 'quotes'.",
        )


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    at = 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ContractViolation(
                f"{text[at:].lstrip()[:1]!r} has no meaning here.",
                hint="Write names with other characters than letters, digits and _ in `backticks`, "
                "and texts in 'quotes'.",
            )
        kind = str(found.lastgroup)
        yield kind, found[kind], found.start(kind)
        at = found.end()
