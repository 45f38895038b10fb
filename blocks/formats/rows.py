"""Rows out of somebody else's JSON, CSV or XML: only the wanted columns, and within limits.

A program of its own, which ``blocks.formats.parsing`` starts for each answer: whatever an answer
does to it, it can be ended. It knows the standard library alone, so that it starts in a few
hundredths of a second. From standard input it takes a line with the Job in JSON, then the answer;
on standard output it gives the rows, or why there are none: a line of JSON for each part of
``read``.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, TypedDict
from xml.etree import ElementTree
from xml.parsers import expat

PIECE = 2_000
"""Rows that are handed over at once: few enough that taking them in holds nobody up."""


class Job(TypedDict):
    """What is wanted of an answer.

    Attributes:
        format: json, csv or xml.
        records_path: Where the rows are: dotted keys for JSON, an element path for XML.
        charset: What its text is labelled as; "" where nobody says.
        columns: Our name of each wanted column to theirs.
        max_rows: An answer with more is refused.
        max_columns: A CSV header with more is refused.
        max_cell: Longest text of a cell, in characters; a longer one counts as empty.
        memory: What reading may take, in bytes.
        seconds: What reading may take of a processor's time.
    """

    format: str
    records_path: str
    charset: str
    columns: dict[str, str]
    max_rows: int
    max_columns: int
    max_cell: int
    memory: int
    seconds: int


class Said(TypedDict, total=False):
    """What an answer says of itself beside its rows.

    Attributes:
        error: What is wrong, in its words.
        next_page: Whether it names a next page.
        total: How many rows there are in all.
        undecodable: Whether some bytes are no text of its charset; they are lone surrogates.
    """

    error: str
    next_page: bool
    total: int
    undecodable: bool


class NoRowsError(ValueError):
    """Well-formed, but not what was promised; the text says in what way."""


_UNREADABLE = (
    ValueError,
    RecursionError,
    LookupError,  # an encoding that nobody knows
    csv.Error,
    ElementTree.ParseError,
    expat.ExpatError,
)


def read(job: Job, body: bytes) -> Iterator[dict[str, Any]]:
    """The rows of an answer, in pieces.

    Yields:
        ``cells``, with a list per wanted column, in which each row of the piece has a cell: text,
        number, truth value or None. Last of all ``rows``, how many there were, and ``said``, a
        Said; or ``error``, why what came before is not to be used.
    """
    said = Said()
    rows = {"json": _from_json, "csv": _from_csv, "xml": _from_xml}[job["format"]](job, body, said)
    count = 0
    try:
        while piece := list(islice(rows, PIECE)):
            count += len(piece)
            if count > job["max_rows"]:
                raise NoRowsError(f"it has more than {job['max_rows']} rows")
            yield {
                "cells": [
                    [_plain(cell, job["max_cell"]) for cell in cells]
                    for cells in zip(*piece, strict=True)
                ]
            }
        if not count and "error" in said:
            raise NoRowsError(f"it is an error: {said['error']}")
    except NoRowsError as error:
        yield {"error": str(error)}
    except _UNREADABLE:
        yield {"error": "cannot be parsed"}
    except MemoryError:
        yield {"error": "reading it takes too much memory"}
    else:
        yield {"rows": count, "said": said}


def _plain(cell: Any, longest: int) -> Any:
    """The cell, unless it is nested or endless, which no SKU and no number is."""
    if isinstance(cell, str):
        return cell if 0 < len(cell) <= longest else None
    return cell if isinstance(cell, int | float) else None


_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # begins as UTF-16 does
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def _decode(body: bytes, label: str, said: Said) -> str:
    """The answer as text.

    A byte order mark tells most. What is no ASCII and is valid UTF-8 is UTF-8, whatever it is
    labelled as: labels are often a server's default, and no other text comes out so by chance.
    """
    for mark, encoding in _MARKS.items():
        if body.startswith(mark):
            return body.decode(encoding)
    encoding = _known(label) if label else "utf-8"
    if b"\0" not in body and not body.isascii():
        with suppress(UnicodeDecodeError):
            return body.decode("utf-8")
    try:
        return body.decode(encoding)
    except UnicodeDecodeError:
        said["undecodable"] = True
        return body.decode(encoding, errors="surrogateescape")


def _known(label: str) -> str:
    """The encoding that a label stands for."""
    try:
        name = codecs.lookup(label).name
        b" ".decode(name, "ignore")  # some encodings are not of text
    except (LookupError, ValueError):
        raise NoRowsError(f"nobody knows its charset {label[:40]!r}") from None
    # As browsers do (WHATWG Encoding Standard): who says Latin-1 means what Windows makes of it.
    return "cp1252" if name in ("iso8859-1", "ascii") else name


def _from_json(job: Job, body: bytes, said: Said) -> Iterator[list[Any]]:
    path = job["records_path"]
    label = job["charset"] or json.detect_encoding(body)
    node: Any = json.loads(_decode(body, label, said))
    _listen(node, said)
    for key in filter(None, path.split(".")):
        if not isinstance(node, dict) or key not in node:
            raise NoRowsError(_instead(said) or f"it has no {path!r}")
        node = node[key]
        _listen(node, said)
    if not isinstance(node, list) or not all(isinstance(row, dict) for row in node):
        what = f"{path or 'its top level'!r} is no list of objects"
        raise NoRowsError(_instead(said) or what)
    for row in node:
        yield [_dig(row, theirs) for theirs in job["columns"].values()]


def _instead(said: Said) -> str:
    return f"it is an error: {said['error']}" if "error" in said else ""


_TOTALS = frozenset(
    ("total", "totalcount", "totalrows", "totalitems", "totalresults", "totalrecords", "count")
)
_NEXT = frozenset(
    ("next", "nextpage", "nexturl", "nexthref", "nextlink", "odatanextlink", "nextcursor")
) | frozenset(("nextpagetoken", "nexttoken", "hasmore", "hasnext", "hasnextpage"))
_ABOUT = frozenset(("meta", "links", "paging", "pagination", "page", "pageinfo"))


def _listen(node: Any, said: Said) -> None:
    """Note what an object around the rows says of errors, further pages and totals."""
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        name = "".join(filter(str.isalnum, key.lower()))
        if name in ("error", "errors", "fault") and value:
            told = node.get("message") if value is True else value
            said.setdefault("error", _words(told) or f"{key} is {value}")
        elif name in ("success", "ok") and value is False:
            said.setdefault("error", _words(node.get("message")) or f"{key} is {value}")
        elif name in _NEXT and value and value != "false":
            said["next_page"] = True
        elif name in _TOTALS and isinstance(value, int | float | str):
            with suppress(ValueError, OverflowError):
                said["total"] = max(int(value), said.get("total", 0))
        elif name in _ABOUT:
            _listen(value, said)


def _words(value: Any) -> str:
    """An error as somebody else tells it, in a line."""
    if isinstance(value, list) and value:
        return _words(value[0])
    if isinstance(value, dict):
        for key in ("message", "detail", "title", "description", "reason"):
            if isinstance(value.get(key), str):
                return _words(value[key])
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
    return " ".join(text.split())[:120]


def _dig(row: Any, path: str) -> Any:
    """The value at dotted keys; a number counts into a list."""
    if isinstance(row, dict) and path in row:
        return row[path]
    for key in path.split("."):
        if isinstance(row, list) and key.isdecimal():
            row = row[int(key)] if int(key) < len(row) else None
        else:
            row = row.get(key) if isinstance(row, dict) else None
    return row


def _from_csv(job: Job, body: bytes, said: Said) -> Iterator[list[str | None]]:
    text = _decode(body, job["charset"], said).lstrip()
    if "\0" in text:
        raise NoRowsError("it is binary, or UTF-16 that does not say so")
    first = text.split("\n", 1)[0].strip()
    if first.startswith(("<", "{", "[")):
        raise NoRowsError("its first line is no CSV header")
    separator = max(",;\t|", key=first.count)
    if first[:4].lower() == "sep=" and len(first) == 5:  # a line for Excel
        separator = first[4]
        text = text.partition("\n")[2]
    rows = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
    header = next(rows, [])
    if len(header) > job["max_columns"]:
        raise NoRowsError(
            f"it has {len(header)} columns, and at most {job['max_columns']} are read"
        )
    places = {name.strip(): place for place, name in enumerate(header)}
    wanted = [places.get(theirs.strip(), len(header)) for theirs in job["columns"].values()]
    for row in rows:
        if row:
            yield [row[place] if place < len(row) else None for place in wanted]


def _from_xml(job: Job, body: bytes, said: Said) -> Iterator[list[str | None]]:
    # Without a label the document's own declaration counts, which the parser honours.
    document = _decode(body, job["charset"], said) if job["charset"] else body
    _refuse_doctype(document)
    path = job["records_path"]
    root = ElementTree.fromstring(document)  # noqa: S314  (no DTD, so no entities to expand)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]  # namespaces only get in the way of paths
    if root.tag.lower() == "html":
        raise NoRowsError("it is a web page")
    elements = root.findall(path) if path else list(root)
    _listen(_around(root, elements), said)
    folder = path.rpartition("/")[0]
    if not elements and (root.find(folder) is None if folder else len(root)):
        raise NoRowsError(_instead(said) or f"it has no {path!r}")
    for element in elements:
        yield [_find(element, theirs) for theirs in job["columns"].values()]


def _around(root: ElementTree.Element, rows: list[ElementTree.Element]) -> dict[str, Any]:
    """What stands at the top of a document beside its rows."""
    around: dict[str, Any] = dict(root.attrib)
    if root.tag.lower() in ("error", "errors", "fault"):
        around["error"] = " ".join(root.itertext())
    for element in root:
        if rows and element.tag == rows[0].tag:
            continue
        around[element.tag] = " ".join(element.itertext()) or None
        if element.get("rel") == "next":
            around["next"] = element.get("href")
    return around


def _find(element: ElementTree.Element, path: str) -> str | None:
    parent, is_attribute, attribute = path.partition("@")
    found = element.find(parent.rstrip("/")) if parent else element
    if found is None:
        return None
    return found.get(attribute) if is_attribute else found.text


def _refuse_doctype(document: str | bytes) -> None:
    """Entities live in a DTD; a catalogue needs none (billion laughs, external entities)."""

    def refuse(*_: object) -> None:
        raise NoRowsError("it declares a DOCTYPE, which is refused")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(document, True)


def main() -> None:
    """Read a job and an answer, and write what ``read`` makes of them."""
    job: Job = json.loads(sys.stdin.buffer.readline())
    for limit, value in (
        (resource.RLIMIT_AS, job["memory"]),
        (resource.RLIMIT_CPU, job["seconds"]),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):  # macOS has no limit of memory; the deadline stands
            resource.setrlimit(limit, (value, value))
    for part in read(job, sys.stdin.buffer.read()):
        print(json.dumps(part))


if __name__ == "__main__":
    main()
