"""The one way to send mail: to a server that may be called, and never twice by a guess."""

from __future__ import annotations

import asyncio
import email.policy
import os
import re
import ssl
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr
from functools import cache
from typing import Annotated, Literal, TypeAlias, TypeVar

import httpx
from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
)
from prefect.blocks.core import Block
from pydantic import AfterValidator, Field, SecretStr, model_validator

from blocks.egress import InternalHosts, Reach, connect, resolve
from blocks.errors import (
    ConfigurationError,
    DeliveryUnknown,
    SourceError,
    SourceRefused,
    SourceUnavailable,
)
from blocks.text import printable

T = TypeVar("T")

_REFUSALS = range(400, 600)
"""Codes by which a server says that it did not take a mail (RFC 5321, section 4.2.1)."""

_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[a-z\d]([a-z\d.-]*[a-z\d])?", re.ASCII | re.I)
"""As browsers know one (HTML Standard, 4.10.5.1.5): without letters that few servers take."""

_FORM = email.policy.SMTP.clone(cte_type="7bit")  # any server takes it, whatever it extends


def known_address(text: str) -> str:
    """A mail address, alone or as ``Name <address>``, if mail can be sent to it.

    Raises:
        ValueError: It is none, or one of letters that not every server takes.
    """
    if not (text.isprintable() and _ADDRESS.fullmatch(_bare(text))):
        raise ValueError(f"{text[:80]!r} is no mail address such as ops@shop.example")
    return text


MailAddress: TypeAlias = Annotated[str, AfterValidator(known_address)]
"""Type of a field that holds a mail address, alone or with a name."""


