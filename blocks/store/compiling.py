"""Expressions of a mapping as SQL, for the database at hand.

Names are looked up among the tables of the mapping, numbers are written out, texts are bound
parameters. Where the databases differ, the function that makes the difference says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, MONEY

from blocks.errors import ContractViolation
from blocks.store.expressions import Call, Constant, Name, Node, parse
from blocks.store.schema import find_column, has_column

Element: TypeAlias = sa.ColumnElement[Any]

_FARTHEST = 100_000_000_000
"""Seconds from 1970 that still are an instant for every database (the year 5138)."""

_NUMBERS = {
    ",": (r"^\s*[-+]?([0-9]+|[0-9]{1,3}([.][0-9]{3})+)(,[0-9]*)?\s*$", "."),
    ".": (r"^\s*[-+]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)([.][0-9]*)?\s*$", ","),
}
"""Decimal mark to how its numbers look, and the mark that groups their digits."""


@dataclass(frozen=True)
class Scope:
    """What an expression may name.

    Attributes:
        tables: Name to table, in the order in which a bare column name is looked up.
        frame: The frame that is mapped, for messages.
        dialect: ``sqlite``, ``postgresql``, ``mysql`` or ``mariadb``.
    """

    tables: Mapping[str, sa.FromClause]
    frame: str
    dialect: str


def compiled(text: str, scope: Scope) -> Element:
    """The SQL of an expression.

    Raises:
        ContractViolation: It names no column that there is, or is no expression.
    """
    if has_column(text, scope.tables):
        return _column(text, scope)
    try:
        node = parse(text)
    except ContractViolation as error:
        tables = ", ".join(scope.tables)
        raise ContractViolation(
            f"{scope.frame}: there is no column {text!r} in {tables}, and it is no expression: "
            f"{error.what}",
            hint=error.hint,
        ) from None
    return _Compiler(scope).element(node)


def condition(text: str, scope: Scope) -> Element:
    """The SQL of a condition: false where it is neither true nor false.

    Raises:
        ContractViolation: As ``compiled``.
    """
    return sa.func.coalesce(compiled(text, scope), sa.false())


def is_utc(text: str, scope: Scope) -> bool:
    """Whether an expression's dates are in UTC where they carry no zone: ``utc(…)``, ``epoch(…)``.

    Raises:
        ContractViolation: As ``compiled``.
    """
    return not has_column(text, scope.tables) and _is_utc(parse(text))


def _is_utc(node: Node) -> bool:
    if not isinstance(node, Call):
        return False
    if node.name in ("utc", "epoch", "epoch_ms"):
        return True
    values = {"first_of": node.arguments, "if": node.arguments[1:], "null_if": node.arguments[:1]}
    given = [a for a in values.get(node.name, ()) if a != Constant(None)]
    return bool(given) and all(map(_is_utc, given))


def _column(text: str, scope: Scope) -> Element:
    column = find_column(text, scope.tables, scope.frame)
    if isinstance(column.type, MONEY):  # it would come as "$1,234.50"
        return sa.cast(column, sa.Numeric)
    return column


class _Compiler:
    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._sqlite = scope.dialect == "sqlite"
        self._postgresql = scope.dialect == "postgresql"
        self._functions: dict[str, Callable[..., Element]] = {
            "and": self._and,
            "or": self._or,
            "not": self._not,
            "is empty": self._is_empty,
            "neg": self._neg,
            "first_of": self._first_of,
            "null_if": self._null_if,
            "if": self._if,
            "text": self._text,
            "lower": self._lower,
            "concat": self._concat,
            "json": self._json,
            "epoch": self._epoch,
            "epoch_ms": self._epoch_ms,
            "utc": self.element,  # what is in UTC is told by is_utc
            "number": self._read_number,
        }

    def element(self, node: Node) -> Element:
        match node:
            case Name(text):
                return _column(text, self._scope)
            case Constant(value):
                return _literal(value)
            case Call(name, arguments) if name in _OPERATORS:
                return _OPERATORS[name](*map(self._number, arguments))
            case Call(name, (left, right)) if name in _COMPARISONS:
                return self._compared(_COMPARISONS[name], left, right)
            case Call("in" | "not in" as name, (left, *values)):
                return self._listed(name, left, values)
            case Call(name, arguments):
                return self._functions[name](*arguments)

    def _number(self, node: Node) -> Element:
        """An operand of arithmetic: told to be a number, so that ``+`` does not join texts."""
        element = self.element(node)
        known = isinstance(element.type, sa.Numeric | sa.Integer)
        return element if known else sa.type_coerce(element, sa.Numeric(asdecimal=False))

    def _compared(self, compare: Callable[[Any, Any], Element], left: Node, right: Node) -> Element:
        # A constant takes the type of what it is compared with: an enumeration, for instance.
        if isinstance(left, Constant) and not isinstance(right, Constant):
            return compare(sa.literal(left.value, self.element(right).type), self.element(right))
        value = right.value if isinstance(right, Constant) else self.element(right)
        return compare(self.element(left), value)

    def _listed(self, name: str, left: Node, values: Sequence[Node]) -> Element:
        element = self.element(left)
        listed = [v.value if isinstance(v, Constant) else self.element(v) for v in values]
        if name == "in":
            return element.in_(listed)
        return sa.or_(element.is_(None), element.not_in(listed))

    def _and(self, left: Node, right: Node) -> Element:
        return sa.and_(self.element(left), self.element(right))

    def _or(self, left: Node, right: Node) -> Element:
        return sa.or_(self.element(left), self.element(right))

    def _not(self, operand: Node) -> Element:
        return sa.not_(sa.func.coalesce(self.element(operand), sa.false()))

    def _is_empty(self, operand: Node) -> Element:
        return self.element(operand).is_(None)

    def _neg(self, operand: Node) -> Element:
        return -self._number(operand)

    def _first_of(self, *nodes: Node) -> Element:
        return sa.func.coalesce(*map(self.element, nodes))

    def _null_if(self, node: Node, empty: Node) -> Element:
        element = self.element(node)
        return sa.case((self._compared(lambda a, b: a == b, node, empty), sa.null()), else_=element)

    def _if(self, test: Node, then: Node, otherwise: Node) -> Element:
        return sa.case((self.element(test), self.element(then)), else_=self.element(otherwise))

    def _text(self, node: Node) -> Element:
        return sa.cast(self.element(node), sa.Text if self._sqlite else sa.String)

    def _lower(self, node: Node) -> Element:
        return sa.func.lower(self._text(node))

    def _concat(self, *nodes: Node) -> Element:
        joined, *others = map(self._text, nodes)
        for other in others:
            joined = joined + other
        return joined

    def _json(self, node: Node, *keys: Node) -> Element:
        """One value of a JSON document, as text; empty where there is none."""
        path = [_constant("json", key) for key in keys]
        column = self.element(node)
        if self._postgresql:
            place = sa.cast(sa.literal("{" + ",".join(map(_pg_key, path)) + "}"), sa.ARRAY(sa.Text))
            document = sa.cast(column, JSONB)
            return sa.type_coerce(document.op("#>>", precedence=15)(place), sa.String)
        steps = sa.literal("$" + "".join(map(_json_step, path)))
        if self._sqlite:
            found: Element = sa.cast(sa.func.json_extract(column, steps), sa.Text)
        else:
            found = sa.func.json_value(column, steps, type_=sa.String)
        return sa.case((sa.func.json_valid(column) == 1, found))

    def _epoch(self, node: Node) -> Element:
        return self._instant(self._number(node))

    def _epoch_ms(self, node: Node) -> Element:
        return self._instant(self._number(node) * sa.literal_column("0.001", sa.Float))

    def _instant(self, seconds: Element) -> Element:
        """Seconds since 1970 as a date and time in UTC; empty where no database could say it."""
        if self._sqlite:
            told: Element = sa.func.strftime("%Y-%m-%d %H:%M:%f", seconds, "unixepoch")
        elif self._postgresql:
            told = sa.func.timezone("UTC", sa.func.to_timestamp(seconds))
        else:
            told = sa.func.timestampadd(
                sa.literal_column("MICROSECOND"),
                seconds * 1_000_000,
                sa.literal_column("TIMESTAMP '1970-01-01 00:00:00'"),
            )
        possible = sa.and_(seconds > -_FARTHEST, seconds < _FARTHEST)
        return sa.type_coerce(sa.case((possible, told)), sa.DateTime())

    def _read_number(self, node: Node, mark: Node) -> Element:
        """Text as a number; empty where it is none with that decimal mark."""
        pattern, group = _NUMBERS[_mark(mark)]
        text = self._text(node)
        plain = sa.func.replace(sa.func.replace(text, group, ""), ",", ".")
        kind = sa.REAL() if self._sqlite else sa.Numeric(24, 6)
        return sa.case((text.regexp_match(pattern), sa.cast(sa.func.trim(plain), kind)))


_OPERATORS: dict[str, Callable[[Element, Element], Element]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    # In floating point: integers would be cut off by two of the databases, decimals rounded to
    # four places by the third. Nothing divided by zero is a number.
    "/": lambda a, b: sa.type_coerce(
        a * sa.literal_column("1e0", sa.Float) / sa.func.nullif(b, 0), sa.Float
    ),
}

_COMPARISONS: dict[str, Callable[[Any, Any], Element]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a.is_distinct_from(b),  # an empty value differs from every other
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _literal(value: str | int | float | bool | None) -> Element:
    if value is None:
        return sa.null()
    if isinstance(value, bool):
        return sa.true() if value else sa.false()
    if isinstance(value, str):
        return sa.literal(value, sa.String)
    return sa.literal_column(repr(value), sa.Integer if isinstance(value, int) else sa.Float)


def _constant(function: str, node: Node) -> str | int:
    if isinstance(node, Constant) and isinstance(node.value, str | int):
        return node.value
    raise ContractViolation(f"{function}: the keys must be written out, such as 'en_US'.")


def _mark(node: Node) -> str:
    if isinstance(node, Constant) and node.value in _NUMBERS:
        return str(node.value)
    raise ContractViolation("number: the second value is the decimal mark, ',' or '.'.")


def _pg_key(key: str | int) -> str:
    escaped = str(key).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _json_step(key: str | int) -> str:
    if isinstance(key, int):
        return f"[{key}]"
    if '"' in key or "\\" in key:
        raise ContractViolation(f"json: {key!r} cannot be a key here.")
    return f'."{key}"'
