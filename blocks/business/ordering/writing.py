"""An order in the words of a supplier's API: JSON, CSV or XML, with its names."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

from blocks.business.ordering.desks import ApiDesk
from blocks.formats.spreadsheets import harmless
from blocks.text import printable
from blocks.vocabulary.purchasing import OrderLine, PurchaseOrder

Value = str | int | float | bool | Decimal

MEDIA_TYPES = {"json": "application/json", "csv": "text/csv", "xml": "application/xml"}


def write_order(desk: ApiDesk, order: PurchaseOrder) -> bytes:
    """An order as a desk takes it; what its ``fields`` do not name is left out.

    Returns:
        The body of the request, in UTF-8. Days are ISO dates; money has all its decimals.
    """
    match desk.format:
        case "json":
            return _as_json(desk, order)
        case "csv":
            return _as_csv(desk, order)
        case "xml":
            return _as_xml(desk, order)


def _of_order(desk: ApiDesk, order: PurchaseOrder) -> Iterator[tuple[str, Value]]:
    """Their name and value of what the order has once."""
    ours: dict[str, Value] = {
        "reference": order.reference,
        "supplier": order.supplier,
        "currency": order.currency,
        "site": order.site,
        "wanted_by": order.wanted_by.isoformat() if order.wanted_by else "",
    }
    yield from desk.fixed.items()
    yield from ((desk.fields[name], ours[name]) for name in ours if name in desk.fields)


def _of_line(desk: ApiDesk, line: OrderLine) -> Iterator[tuple[str, Value]]:
    """Their name and value of what one item has."""
    ours: dict[str, Value] = {
        "sku": line.sku,
        "name": line.name,
        "units": line.units,
        "unit_cost": line.unit_cost,
    }
    yield from ((desk.fields[name], ours[name]) for name in ours if name in desk.fields)


def _as_json(desk: ApiDesk, order: PurchaseOrder) -> bytes:
    document: dict[str, Any] = {}
    lines = [_nested(_of_line(desk, line)) for line in order.lines]
    for path, value in (*_of_order(desk, order), (desk.fields["lines"], lines)):
        _put(document, path, value)
    return json.dumps(document, default=float).encode()


def _nested(values: Iterator[tuple[str, Value]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for path, value in values:
        _put(document, path, value)
    return document


def _put(document: dict[str, Any], path: str, value: Any) -> None:
    *folders, key = path.split(".")
    for folder in folders:
        document = document.setdefault(folder, {})
    document[key] = value


def _as_csv(desk: ApiDesk, order: PurchaseOrder) -> bytes:
    shared = dict(_of_order(desk, order))
    rows = [{**shared, **dict(_of_line(desk, line))} for line in order.lines]
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]))
    table.writeheader()
    table.writerows({name: harmless(_text(value)) for name, value in row.items()} for row in rows)
    return text.getvalue().encode()


def _as_xml(desk: ApiDesk, order: PurchaseOrder) -> bytes:
    root = ElementTree.Element(desk.root)
    for path, value in _of_order(desk, order):
        _set(root, path, _text(value))
    *folders, tag = desk.fields["lines"].split("/")
    parent = _made(root, folders)
    for line in order.lines:
        item = ElementTree.SubElement(parent, tag)
        for path, value in _of_line(desk, line):
            _set(item, path, _text(value))
    body: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return body


def _set(element: ElementTree.Element, path: str, text: str) -> None:
    *folders, last = path.split("/")
    if last.startswith("@"):
        _made(element, folders).set(last[1:], text)
    else:
        _made(element, [*folders, last]).text = text


def _made(element: ElementTree.Element, folders: list[str]) -> ElementTree.Element:
    """The element below another one, made where it is not there yet."""
    for tag in folders:
        found = element.find(tag)
        element = ElementTree.SubElement(element, tag) if found is None else found
    return element


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:f}" if isinstance(value, Decimal) else printable(str(value))