class MailServer(Block):
    """A mail server that takes mail from us (SMTP): where it is, and how we log in."""

    _block_type_name = "Mail Server"
    _block_type_slug = "mail-server"
    _description = "A mail server that takes mail from us (SMTP): where it is, and how we log in."

    host: str = Field(min_length=1, description="Its name, against which its certificate is held.")
    port: int = Field(default=587, ge=1, le=65535, description="587 for starttls, 465 for ssl.")
    security: Literal["none", "starttls", "ssl"] = Field(
        default="starttls",
        description="How the line is encrypted: at once (ssl), after a greeting (starttls), not "
        "at all (none, for a server of this machine or network).",
    )
    username: str = Field(default="", description="User name; empty: it asks for none.")
    password: SecretStr | None = Field(default=None, description="The password that goes with it.")
    sender: MailAddress = Field(
        description="Whom the mail is from: ops@shop.example, or Shop <ops@shop.example>."
    )
    internal_hosts: InternalHosts = Field(default_factory=list)
    timeout: float = Field(default=10.0, gt=0, description="Seconds that one mail may take.")

    @model_validator(mode="after")
    def _keeps_its_password(self) -> MailServer:
        if bool(self.username) != bool(self.password):
            raise ValueError("username and password go together")
        if self.username and self.security == "none":
            raise ValueError("security 'none' would send the password in the clear")
        return self

    async def send(
        self, message: EmailMessage, recipients: Sequence[str], *, all_or_none: bool = True
    ) -> str:
        """Hand over a mail; what is missing of From, Date and Message-ID is filled in.

        Args:
            message: The mail. Whom its To names is only for show.
            recipients: Who gets it, 1 or more.
            all_or_none: Nobody gets it when one address is refused; else the others do.

        Returns:
            The server's words for having taken it, and whom it refused.

        Raises:
            ConfigurationError: Surely not sent: the server may not be called, or an address or
                the mail is none.
            SourceRefused: Surely not sent: it was refused for good, or our credentials were.
            SourceUnavailable: Surely not sent: nobody was reached in time, or it was refused for
                now.
            DeliveryUnknown: It was handed over, and no answer came.
        """
        content, addresses = self._ready(message, recipients)
        deadline = asyncio.get_running_loop().time() + self.timeout
        smtp = await self._before(deadline, self._connected())
        try:
            refused = await self._before(deadline, self._announced(smtp, addresses, all_or_none))
            taken = await self._handed_over(deadline, smtp, content)
            with suppress(SMTPException, OSError, TimeoutError):
                await smtp.quit(timeout=1)  # it is taken, whatever becomes of the goodbye
        finally:
            smtp.close()
        return f"{_quoted(taken)} (not for {', '.join(refused)})" if refused else _quoted(taken)

    def _ready(self, message: EmailMessage, recipients: Sequence[str]) -> tuple[bytes, list[str]]:
        """What is sent, and the bare addresses that get it."""
        if not recipients:
            raise ConfigurationError("The mail has no recipient.")
        if "From" not in message:
            message["From"] = self.sender
        if "Date" not in message:
            message["Date"] = formatdate(usegmt=True)
        if "Message-ID" not in message:
            message["Message-ID"] = make_msgid(domain=_domain(self.sender))
        try:
            return message.as_bytes(policy=_FORM), [_bare(known_address(r)) for r in recipients]
        except ValueError as error:
            raise ConfigurationError(f"The mail cannot be sent: {error}.") from None

    async def _before(self, deadline: float, step: Awaitable[T]) -> T:
        """What comes of a step before the mail itself: if it fails, nothing was sent.

        Raises:
            SourceRefused: It was refused for good.
            SourceUnavailable: It may be otherwise another time.
        """
        try:
            async with asyncio.timeout_at(deadline):
                return await step
        except TimeoutError:  # the library's own among them
            raise SourceUnavailable(
                f"{self._who} was not ready within {self.timeout:g} s; nothing was sent."
            ) from None
        except SMTPAuthenticationError as error:  # its words may quote what we sent
            raise SourceRefused(
                f"{self._who} refused our user name and password ({error.code}).",
                hint="Check username and password of the Mail Server block.",
            ) from None
        except SMTPRecipientRefused as error:
            raise self._no(error, f"mail to {error.recipient}") from None
        except SMTPResponseException as error:
            raise self._no(error, "our mail") from None
        except ConnectionError as error:
            raise self._unreachable(error) from None
        except SMTPException:  # what it would need to do it does not offer
            raise SourceRefused(
                f"{self._who} does not offer what it is to do: security {self.security}"
                f"{' and a login' if self.username else ''}.",
                hint="Check its port and security.",
            ) from None
        except OSError as error:
            raise self._unreachable(error) from None

    async def _connected(self) -> SMTP:
        """A session that is encrypted and logged in, as configured."""
        reach = Reach(tuple(self.internal_hosts))
        addresses = await asyncio.to_thread(resolve, self.host, self.port, reach, self._who)
        line = await asyncio.to_thread(connect, addresses, self.port, self.timeout / 2)
        tls = None if self.security == "none" else await asyncio.to_thread(_tls)
        smtp = SMTP(
            hostname=self.host,
            sock=line,
            local_hostname=_domain(self.sender),
            timeout=self.timeout,
            use_tls=self.security == "ssl",
            start_tls=self.security == "starttls",
            tls_context=tls,
            username=self.username or None,
            password=self.password.get_secret_value() if self.password else None,
        )
        await smtp.connect()  # which closes the line when it fails
        return smtp

    async def _announced(self, smtp: SMTP, addresses: list[str], all_or_none: bool) -> list[str]:
        """Say whom it is from and for; those who are refused, while others are taken."""
        await smtp.mail(_bare(self.sender))
        refused = []
        for address in addresses:
            try:
                await smtp.rcpt(address)
            except SMTPRecipientRefused:
                refused.append(address)
                if all_or_none or len(refused) == len(addresses):
                    raise
        return refused

    async def _handed_over(self, deadline: float, smtp: SMTP, content: bytes) -> str:
        """The server's words for having taken it.

        Raises:
            SourceRefused: It refused it for good.
            SourceUnavailable: It refused it for now.
            DeliveryUnknown: It said nothing that tells.
        """
        try:
            async with asyncio.timeout_at(deadline):
                return (await smtp.data(content)).message
        except SMTPDataError as error:
            if error.code in _REFUSALS:
                raise self._no(error, "our mail") from None
        except (SMTPException, OSError, TimeoutError):
            pass
        raise DeliveryUnknown(
            f"{self._who} was given the mail, and did not say whether it took it.",
            hint="Ask whoever should have it before it is sent again.",
        )

    def _no(self, error: SMTPResponseException, what: str) -> SourceError:
        said = f"{self._who} refused {what}: {error.code} {_quoted(error.message)}"
        if 400 <= error.code < 500:
            return SourceUnavailable(said, hint="It may take it later.")
        return SourceRefused(said)

    def _unreachable(self, error: OSError) -> SourceUnavailable:
        return SourceUnavailable(
            f"{self._who} cannot be reached at port {self.port}{_reason(error)}.",
            hint="Is it running, and are its host, port and security right?",
        )

    @property
    def _who(self) -> str:
        return f"mail server {self.host!r}"


def _bare(address: str) -> str:
    return parseaddr(address)[1]


def _domain(address: str) -> str:
    return _bare(address).rpartition("@")[2]


def _quoted(words: str) -> str:
    return printable(words)[:200].strip()


def _reason(error: BaseException | None) -> str:
    """The system's own words, at the end of the chain of causes."""
    reason = ""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f": its certificate does not hold ({error.verify_message})"
        if isinstance(error, OSError) and error.errno:
            known = error.errno > 0  # or the resolver's, which has words of its own
            reason = f": {os.strerror(error.errno) if known else error.strerror}"
        error = error.__cause__ or error.__context__
    return reason


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()
