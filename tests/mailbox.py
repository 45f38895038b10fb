"""A real mail server on loopback that keeps what it takes, or refuses, or falls silent."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from blocks.prefect_api.mail import MailServer


@dataclass
class Mailbox:
    """What a mail server took, and how it behaves.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        mails: Whom each mail was for, and the mail.
        refused: Addresses that it knows nobody at.
        answer: What it says to a mail; None: nothing, for ever.
        login: User name and password that it asks for; None: it asks for none.
    """

    port: int = 0
    mails: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    answer: str | None = "250 taken"
    login: tuple[str, str] | None = None

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        if self.login and not session.authenticated:
            return "530 log in first"
        if address in self.refused:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        if self.answer is None or self.answer.startswith("250"):
            self.mails.append((list(envelope.rcpt_tos), mail))
        if self.answer is None:
            await asyncio.Event().wait()
        assert self.answer
        return self.answer

    def authenticate(self, server: SMTP, session: Any, envelope: Any, how: str, data: Any) -> Any:
        assert isinstance(data, LoginPassword)
        given = (data.login.decode(), data.password.decode())
        return AuthResult(success=given == self.login, handled=False)

    def block(self, **more: Any) -> MailServer:
        """The block by which it is reached."""
        return MailServer(
            **{
                "host": "127.0.0.1",
                "port": self.port,
                "security": "none",
                "sender": "Shop <ops@shop.example>",
                "internal_hosts": ["127.0.0.1"],
                **more,
            }
        )


@asynccontextmanager
async def mailbox(
    *,
    tls: ssl.SSLContext | None = None,
    at_once: bool = False,
    login: tuple[str, str] | None = None,
) -> AsyncIterator[Mailbox]:
    """A mail server on a free port.

    Args:
        tls: Its certificate; None: it has none.
        at_once: Whether a line is encrypted from the first byte, and not by STARTTLS.
        login: User name and password that it asks for.
    """
    box = Mailbox(login=login)
    loop = asyncio.get_running_loop()
    sessions: list[SMTP] = []

    def session() -> SMTP:
        sessions.append(
            SMTP(
                box,
                hostname="mail.example",
                loop=loop,
                tls_context=None if at_once else tls,
                authenticator=box.authenticate,
                auth_require_tls=not at_once,
            )
        )
        return sessions[-1]

    server = await loop.create_server(session, "127.0.0.1", 0, ssl=tls if at_once else None)
    box.port = server.sockets[0].getsockname()[1]
    async with server:
        yield box
        for each in sessions:
            if each.transport:
                each.transport.close()
            if each._handler_coroutine and not each._handler_coroutine.done():
                each._handler_coroutine.cancel()
