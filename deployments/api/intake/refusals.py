"""What is refused where events come in: counted, logged, and kept as a dead letter.

Most senders do not send again what was refused, and nobody reads their logs: without a trace here
an alert would be gone. What a flood can make of it is bounded: a line of log now and then, so many
letters of each sender, each document once. Of those whom nothing vouches for no body is kept, and
of their reasons one letter a day.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from blocks.dialects import standalone
from blocks.errors import LedgerError
from blocks.ledger.calls.dead_letters import DeadLetter, DeadLetters
from blocks.text import printable
from blocks.vocabulary.messages import utc_now
from deployments.api.http.limits import Limit, Limiter
from deployments.api.http.problems import Refused
from deployments.api.prometheus import REFUSED

log = logging.getLogger("orchestrator.api")

DOORS = ("/alerts", "/events", "/webhooks")
"""Where events come in."""

MOST_WAITING = 50
"""Letters of one sender that wait for a person; what is refused beyond them is only counted."""

PER_SECOND = 20
"""Letters of one sender that are written in a second."""

QUIET = 10.0
"""Seconds between two lines of log about the same sender and reason."""

UNKNOWN = "unknown"
"""The sender, where nobody can tell."""

_PATIENCE = 2.0  # seconds that an answer waits for its letter
_COMES_AGAIN = (408, 429, 503)  # the sender has the document, and sends it again


@dataclass(frozen=True)
class Handed:
    """What an authenticated sender handed in; a route leaves it in ``request.state.handed``."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    dialect: str = ""


@dataclass(frozen=True)
class _Refusal:
    """One answer that refused something."""

    door: str
    sender: str
    status: int
    code: str
    reason: str


class Refusals:
    """Keeps what was refused, as far as that is worth keeping.

    Args:
        letters: Where to.
    """

    def __init__(self, letters: DeadLetters) -> None:
        self._letters = letters
        self._limiter = Limiter()
        self._told: dict[tuple[str, str, str], tuple[float, int]] = {}

    async def note(self, refusal: _Refusal, handed: Handed | None) -> None:
        """Count a refusal, tell of it, and keep what was refused."""
        REFUSED.labels(refusal.door, refusal.sender, refusal.code).inc()
        self._tell(refusal)
        letter = _letter(refusal, handed, utc_now())
        if letter is None or not self._may_write(letter.origin):
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._letters.keep(letter, most=MOST_WAITING)
        except (LedgerError, TimeoutError) as error:
            log.warning("What was refused could not be kept: %s", error or "no answer in time")

    def _tell(self, refusal: _Refusal) -> None:
        key = refusal.door, refusal.sender, refusal.code
        told_at, untold = self._told.get(key, (float("-inf"), 0))
        now = time.monotonic()
        if now - told_at < QUIET:
            self._told[key] = told_at, untold + 1
            return
        self._told[key] = now, 0
        log.warning(
            "%s refused what %s sent, with %s: %s%s",
            refusal.door,
            refusal.sender,
            refusal.status,
            refusal.reason,
            f" ({untold:,} more like it were refused since the last line)" if untold else "",
        )

    def _may_write(self, origin: str) -> bool:
        try:
            self._limiter.take(Limit("dead letters", PER_SECOND), origin)
        except Refused:
            return False
        return True


def _letter(refusal: _Refusal, handed: Handed | None, now: datetime) -> DeadLetter | None:
    """The letter that is kept of a refusal; the same for the same document.

    Of a known name that nothing vouches for, it is the same all day.
    """
    if refusal.status in _COMES_AGAIN or refusal.sender == UNKNOWN:
        return None
    origin = f"{refusal.door}, from {refusal.sender}"
    raw, reason, same = "", refusal.reason, f"{refusal.code} {now:%Y-%m-%d}"
    if handed is not None:
        raw = same = standalone(handed.body, handed.headers)
    else:
        reason += " (What was sent was not kept. The day's first refusal of this kind.)"
    return DeadLetter(
        id=hashlib.sha256(f"{origin}\n{same}".encode()).hexdigest()[:32],
        received_at=now,
        origin=origin,
        dialect=handed.dialect if handed else "",
        raw=raw,
        reason=reason,
    )


class RefusalsNoted:
    """Notes each answer of a door that refuses something, before it is sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything through; answers of 400 and above wait until they are noted."""
        door = _door(scope)
        if door is None:
            await self._app(scope, receive, send)
            return
        held: Message | None = None

        async def send_on(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start" and message["status"] >= 400:
                held = message
                return
            if held is not None:
                start, held = held, None
                await _note(door, scope, start["status"], message.get("body", b""))
                await send(start)
            await send(message)

        await self._app(scope, receive, send_on)


def _door(scope: Scope) -> str | None:
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    path = scope["path"]
    return next((door for door in DOORS if path == door or path.startswith(f"{door}/")), None)


async def _note(door: str, scope: Scope, status: int, body: bytes) -> None:
    problem: dict[str, Any] = json.loads(body)  # whatever is refused is a problem in JSON
    said = f"{problem['detail']} {problem.get('hint', '')}".strip()
    state = scope.get("state", {})
    refusals: Refusals = scope["app"].state.refusals
    sender = state.get("sender", UNKNOWN)
    refusal = _Refusal(door, printable(sender), status, problem["code"], printable(said))
    await refusals.note(refusal, state.get("handed"))
