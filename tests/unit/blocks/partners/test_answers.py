"""An answer as text: in the charset that it is really in, or not at all."""

from __future__ import annotations

import codecs

import pytest

from blocks.errors import SourceGarbled
from blocks.partners.answers import Answer


def text(body: bytes, charset: str = "") -> str:
    return Answer(200, "text/csv", body, 1.0, None, charset=charset, source="it").text()


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        ("Preis: 9,50 €".encode(), ""),
        ("Preis: 9,50 €".encode(), "utf-8"),
        ("Preis: 9,50 €".encode(), "UTF8"),
        ("Preis: 9,50 €".encode("cp1252"), "windows-1252"),
        ("Preis: 9,50 €".encode("cp1252"), "iso-8859-1"),  # as it is meant: Latin-1 has no euro
        ("Preis: 9,50 €".encode("cp1252"), "us-ascii"),
        ("Preis: 9,50 €".encode("iso-8859-15"), "iso-8859-15"),
        (codecs.BOM_UTF8 + "Preis: 9,50 €".encode(), "iso-8859-1"),  # the mark wins
        ("Preis: 9,50 €".encode("utf-16"), ""),
        (codecs.BOM_UTF16_BE + "Preis: 9,50 €".encode("utf-16-be"), "utf-8"),
        ("Preis: 9,50 €".encode("utf-32"), ""),
    ],
)
def test_text_is_read_as_it_was_written(body: bytes, charset: str) -> None:
    assert text(body, charset) == "Preis: 9,50 €"


@pytest.mark.parametrize(
    "charset",
    [
        "klingon",
        "zip",
        "base64",
        "rot13",
        "punycode",
        "idna",
        "unicode_escape",
        "undefined",
        "a\0b",
    ],
)
def test_a_charset_that_no_document_is_in_is_told(charset: str) -> None:
    with pytest.raises(SourceGarbled, match="which is none that we know"):
        text(b"abc", charset)


@pytest.mark.parametrize(
    ("body", "charset", "says"),
    [
        (b"9,50 \x80", "", r"no UTF-8: b'\\x80' at byte 5"),
        (b"9,50 \x81", "windows-1252", r"no CP1252: b'\\x81' at byte 5"),
        (codecs.BOM_UTF16_LE + b"a", "", "no UTF-16"),
    ],
)
def test_bytes_of_another_charset_are_told_and_never_guessed(
    body: bytes, charset: str, says: str
) -> None:
    with pytest.raises(SourceGarbled, match=says):
        text(body, charset)
