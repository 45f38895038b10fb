"""Small documents of others, read alike whatever their format."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.formats.documents import MOST_BYTES, is_element_path, read_document
from blocks.formats.parsing import UnreadableError

JSON = b'{"order": {"no": 17, "ok": true, "lines": [{"a": "1e400"}, {"a": 2.50}]}, "none": []}'
XML = b"""<?xml version="1.0"?><o:order xmlns:o="urn:x" no="17"><o:ok>true</o:ok>
<o:lines><o:line a="1e400"/><o:line a="2.50"/></o:lines><o:none/></o:order>"""
CSV = b"\xef\xbb\xbfno;ok;a\r\n17;true;1e400\r\n17;true;2.50\r\n"


@pytest.mark.parametrize(
    ("body", "kind", "no", "ok", "lines", "a"),
    [
        (JSON, "json", "order.no", "order.ok", "order.lines", "a"),
        (XML, "xml", "@no", "ok", "lines/line", "@a"),
        (CSV, "csv", "no", "ok", "", "a"),
    ],
)
def test_three_formats_read_alike(body, kind, no, ok, lines, a) -> None:
    document = read_document(body, kind)
    assert (document.text(no), document.text(ok)) == ("17", "true")
    parts = document.parts(lines)
    assert parts is not None
    assert [part.text(a) for part in parts] == ["1e400", "2.50"], "as they were written"
    assert document.text("nowhere") == ""


@pytest.mark.parametrize(
    ("body", "kind", "empty", "absent"),
    [
        (JSON, "json", "none", "nobody"),
        (XML, "xml", "none/order", "nobody/order"),
        (b"no;ok\r\n", "csv", "no", "number"),
        (b"<orders/>", "xml", "order", "orders/order"),
    ],
)
def test_an_empty_place_is_told_from_none(body, kind, empty, absent) -> None:
    document = read_document(body, kind)
    assert document.parts(empty) == []
    assert document.parts(absent) is None


def test_an_error_is_no_empty_list() -> None:
    assert read_document(b"<error>try again</error>", "xml").parts("order") is None
    assert read_document(b'{"orders": "try again"}', "json").parts("orders") is None


def test_rows_of_a_csv_belong_together_by_a_column() -> None:
    parts = read_document(b"no,sku\nA,1\nB,2\nA,3\n", "csv").parts("no")
    assert parts is not None
    assert [[row.text("sku") for row in part.parts("") or []] for part in parts] == [
        ["1", "3"],
        ["2"],
    ]


@pytest.mark.parametrize(
    ("body", "kind", "why"),
    [
        (b"{", "json", "parsed"),
        (b"[" * 100_000, "json", "parsed"),
        (b"\xff\xfe\xff", "json", "parsed"),
        (b"<a><b></a>", "xml", "parsed"),
        (b'<?xml version="1.0" encoding="wonder"?><a/>', "xml", "parsed"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "xml", "DOCTYPE"),
        (b"<html></html>", "csv", "no CSV header"),
        (b"", "csv", "no CSV header"),
        (b"a;b\n\xff;1", "csv", "parsed"),
        (b'a,b\n"1', "csv", "parsed"),
        (b"7" * (MOST_BYTES + 1), "json", "256 KB"),
    ],
)
def test_what_cannot_be_read_says_why(body, kind, why) -> None:
    with pytest.raises(UnreadableError, match=why):
        read_document(body, kind)


@given(st.binary(max_size=300), st.sampled_from(["json", "csv", "xml"]), st.text(max_size=8))
def test_nothing_that_comes_is_a_crash(body, kind, path) -> None:
    if kind == "xml" and not is_element_path(path):
        return
    try:
        document = read_document(body, kind)
    except UnreadableError:
        return
    assert isinstance(document.text(path), str)
    document.parts(path)


def test_a_path_that_is_written_has_plain_steps() -> None:
    assert all(is_element_path(path, to_write=True) for path in ("a", "a/b", "a/@b", "@b"))
    assert not any(is_element_path(path, to_write=True) for path in ("", "a//b", "*", "a[1]", "@"))
    assert not is_element_path("a[")
