"""Notification blocks beside Prefect's own: mail, and whatever Apprise knows."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage

from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.notifications import AbstractAppriseNotificationBlock
from pydantic import Field, SecretStr, field_validator

from blocks.prefect_api.mail import MailAddress, MailServer
from blocks.text import printable


class MailNotification(NotificationBlock):
    """Tells people by mail, through a mail server of yours."""

    _block_type_name = "Mail"
    _block_type_slug = "mail"
    _description = "Tells people by mail, through a mail server of yours."

    server: MailServer = Field(description="The mail server that it goes through.")
    to: list[MailAddress] = Field(
        min_length=1, description="Who is told; one whose address is refused keeps nobody waiting."
    )

    async def notify(self, body: str, subject: str | None = None, html: str = "") -> None:
        """Send a mail to all of them.

        Args:
            body: Plain text.
            subject: In a line.
            html: The same for who sees HTML; empty: plain text alone.

        Raises:
            OrchestratorError: It was not sent, or nobody knows; see MailServer.send.
        """
        message = EmailMessage()
        message["Subject"] = " ".join(printable(subject or "Notification").split())
        message["To"] = ", ".join(self.to)
        message["Auto-Submitted"] = "auto-generated"  # keeps out-of-office answers away (RFC 3834)
        message.set_content(body)
        if html:
            message.add_alternative(html, subtype="html")
        await self.server.send(message, self.to, all_or_none=False)


class AppriseNotification(AbstractAppriseNotificationBlock):
    """Tells people through any service that Apprise knows, by its URL."""

    _block_type_name = "Apprise"
    _block_type_slug = "apprise"
    _description = "Tells people through any service that Apprise knows, by its URL."

    url: SecretStr = Field(
        description="Apprise's URL of the service: ntfys://ntfy.example/ops, jsons://host/path, "
        "tgram://TOKEN/CHAT; the services are listed at appriseit.com."
    )

    @field_validator("url")
    @classmethod
    def _is_known(cls, value: SecretStr) -> SecretStr:
        with _unsaid():
            from apprise import Apprise

            is_known = Apprise().add(value.get_secret_value())
        if not is_known:
            raise ValueError("Apprise knows no service of this URL")
        return value


@contextmanager
def _unsaid() -> Iterator[None]:
    """Apprise would log a URL that it does not know, which is a secret."""
    log = logging.getLogger("apprise")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


CHANNELS = (MailServer, MailNotification, AppriseNotification)
"""Blocks of ours that people are told through."""
