"""Who may send webhooks, as the business says; read now and then, not for every webhook."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from dataclasses import dataclass

from blocks.business.business import Business, current_business
from blocks.business.webhooks.schemes import Scheme
from blocks.business.webhooks.senders import WebhookSource
from blocks.errors import NoBusinessConfigured, OrchestratorError
from deployments.api.http.problems import RETRY_SOON, Refused

log = logging.getLogger("orchestrator.api")

FRESH = 5.0
"""Seconds after which they are read anew, while those that are known go on to count."""

STALE = 10.0
"""Seconds after which nobody is let in before they were read anew."""

_PATIENCE = 5.0  # seconds for reading them


@dataclass(frozen=True)
class Sender:
    """A source of webhooks with its keys."""

    source: WebhookSource
    keys: tuple[bytes, ...]


class Senders:
    """The senders by name."""

    def __init__(self) -> None:
        self._known: dict[str, Sender] | None = None
        self._left_out: tuple[str, ...] = ()
        self._read_at = 0.0
        self._reading: asyncio.Task[None] | None = None
        self._nobody = (secrets.token_bytes(32),)

    def keys_for(self, sender: Sender | None, scheme: Scheme) -> tuple[bytes, ...]:
        """The keys to check a webhook with that is signed by a scheme.

        For a name that nobody has, and for another scheme than the sender's, there are keys too,
        which fit nothing: whoever guesses learns nothing, by the answer or by the time it takes.
        """
        known = sender is not None and sender.source.scheme is scheme
        return sender.keys if sender is not None and known else self._nobody

    async def find(self, name: str) -> Sender | None:
        """The sender of that name.

        Raises:
            Refused: 503 when it cannot be known now who may send.
        """
        age = time.monotonic() - self._read_at
        if self._known is None or age > FRESH:
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read())
            if self._known is None or age > STALE:
                await asyncio.shield(self._reading)
        if self._known is None:
            raise Refused(
                503,
                "senders-unknown",
                "It is not known just now who may send webhooks.",
                hint="Send it again in a moment.",
                headers=RETRY_SOON,
            )
        return self._known.get(name)

    async def _read(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                business = await _business()
            self._known = {s.name: Sender(s, s.keys) for s in business.webhooks}
            if business.left_out != self._left_out:  # said once, not every few seconds
                self._left_out = business.left_out
                for each in business.left_out:
                    log.warning("Left out, and not let in if it is a sender: %s", each)
        except (OrchestratorError, TimeoutError) as error:
            # A sender that was known is let in: what it tells would be lost else.
            log.warning("The senders of webhooks cannot be read: %s", error or "no answer")
        self._read_at = time.monotonic()


async def _business() -> Business:
    try:
        return await current_business()
    except NoBusinessConfigured:
        return Business(store=None)
