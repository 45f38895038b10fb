"""Rows out of somebody else's JSON, CSV or XML: only the wanted columns, and within limits.

A program of its own, which ``blocks.formats.parsing`` starts for each answer: whatever an answer
does to it, it can be ended. It knows the standard library alone, so that it starts in a few
hundredths of a second. From standard input it takes a line with the Job in JSON, then the answer;
on standard output it gives the rows, or why there are none: a line of JSON for each part of
``read``.
"""

from __future__ import annotations

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
        columns: Our name of each wanted column to theirs.
        max_rows: An answer with more is refused.
        max_columns: A CSV header with more is refused.
        max_cell: Longest text of a cell, in characters; a longer one counts as empty.
        memory: What reading may take, in bytes.
        seconds: What reading may take of a processor's time.
    """

    format: str
    records_path: str
    columns: dict[str, str]
    max_rows: int
    max_columns: int
    max_cell: int
    memory: int
    seconds: int


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
        number, truth value or None. Last of all ``rows``, how many there were, or ``error``, why
        what came before is not to be used.
    """
    rows = {"json": _from_json, "csv": _from_csv, "xml": _from_xml}[job["format"]](job, body)
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
    except NoRowsError as error:
        yield {"error": str(error)}
    except _UNREADABLE:
        yield {"error": "cannot be parsed"}
    except MemoryError:
        yield {"error": "reading it takes too much memory"}
    else:
        yield {"rows": count}


def _plain(cell: Any, longest: int) -> Any:
    """The cell, unless it is nested or endless, which no SKU and no number is."""
    if isinstance(cell, str):
        return cell if 0 < len(cell) <= longest else None
    return cell if isinstance(cell, int | float) else None


def _from_json(job: Job, body: bytes) -> Iterator[list[Any]]:
    path = job["records_path"]
    node: Any = json.loads(body)
    for key in filter(None, path.split(".")):
        if not isinstance(node, dict) or key not in node:
            raise NoRowsError(f"it has no {path!r}")
        node = node[key]
    if not isinstance(node, list) or not all(isinstance(row, dict) for row in node):
        raise NoRowsError(f"{path or 'its top level'!r} is no list of objects")
    for row in node:
        yield [_dig(row, theirs) for theirs in job["columns"].values()]


def _dig(row: Any, path: str) -> Any:
    if isinstance(row, dict) and path in row:
        return row[path]
    for key in path.split("."):
        row = row.get(key) if isinstance(row, dict) else None
    return row


def _from_csv(job: Job, body: bytes) -> Iterator[list[str | None]]:
    text = body.decode("utf-8-sig", errors="replace").lstrip()
    if "\0" in text:
        raise NoRowsError("it is binary")
    first = text.split("\n", 1)[0]
    if first.startswith(("<", "{", "[")):
        raise NoRowsError("its first line is no CSV header")
    separator = max(",;\t|", key=first.count)
    rows = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
    header = next(rows, [])
    if len(header) > job["max_columns"]:
        raise NoRowsError(
            f"it has {len(header)} columns, and at most {job['max_columns']} are read"
        )
    places = {name: place for place, name in enumerate(header)}
    wanted = [places.get(theirs, len(header)) for theirs in job["columns"].values()]
    for row in rows:
        if row:
            yield [row[place] if place < len(row) else None for place in wanted]


def _from_xml(job: Job, body: bytes) -> Iterator[list[str | None]]:
    _refuse_doctype(body)
    path = job["records_path"]
    root = ElementTree.fromstring(body)  # noqa: S314  (no DTD, so no entities to expand)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]  # namespaces only get in the way of paths
    elements = root.findall(path) if path else list(root)
    folder = path.rpartition("/")[0]
    if not elements and (root.find(folder) is None if folder else len(root)):
        raise NoRowsError(f"it has no {path!r}")
    for element in elements:
        yield [_find(element, theirs) for theirs in job["columns"].values()]


def _find(element: ElementTree.Element, path: str) -> str | None:
    parent, is_attribute, attribute = path.partition("@")
    found = element.find(parent.rstrip("/")) if parent else element
    if found is None:
        return None
    return found.get(attribute) if is_attribute else found.text


def _refuse_doctype(body: bytes) -> None:
    """Entities live in a DTD; a catalogue needs none (billion laughs, external entities)."""

    def refuse(*_: object) -> None:
        raise NoRowsError("it declares a DOCTYPE, which is refused")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(body, True)


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
