"""An order in three formats, and as a mail."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from decimal import Decimal
from email.message import EmailMessage
from xml.etree import ElementTree

import pytest
from pydantic import ValidationError

from blocks.business.ordering.desks import ApiDesk, MailDesk
from blocks.business.ordering.mail import write_mail
from blocks.business.ordering.writing import write_order
from blocks.prefect_api.mail import MailServer
from blocks.vocabulary.purchasing import OrderLine, PurchaseOrder

ORDER = PurchaseOrder(
    reference="PO-1",
    supplier="acme",
    currency="GBP",
    site="north",
    wanted_by=date(2026, 12, 9),
    lines=(
        OrderLine(sku="A", name="Mug", units=12, unit_cost=Decimal("2.50")),
        OrderLine(sku="=B", name="+C\n", units=1, unit_cost=Decimal("0.125")),
    ),
)


def desk(kind: str = "json", **more: object) -> ApiDesk:
    return ApiDesk.model_validate({"via": "api", "orders_path": "o", "format": kind, **more})


def test_json_with_names_of_theirs() -> None:
    body = write_order(
        desk(
            fields={
                **{"reference": "order.ref", "wanted_by": "order.by", "lines": "order.items"},
                **{"sku": "article.code", "units": "qty", "unit_cost": "price"},
            },
            fixed={"customer.number": 4711},
        ),
        ORDER,
    )
    assert json.loads(body) == {
        "customer": {"number": 4711},
        "order": {
            "ref": "PO-1",
            "by": "2026-12-09",
            "items": [
                {"article": {"code": "A"}, "qty": 12, "price": 2.5},
                {"article": {"code": "=B"}, "qty": 1, "price": 0.125},
            ],
        },
    }


def test_csv_repeats_the_order_in_each_row_and_holds_no_formula() -> None:
    fields = {"reference": "Order", "sku": "Article", "name": "Text", "units": "Qty"}
    body = write_order(desk("csv", fields=fields, fixed={"Customer": "@4711"}), ORDER)
    assert list(csv.DictReader(io.StringIO(body.decode(), newline=""))) == [
        {"Customer": "'@4711", "Order": "PO-1", "Article": "A", "Text": "Mug", "Qty": "12"},
        {"Customer": "'@4711", "Order": "PO-1", "Article": "'=B", "Text": "'+C ", "Qty": "1"},
    ]


def test_xml_with_attributes_and_elements() -> None:
    body = write_order(
        desk(
            "xml",
            root="purchaseOrder",
            fields={
                **{"reference": "@number", "site": "delivery/place", "lines": "lines/line"},
                **{"sku": "@code", "units": "quantity", "unit_cost": "price/@net"},
            },
        ),
        ORDER,
    )
    root = ElementTree.fromstring(body)
    assert (root.tag, root.get("number"), root.findtext("delivery/place")) == (
        "purchaseOrder",
        "PO-1",
        "north",
    )
    assert [
        (line.get("code"), line.findtext("quantity"), line.find("price").get("net"))
        for line in root.findall("lines/line")
    ] == [("A", "12", "2.50"), ("=B", "1", "0.125")]


def test_a_name_that_no_document_can_hold_is_written_all_the_same() -> None:
    odd = ORDER.model_copy(
        update={"lines": (OrderLine(sku="A\x00\x1b<&", units=1, unit_cost=Decimal(1)),)}
    )
    for kind, lines in (("json", "lines"), ("csv", "lines"), ("xml", "lines/line")):
        fields = {"reference": "r", "lines": lines, "sku": "s", "units": "u"}
        assert write_order(desk(kind, fields=fields), odd)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"fields": {"reference": "r", "sku": "s", "lines": "l"}}, "fields names no units"),
        ({"fields": {"reference": "r", "sku": "s", "units": "u"}}, "fields names no lines"),
        ({"fields": {"refrence": "r"}}, "Did you mean reference"),
        ({"answer": {"numbr": "n"}}, "Did you mean number"),
        ({"answer": {"units": "n"}}, "no sku to tell them by"),
        ({"status_words": {"ok": "confirmed"}}, "answer.status says"),
        ({"status_words": {"ok": "great"}, "answer": {"status": "s"}}, "Input should be"),
        ({"find_path": "orders"}, "no {reference}"),
        ({"find_path": "orders/{reference}", "answer": {}}, "no reference and no status"),
        ({"find_path": "orders/{reference}/{0.__class__}"}, "no other brace"),
        ({"find_path": "orders/{reference"}, "no other brace"),
        ({"found_at": "orders"}, "answer names no reference"),
        ({"format": "xml"}, "'@' is no|no element path|fields"),
        ({"answer": {"sku": "a["}, "answer_format": "xml"}, "'a\\[' is no element path"),
        ({"fixed": {"reference": 1}}, "would hold two things"),
        ({"fixed": {"lines.number": 1}}, "would hold two things"),
        ({"fixed": {"": 1}}, "has no name"),
        ({"idempotency_header": "Key: 1\r\nX"}, "should match pattern"),
        ({"orders_path": ""}, "at least 1 character"),
        ({"retries": 3}, "Extra inputs"),
    ],
    ids=str,
)
def test_a_slip_in_a_desk_is_named(change, says) -> None:
    if change == {"format": "xml"}:
        change = {"format": "xml", "fields": {**desk().fields, "sku": "@"}}
    with pytest.raises(ValidationError, match=says):
        desk(**{"kind": change.pop("format", "json"), **change})


def mail(order: PurchaseOrder = ORDER, **more: str) -> EmailMessage:
    server = MailServer(host="mail", sender="Shop <shop@shop.example>")
    given = {"via": "mail", "to": "orders@acme.example", "server": server, **more}
    return write_mail(MailDesk.model_validate(given), order)


def test_a_mail_reads_well_and_carries_the_table() -> None:
    message = mail()
    assert message["Subject"] == "Purchase order PO-1"
    assert message["To"] == "orders@acme.example"
    assert message["Message-ID"] == mail()["Message-ID"] == "<PO-1@shop.example>"
    text = message.get_body(("plain",)).get_content()
    assert "12  A  Mug  at 2.50 GBP" in text
    assert "Goods: 30.125 GBP" in text
    assert "Needed by: 2026-12-09" in text
    (attached,) = message.iter_attachments()
    assert (attached.get_content_type(), attached.get_filename()) == ("text/csv", "PO-1.csv")
    rows = list(csv.DictReader(io.StringIO(attached.get_content(), newline="")))
    assert [(row["sku"], row["name"], row["units"], row["unit_cost"]) for row in rows] == [
        ("A", "Mug", "12", "2.50"),
        ("'=B", "'+C ", "1", "0.125"),
    ]


def test_nothing_in_an_order_becomes_a_header() -> None:
    bad = ORDER.model_copy(update={"reference": "PO-1\r\nBcc: all@evil.example\x1b"})
    message = mail(bad, subject="{reference} for you")
    assert message["Bcc"] is None
    assert message["Subject"].isprintable()
    assert "\n" not in message["Message-ID"]
    assert message.as_bytes().count(b"\nBcc:") == 0
