"""An order as a mail: words for whoever reads it, and a table for whoever types it in."""

from __future__ import annotations

import csv
import io
import re
from decimal import Decimal
from email.message import EmailMessage

from blocks.business.ordering.desks import MailDesk
from blocks.formats.spreadsheets import harmless
from blocks.text import printable
from blocks.vocabulary.purchasing import PurchaseOrder

COLUMNS = ("reference", "sku", "name", "units", "unit_cost", "currency", "site", "wanted_by")


def write_mail(desk: MailDesk, order: PurchaseOrder) -> EmailMessage:
    """The mail that orders; its Message-ID follows from the reference, so that a copy is known.

    Returns:
        Plain text, with the order as CSV (RFC 4180, UTF-8) beside it, in which no cell begins as a
        formula does. From and Date are the mail server's to fill in.
    """
    mail = EmailMessage()
    mail["To"] = desk.to
    mail["Subject"] = printable(desk.subject.format(reference=order.reference))
    mail["Message-ID"] = f"<{_token(order.reference)}@{_domain(desk.server.sender)}>"
    mail.set_content(_text(order))
    mail.add_attachment(
        _table(order).encode(),
        maintype="text",
        subtype="csv",
        filename=f"{_token(order.reference)}.csv",
        params={"charset": "utf-8"},
    )
    return mail


def _text(order: PurchaseOrder) -> str:
    goods = sum((line.units * line.unit_cost for line in order.lines), Decimal(0))
    lines = [
        f"{line.units:>8}  {printable(line.sku)}  {printable(line.name)}".rstrip()
        + f"  at {line.unit_cost:f} {printable(order.currency)}"
        for line in order.lines
    ]
    return "\n".join(
        [
            f"Please deliver as our order {printable(order.reference)}:",
            "",
            *lines,
            "",
            f"Goods: {goods:f} {printable(order.currency)}",
            *([f"To: {printable(order.site)}"] if order.site else []),
            *([f"Needed by: {order.wanted_by}"] if order.wanted_by else []),
            "",
            "The table is attached. Please answer with our number, the quantities that you",
            "deliver, your prices and the day of delivery.",
            "",
        ]
    )


def _table(order: PurchaseOrder) -> str:
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(COLUMNS)
    by = str(order.wanted_by or "")
    for line in order.lines:
        cells = (order.reference, line.sku, line.name, str(line.units), f"{line.unit_cost:f}")
        table.writerow([harmless(c) for c in (*cells, order.currency, order.site, by)])
    return text.getvalue()


def _token(reference: str) -> str:
    """The reference as an address or a file name may hold it."""
    return re.sub(r"[^A-Za-z0-9.-]", "_", reference).strip(".") or "order"


def _domain(sender: str) -> str:
    return sender.rpartition("@")[2].rstrip("> ")
