"""Dead letters: what could not be delivered as it came, kept until a person settles it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import AwareDatetime, Field
from sqlalchemy import Connection, and_, func, select, update

from blocks.errors import RequestError
from blocks.ledger.calls.queries import matching, newest
from blocks.ledger.calls.tables import DEAD_LETTERS
from blocks.ledger.engine.access import Access
from blocks.ledger.engine.prefixes import SHORTEST_PREFIX
from blocks.ledger.engine.upsert import insert
from blocks.models import Strict
from blocks.text.masking import without_passwords
from blocks.vocabulary.messages import new_id


class LetterStatus(StrEnum):
    """Where a dead letter stands."""

    WAITING = "waiting"
    RESENT = "resent"
    DISCARDED = "discarded"


class DeadLetter(Strict):
    """One document that could not be delivered as it came.

    Attributes:
        origin: Where it came from, in words.
        dialect: What it was written in, or taken for; "" when that was not known.
        raw: The document as it came.
        reason: Why it was not delivered, and what to do about it.
        message_id: The message that it was resent as.
        settled_at: When it was resent or discarded.
    """

    id: str = Field(default_factory=new_id)
    received_at: AwareDatetime
    origin: str
    dialect: str = ""
    raw: str
    reason: str
    status: LetterStatus = LetterStatus.WAITING
    message_id: str | None = None
    settled_at: AwareDatetime | None = None


class DeadLetters:
    """The dead letters in the ledger."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def keep(self, letter: DeadLetter, *, most: int | None = None) -> bool:
        """Keep a letter; one that is kept already stays as it is.

        Args:
            letter: What could not be delivered.
            most: When so many of its origin wait already, it is not kept.

        Returns:
            Whether it is kept.
        """
        of_its_origin = and_(
            DEAD_LETTERS.c.origin == letter.origin, DEAD_LETTERS.c.status == LetterStatus.WAITING
        )
        waiting = select(func.count()).where(of_its_origin, DEAD_LETTERS.c.id != letter.id)
        statement = (
            insert(self._access.dialect, DEAD_LETTERS)
            .values(without_passwords(letter.model_dump()))
            .on_conflict_do_nothing()
        )

        def write(connection: Connection) -> bool:
            if most is not None and (connection.scalar(waiting) or 0) >= most:
                return False
            connection.execute(statement)
            return True

        return await self._access.write(write)

    async def get(self, letter_id: str) -> DeadLetter:
        """One letter, by its id or by a beginning of it that no other has.

        Raises:
            RequestError: There is none, or there are several.
        """
        same = DEAD_LETTERS.c.id == letter_id
        if len(letter_id) >= SHORTEST_PREFIX:
            same |= DEAD_LETTERS.c.id.startswith(letter_id, autoescape=True)
        found = await self._access.rows(select(DEAD_LETTERS).where(same).limit(3))
        if len(found) > 1:
            raise RequestError(
                f"Several dead letters begin with {letter_id!r}.", hint="Give more of the id."
            )
        if not found:
            raise RequestError(
                f"There is no dead letter {letter_id!r}.",
                hint="./orchestrator dead-letters lists them; the first "
                f"{SHORTEST_PREFIX} characters of an id are enough.",
            )
        return DeadLetter(**found[0])

    async def list(
        self, status: LetterStatus | None = None, *, limit: int = 100
    ) -> list[DeadLetter]:
        """Letters of a status, or all, newest first."""
        query = newest(DEAD_LETTERS.c.received_at, limit)
        rows = await self._access.rows(matching(query, DEAD_LETTERS, status=status))
        return [DeadLetter(**row) for row in rows]

    async def resent(self, letter_id: str, message_id: str, now: datetime) -> bool:
        """Settle a waiting letter as resent; of callers at once, one does.

        Returns:
            False when it does not wait: it was resent or discarded before.
        """
        return await self._settle(letter_id, LetterStatus.RESENT, message_id, now)

    async def discard(self, letter_id: str, now: datetime) -> bool:
        """Settle a waiting letter as not to be sent; False when it does not wait."""
        return await self._settle(letter_id, LetterStatus.DISCARDED, None, now)

    async def _settle(
        self, letter_id: str, status: LetterStatus, message_id: str | None, now: datetime
    ) -> bool:
        letter = DEAD_LETTERS.c.id == letter_id
        settled = {"status": status, "message_id": message_id, "settled_at": now}
        statement = (
            update(DEAD_LETTERS)
            .where(letter, DEAD_LETTERS.c.status == LetterStatus.WAITING)
            .values(settled)
        )
        return bool(await self._access.change(statement))
