"""Text in Markdown is only text: no link, no picture, no HTML, no list of its own."""

from __future__ import annotations

import re

import pytest

from flows.reports.plain_text import as_lines, as_text

ADDRESSES = [
    "https://evil.example/x?a=1",
    "HTTP://evil.example",
    "www.evil.example",
    "ftp://evil.example",
    "someone@evil.example",
    "mailto:someone@evil.example",
    "xmpp:someone@evil.example/x",
    "javascript://evil.example",
    "(see,https://evil.example)",
    "https://evil.example|www.evil.example",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_code(address: str) -> None:
    text = as_text(f"Mug {address} blue")
    outside = re.sub(r"`[^`]*`", "", text)
    assert not re.search(r"://|www\.|\w@\w", outside, re.IGNORECASE)
    assert text.replace("`", "").replace("\\|", "|") == f"Mug {address} blue"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a`b https://x`y", r"a\`b `https://x`\`y"),
        ("[x](https://evil)", r"`[x](https://evil)`"),
        ("[x](//evil)", r"\[x\](//evil)"),
        ("![x](data:a)", r"!\[x\](data:a)"),
        ("<b>x</b> &amp;", r"\<b\>x\</b\> \&amp;"),
        ("*a* _b_ ~c~ a|b", r"\*a\* \_b\_ \~c\~ a\|b"),
        ("# no heading", r"\# no heading"),
        ("- no list", r"\- no list"),
        ("+ no list", r"\+ no list"),
        ("12. no list", r"12\. no list"),
        ("3) no list", r"3\) no list"),
        ("--- no rule", r"\--- no rule"),
        ("=== no heading", r"\=== no heading"),
        ("    no code", "no code"),
        ("-5 of 1.50", "-5 of 1.50"),
        ("two\nlines\x1b[2J\u202e", r"two lines \[2J"),
        ("5 @ 3 a.b", "5 @ 3 a.b"),
        ("postgresql://u:secret@h/d", "`postgresql://u:***@h/d`"),
    ],
)
def test_nothing_else_comes_alive(text: str, shown: str) -> None:
    assert as_text(text) == shown


def test_lines_keep_their_list() -> None:
    assert as_lines("What *was* tried:\n\n- www.a.b: # no\n- x") == (
        "What \\*was\\* tried:\n\n- `www.a.b:` # no\n- x"
    )
