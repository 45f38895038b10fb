"""Orders by mail: the mail server of continental-import, which takes a mail once and never answers.

An order is the table that comes with the mail; a mail without one is for a person to read.
"""

from __future__ import annotations

import asyncio
import csv
import io
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from deployments.sample.ordering.desk import OrderDesk, RefusedError, Wanted

ADDRESS = "orders@continental-import.example"
"""Where it takes orders."""

_LARGEST = 1024 * 1024


class _Mailbox:
    """What the mail server does with a mail; the names are aiosmtpd's."""

    def __init__(self, desk: OrderDesk) -> None:
        self._desk = desk

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        match self._desk.trouble.kind:
            case "silent":
                await asyncio.Event().wait()
            case "errors":
                return "451 try again later"
        if address.lower() != ADDRESS:
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 go on"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes), "as the server hands it over"
        try:
            order = self._desk.take(read_order(envelope.content))
        except ValueError as error:
            return f"554 {error}".encode("ascii", "replace").decode()
        if self._desk.trouble.kind == "accept-and-time-out":
            await asyncio.Event().wait()
        return f"250 taken as C{order.number}"


def read_order(content: bytes) -> Wanted:
    """The order that a mail brings.

    Raises:
        RefusedError: It brings none.
    """
    mail = message_from_bytes(content, policy=policy.default)
    assert isinstance(mail, EmailMessage), "by this policy"
    try:
        (table,) = [
            part for part in mail.iter_attachments() if part.get_content_type() == "text/csv"
        ]
        text = table.get_content()
        rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        lines = tuple((row["sku"], int(row["units"])) for row in rows)
        (reference,) = {row["reference"] for row in rows}
    except (ValueError, LookupError, TypeError, csv.Error):
        raise RefusedError("no table with an order in it") from None
    return Wanted(reference or "", lines)


@asynccontextmanager
async def serving_mail(desk: OrderDesk, line: socket.socket) -> AsyncIterator[None]:
    """Take mail as long as this lasts.

    Args:
        desk: Where the orders in it go.
        line: A bound socket.
    """
    loop = asyncio.get_running_loop()

    def session() -> SMTP:
        name = f"mail.{desk.supplier.name}.example"
        return SMTP(_Mailbox(desk), hostname=name, loop=loop, data_size_limit=_LARGEST)

    server = await loop.create_server(session, sock=line)
    try:
        yield
    finally:
        server.close()
