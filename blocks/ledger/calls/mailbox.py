"""The mailbox: a message from outside is taken in once, however often it is sent."""

from __future__ import annotations

from blocks.ledger.calls.rows import entry
from blocks.ledger.calls.tables import MESSAGES
from blocks.ledger.engine.access import Access
from blocks.ledger.engine.upsert import insert
from blocks.vocabulary.messages import AgentMessage


class Mailbox:
    """The messages in the ledger, as those who deliver from outside see them."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def take_in(self, message: AgentMessage) -> bool:
        """Write a message down before it is delivered; of those with one id, one is taken in.

        Returns:
            False when its id is known: it was delivered, or is being delivered.
        """
        statement = (
            insert(self._access.dialect, MESSAGES)
            .values(entry(message).row)
            .on_conflict_do_nothing()
            .returning(MESSAGES.c.id)
        )
        return await self._access.write(lambda c: c.scalar(statement)) is not None
