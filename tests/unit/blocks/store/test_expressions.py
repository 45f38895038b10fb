"""The language of mappings: what is parsed, and what is refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.errors import ContractViolation
from blocks.store.expressions import Call, Constant, Name, Node, parse

a, b, c = Name("a"), Name("b"), Name("c")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a", a),
        ("s.t.c", Name("s.t.c")),
        ("`a b`.`in`", Name("a b.in")),
        ("a - b - c", Call("-", (Call("-", (a, b)), c))),
        ("a - b * c", Call("-", (a, Call("*", (b, c))))),
        ("(a - b) * c", Call("*", (Call("-", (a, b)), c))),
        ("-a * b", Call("*", (Call("neg", (a,)), b))),
        ("a or b and c", Call("or", (a, Call("and", (b, c))))),
        ("not a = b", Call("not", (Call("=", (a, b)),))),
        ("a + 1 <= 2.5", Call("<=", (Call("+", (a, Constant(1))), Constant(2.5)))),
        ("a in ('x', 1)", Call("in", (a, Constant("x"), Constant(1)))),
        ("a is not empty", Call("not", (Call("is empty", (a,)),))),
        (
            "if(true, empty, 'it''s')",
            Call("if", (Constant(True), Constant(None), Constant("it's"))),
        ),
        ("'and'", Constant("and")),
    ],
)
def test_what_binds_how(text: str, tree: Node) -> None:
    assert parse(text) == tree


WORDS = (
    "( ) + - * / = < > , . ' ` <= != ; -- a t.b 12 'x' é and not in is empty if( first_of( json("
)
SCRAPS = st.lists(st.sampled_from(WORDS.split()), max_size=40)


@given(SCRAPS.map(" ".join) | SCRAPS.map("".join) | st.text(max_size=60))
def test_any_text_is_an_expression_or_says_why_not(text: str) -> None:
    with suppress(ContractViolation):
        parse(text)


def test_a_long_text_is_refused_before_it_is_read() -> None:
    with pytest.raises(ContractViolation, match="2001 characters"):
        parse("a" * 2001)
