"""Tells people that they are needed, through Prefect's notification blocks."""

from __future__ import annotations

import inspect

import httpx
from prefect.blocks import notifications  # noqa: F401  its classes are found by their slugs
from prefect.blocks.abstract import NotificationBlock, NotificationError
from prefect.blocks.core import Block

from blocks.errors import ConfigurationError, SourceRefused, SourceUnavailable
from blocks.prefect_api.channels import MailNotification
from blocks.settings import get_settings

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
"""Failures before anything was sent."""


def channels() -> list[str]:
    """The blocks of ``ORCHESTRATOR_NOTIFY``."""
    return [name.strip() for name in get_settings().notify.split(",") if name.strip()]


async def send(channel: str, subject: str, body: str, html: str = "") -> None:
    """Send a message through a block. After any other error nobody knows whether it was sent.

    No error that is raised here quotes one of a block or of what sends for it: they hold the
    addresses, and those are secrets.

    Args:
        channel: The block, as ``block-type/name``.
        subject: In a line.
        body: Plain text.
        html: The same for who sees HTML: for mail, which alone shows it.

    Raises:
        ConfigurationError: There is no such block, or it cannot be used.
        SourceRefused: It was not taken.
        SourceUnavailable: Nobody could be reached.
        DeliveryUnknown: It was handed over, and no answer came.
    """
    block = await _load(channel)
    try:
        with block.raise_on_failure():
            more = {"html": html} if isinstance(block, MailNotification) else {}
            sending = block.notify(body=body, subject=subject, **more)
            if inspect.isawaitable(sending):  # a block of somebody's own may be synchronous
                await sending
    except httpx.HTTPStatusError as error:
        raise SourceRefused(f"It was refused with HTTP {error.response.status_code}.") from None
    except (*_NOT_SENT, NotificationError) as error:
        raise SourceUnavailable(f"Sending failed ({type(error).__name__}).") from None


async def _load(channel: str) -> NotificationBlock:
    try:
        block: object = await Block.aload(channel)
    except httpx.HTTPError as error:
        raise SourceUnavailable(
            f"The Prefect API does not answer as it should ({type(error).__name__})."
        ) from None
    except ValueError:
        raise ConfigurationError("There is no such block, or it cannot be used.") from None
    if not isinstance(block, NotificationBlock):
        raise ConfigurationError("It is no notification block.")
    return block
