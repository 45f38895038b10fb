"""Tells people that they are needed, through Prefect's notification blocks."""

from __future__ import annotations

import asyncio
import inspect

import httpx
from prefect.blocks import notifications  # noqa: F401  its classes are found by their slugs
from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.core import Block

from blocks.settings import get_settings

DEADLINE = 15.0
"""Seconds that telling people may take altogether."""


async def notify(subject: str, body: str) -> list[str]:
    """Send a message to every block of ``ORCHESTRATOR_NOTIFY``, at once; never raises.

    Returns:
        What went wrong, in words, one entry per block that failed. No entry quotes an error of a
        block or of what sends for it: they hold the addresses, and those are secrets.
    """
    names = [name.strip() for name in get_settings().notify.split(",") if name.strip()]
    faults = await asyncio.gather(*(_send(name, subject, body) for name in names))
    return [
        f"Nobody was notified through {name}: {fault}."
        for name, fault in zip(names, faults, strict=True)
        if fault
    ]


async def _send(name: str, subject: str, body: str) -> str:
    """What went wrong; empty when it was sent."""
    try:
        async with asyncio.timeout(DEADLINE):
            block = await _load(name)
            if not isinstance(block, NotificationBlock):
                return block
            with block.raise_on_failure():
                sending = block.notify(body=body, subject=subject)
                if inspect.isawaitable(sending):  # a block of somebody's own may be synchronous
                    await sending
    except TimeoutError:
        return f"not done within {DEADLINE:g} s"
    except httpx.HTTPStatusError as error:
        return f"it was refused with HTTP {error.response.status_code}"
    except Exception as error:
        return f"sending failed ({type(error).__name__})"
    return ""


async def _load(name: str) -> NotificationBlock | str:
    """The block, or why there is none."""
    try:
        block: object = await Block.aload(name)
    except httpx.HTTPError as error:
        return f"the Prefect API does not answer as it should ({type(error).__name__})"
    except ValueError:
        return "there is no such block, or it cannot be used"
    if not isinstance(block, NotificationBlock):
        return "it is no notification block"
    return block
