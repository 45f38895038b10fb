"""Snapshots of the store: of each the newest few, and what is asked of single items."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING

from blocks.crash_points import reach
from blocks.ledger.engine.access import Access
from blocks.ledger.snapshots.rows import newest, newest_of_item, writes

if TYPE_CHECKING:  # pandas is imported where snapshots are used
    from blocks.vocabulary.frames import Snapshot


class Snapshots:
    """The snapshots in the ledger.

    Args:
        access: For reading.
        pieces: For writing, beside all else that is written: they are large.
    """

    def __init__(self, access: Access, pieces: Access) -> None:
        self._access, self._pieces = access, pieces

    async def save(self, snapshot: Snapshot) -> str:
        """Keeps a snapshot, and of its store's earlier ones the newest two.

        Returns:
            Its id.

        Raises:
            ContractViolation: A frame has no contract, or a column that its contract lacks.
        """
        from blocks.ledger.snapshots import frames

        packing = await asyncio.to_thread(frames.pack, snapshot)
        steps, number = writes(packing), 0
        # Packing takes a processor's time: no other task is to wait for it.
        while write := await asyncio.to_thread(next, steps, None):
            reach(f"snapshot:{number}")
            await self._pieces.write(write)
            number += 1
        return packing.id

    async def latest(self, store: str, *, only: Collection[str] | None = None) -> Snapshot | None:
        """A store's newest snapshot by ``taken_at``, with the dtypes of its frames' contracts.

        Args:
            store: Name of the store.
            only: The frames to load; all when None. Two years of sales take long to read, and
                who asks for a stock count need not wait for them.

        Raises:
            ContractViolation: It was written for other contracts than today's.
        """
        from blocks.ledger.snapshots import frames

        packed = await self._access.read(partial(newest, store=store, only=only))
        return await asyncio.to_thread(frames.unpack, packed) if packed else None

    async def of_item(self, store: str, sku: str) -> Snapshot | None:
        """A store's newest snapshot, with little more than what it tells of one item.

        Its frames are ``products``, ``stock`` and the last weeks' ``sales``, as far as there are
        rows; other items may be among them. That costs milliseconds, however long the history is.

        Args:
            store: Name of the store.
            sku: The item.

        Raises:
            ContractViolation: It was written for other contracts than today's.
        """
        from blocks.ledger.snapshots import frames

        packed = await self._access.read(partial(newest_of_item, store=store, sku=sku))
        return await asyncio.to_thread(frames.unpack, packed) if packed else None
