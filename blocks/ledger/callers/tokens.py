"""Tokens of the API: who may use it, and for what.

A token is ``orc_<id>_<secret>``. The id finds its row and may be shown; the secret is shown once,
and the ledger holds only the hash of the whole. SHA-256 is enough: the secret is 256 random bits
and not a password that somebody could guess, so a slow hash would protect nothing and would cost
every request.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from pydantic import AwareDatetime, Field
from sqlalchemy import ColumnElement, and_, or_, select, update

from blocks.errors import RequestError
from blocks.ledger.callers.tables import API_TOKENS
from blocks.ledger.engine.access import Access
from blocks.ledger.engine.values import to_json
from blocks.models import Strict

LONGEST_NAME = 100
"""Characters of a token's name."""

_FORM = re.compile(r"orc_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_NOBODYS = sha256(b"").hexdigest()  # no token has it: the empty text is none


class Scope(StrEnum):
    """What a token may be used for."""

    READ = "read"
    RUN = "run"
    APPROVE = "approve"
    ADMIN = "admin"

    def implies(self, other: Scope) -> bool:
        """Whether who has this one also has the other: all may read, and admin may everything."""
        return self in (other, Scope.ADMIN) or other is Scope.READ


class TokenRecord(Strict):
    """One token, without its text.

    Attributes:
        id: The part of its text that may be shown.
        name: What people call it; need not be unique.
        hash: SHA-256 of its text, in hex; left out wherever the record is printed or sent.
        expires_at: From then on it is not valid; None when it does not expire.
        revoked_at: When somebody withdrew it.
        created_by: Who made it.
    """

    id: str
    name: str
    hash: str = Field(exclude=True, repr=False)
    scopes: tuple[Scope, ...]
    created_at: AwareDatetime
    created_by: str
    expires_at: AwareDatetime | None = None
    revoked_at: AwareDatetime | None = None

    def allows(self, scope: Scope) -> bool:
        """Whether it may be used for that."""
        return any(own.implies(scope) for own in self.scopes)

    def is_valid(self, now: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class Tokens:
    """The tokens in the ledger. Revoked and expired ones stay on record."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def create(
        self,
        name: str,
        scopes: Collection[Scope],
        *,
        by: str,
        now: datetime,
        expires_at: datetime | None = None,
    ) -> tuple[str, TokenRecord]:
        """Make a token.

        Returns:
            Its text, which nobody can find out again, and its record.

        Raises:
            RequestError: It has no name or scope, or a name that is too long, or is expired.
        """
        _check(name, scopes, now, expires_at)
        token_id = secrets.token_hex(6)
        text = f"orc_{token_id}_{secrets.token_urlsafe(32)}"
        record = TokenRecord(
            id=token_id,
            name=name,
            hash=_hash(text),
            scopes=tuple(scope for scope in Scope if scope in scopes),
            created_at=now,
            created_by=by,
            expires_at=expires_at,
        )
        row = dict(record) | {"scopes": to_json(record.scopes)}
        await self._access.change(API_TOKENS.insert().values(row))
        return text, record

    async def check(self, text: str, now: datetime) -> TokenRecord | None:
        """The record of a valid token; None when it is unknown, expired, revoked or no token.

        Raises:
            LedgerUnavailable: The ledger cannot be read.
        """
        if not (form := _FORM.fullmatch(text)):
            return None
        found = await self._access.rows(select(API_TOKENS).where(API_TOKENS.c.id == form[1]))
        record = TokenRecord(**found[0]) if found else None
        # Compared whether there is one or not: how long it takes tells nobody which ids exist.
        same = hmac.compare_digest(_hash(text), record.hash if record else _NOBODYS)
        return record if record and same and record.is_valid(now) else None

    async def list(self) -> list[TokenRecord]:
        """All tokens there ever were, newest first."""
        query = select(API_TOKENS).order_by(API_TOKENS.c.created_at.desc(), API_TOKENS.c.id)
        return [TokenRecord(**row) for row in await self._access.rows(query)]

    async def revoke(self, token_id: str, now: datetime) -> bool:
        """Withdraw a token for good; False when there is none, or it was withdrawn before."""
        this = API_TOKENS.c.id == token_id
        statement = update(API_TOKENS).where(this, API_TOKENS.c.revoked_at.is_(None))
        return bool(await self._access.change(statement.values(revoked_at=now)))

    async def any_valid(self, now: datetime) -> bool:
        """Whether there is a token that could be used."""
        return bool(await self._access.rows(select(API_TOKENS.c.id).where(_valid(now)).limit(1)))


def _check(
    name: str, scopes: Collection[Scope], now: datetime, expires_at: datetime | None
) -> None:
    if not name.strip() or len(name) > LONGEST_NAME:
        raise RequestError(
            f"{name[:LONGEST_NAME]!r} is no name for a token.",
            hint=f"Give 1 to {LONGEST_NAME} characters that say what uses it.",
        )
    if not scopes:
        raise RequestError(
            f"Token {name!r} has no scope.", hint=f"Give one or more of {', '.join(Scope)}."
        )
    if expires_at is not None and expires_at <= now:
        raise RequestError(
            f"Token {name!r} would be expired: {expires_at:%Y-%m-%d %H:%M %Z} is past.",
            hint="Give a later time, or none.",
        )


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _valid(now: datetime) -> ColumnElement[bool]:
    expires_at: Any = API_TOKENS.c.expires_at
    return and_(API_TOKENS.c.revoked_at.is_(None), or_(expires_at.is_(None), expires_at > now))
