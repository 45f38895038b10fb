"""One small document of somebody else's, in JSON, CSV or XML: what stands in it, and its parts.

For answers about one thing, an order for instance. Catalogues go through
``blocks.formats.parsing``, which is made for megabytes and ends what takes too long; a document
here has a limit under which reading it takes milliseconds.
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from typing import Any, Protocol
from xml.etree import ElementTree
from xml.parsers import expat

from blocks.formats.parsing import MAX_CELL, Format, UnreadableError

MOST_BYTES = 256 * 1024
"""Largest document that is read."""

_STEP = r"[A-Za-z_][\w.-]*"
_WRITABLE = re.compile(rf"({_STEP}/)*@?{_STEP}")


class Part(Protocol):
    """A document, or one of the parts of which it has several alike."""

    def text(self, path: str) -> str:
        """What stands at a path, numbers as they were written; "" for nothing, or for a part."""
        ...

    def parts(self, path: str) -> list[Part] | None:
        """The parts at a path, none of them where it is empty; None where there is no such place.

        Of a CSV the path is the column by which rows belong together; "" has each for itself.
        """
        ...


def read_document(body: bytes, kind: Format) -> Part:
    """A document as it came.

    Args:
        body: Its bytes. JSON and XML say their charset themselves; CSV is UTF-8.
        kind: Its format.

    Raises:
        UnreadableError: It is larger than ``MOST_BYTES`` or not in its format; says which.
    """
    if len(body) > MOST_BYTES:
        raise UnreadableError(f"it has more than {MOST_BYTES // 1024} KB")
    try:
        match kind:
            case "json":
                return _Json(json.loads(body, parse_float=str, parse_int=str, parse_constant=str))
            case "csv":
                return _read_csv(body)
            case "xml":
                return _Xml(_read_xml(body))
    except UnreadableError:
        raise
    except (ValueError, RecursionError, LookupError, csv.Error, SyntaxError, expat.ExpatError):
        raise UnreadableError("it cannot be parsed") from None


def is_element_path(path: str, *, to_write: bool = False) -> bool:
    """Whether a text leads to an element of an XML document (``a/b``), or its attribute (``a/@b``).

    Args:
        path: The text.
        to_write: Whether the element is to be made, so that each step has to be a plain name.
    """
    if to_write:
        return _WRITABLE.fullmatch(path) is not None
    try:
        ElementTree.Element("root").findall(path.partition("@")[0].rstrip("/"))
    except (SyntaxError, TypeError, KeyError):  # of an unclosed predicate: TypeError
        return False
    return True


@dataclass(frozen=True)
class _Json:
    node: Any

    def text(self, path: str) -> str:
        found = self._at(path)
        if isinstance(found, bool):
            return str(found).lower()
        return _cell(found) if isinstance(found, str) else ""

    def parts(self, path: str) -> list[Part] | None:
        found = self._at(path) if path else self.node
        many = found if isinstance(found, list) else [found]  # some write a list of one without it
        if not all(isinstance(node, dict) for node in many):
            return None
        return [_Json(node) for node in many]

    def _at(self, path: str) -> Any:
        if isinstance(self.node, dict) and path in self.node:
            return self.node[path]
        node = self.node
        for key in path.split("."):
            node = node.get(key) if isinstance(node, dict) else None
        return node


@dataclass(frozen=True)
class _Xml:
    node: ElementTree.Element

    def text(self, path: str) -> str:
        parent, is_attribute, attribute = path.partition("@")
        found = self.node.find(parent.rstrip("/")) if parent else self.node
        if found is None:
            return ""
        return _cell((found.get(attribute) if is_attribute else found.text) or "")

    def parts(self, path: str) -> list[Part] | None:
        if not path:
            return [_Xml(self.node)]
        found = self.node.findall(path)
        folder = path.rpartition("/")[0]
        holder = self.node.find(folder) if folder else self.node
        if not found and (holder is None or len(holder) or (holder.text or "").strip()):
            return None  # it holds something else than what is looked for
        return [_Xml(node) for node in found]


@dataclass(frozen=True)
class _Csv:
    header: list[str]
    rows: list[dict[str, str]]

    def text(self, path: str) -> str:
        return _cell(self.rows[0].get(path, "")) if self.rows else ""

    def parts(self, path: str) -> list[Part] | None:
        if not path:
            return [_Csv(self.header, [row]) for row in self.rows]
        if path not in self.header:
            return None
        together: dict[str, list[dict[str, str]]] = {}
        for row in self.rows:
            together.setdefault(row.get(path, ""), []).append(row)
        return [_Csv(self.header, rows) for rows in together.values()]


def _read_csv(body: bytes) -> _Csv:
    text = body.decode("utf-8-sig").lstrip()
    first = text.split("\n", 1)[0]
    if not first or first.startswith(("<", "{", "[")) or "\0" in text:
        raise UnreadableError("its first line is no CSV header")
    separator = max(",;\t|", key=first.count)
    header, *rows = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
    return _Csv(header, [dict(zip(header, row, strict=False)) for row in rows if row])


def _read_xml(body: bytes) -> ElementTree.Element:
    def refuse(*_: object) -> None:
        raise UnreadableError("it declares a DOCTYPE, which is refused")

    guard = expat.ParserCreate()  # entities live in a DTD, and a document needs none
    guard.StartDoctypeDeclHandler = refuse
    guard.Parse(body, True)
    root = ElementTree.fromstring(body)  # noqa: S314  (no DTD, so no entities to expand)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]  # namespaces only get in the way of paths
    return root


def _cell(text: str) -> str:
    return text.strip() if len(text) <= MAX_CELL else ""
