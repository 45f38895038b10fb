"""Receipts of decisions, as the rest of the product sees them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, select

from blocks.errors import LedgerError
from blocks.ledger.calls.queries import newest
from blocks.ledger.calls.records import ReceiptKind, ReceiptRecord
from blocks.ledger.engine.access import Access
from blocks.ledger.receipts.chain import appending, head_of, receipt_record, receipt_row
from blocks.ledger.receipts.checkpoints import Checkpoint, last_before, last_checkpoint, left_of_cut
from blocks.ledger.receipts.signing import Head, Seal
from blocks.ledger.receipts.tables import RECEIPTS
from blocks.ledger.receipts.verification import PAGE, Checker, Verification, page, undecided


class Receipts:
    """The receipts in the ledger; ``Ledger.record`` adds to them."""

    def __init__(self, access: Access, seal: Seal) -> None:
        self._access = access
        self._seal = seal

    async def get(self, receipt_id: str) -> ReceiptRecord | None:
        """One receipt."""
        found = await self._access.rows(select(RECEIPTS).where(RECEIPTS.c.id == receipt_id))
        return receipt_record(found[0]) if found else None

    async def of(
        self,
        *,
        subject: str | None = None,
        run_id: str | None = None,
        kind: ReceiptKind | None = None,
        since: datetime | None = None,
        limit: int | None = 100,
    ) -> list[ReceiptRecord]:
        """Receipts of decisions made at ``since`` or later, the last recorded first.

        Raises:
            LedgerError: A receipt was changed into something that cannot be read.
        """
        query = newest(RECEIPTS.c.seq, limit, subject=subject, run_id=run_id, kind=kind)
        if since is not None:
            query = query.where(RECEIPTS.c.at >= since)
        return [receipt_record(row) for row in await self._access.rows(query)]

    async def head(self) -> Head | None:
        """The end of the chain; None when there are no receipts."""
        return await self._access.read(head_of)

    async def verify(self, progress: Callable[[int, int], None] | None = None) -> Verification:
        """Recomputes the whole chain, and compares it with its signatures and its anchor.

        Reads page by page, so that memory does not grow with the ledger; receipts that come in
        meanwhile do no harm.

        Args:
            progress: Called with the receipts read so far and those expected.
        """
        while True:
            checkpoint = await self._access.read(last_checkpoint)
            checker = Checker(self._seal, checkpoint)
            await self._check(checker, checkpoint, progress=progress)
            # If some were cut meanwhile, they may have been missing where we came to them.
            if checkpoint == await self._access.read(last_checkpoint):
                gone = await self._access.read(partial(undecided, checkpoint=checkpoint))
                return checker.finish(gone, await self._access.read(left_of_cut))

    async def cut(self, before: datetime, now: datetime) -> Checkpoint | None:
        """Write a checkpoint up to which receipts may be removed, after a look at those.

        Args:
            before: What was decided at that instant or later is kept; so is what was decided
                after a decision whose outcome is not known.
            now: The instant of the checkpoint.

        Returns:
            The checkpoint; the last one when there is nothing more to cut, None without one.

        Raises:
            LedgerError: It cannot be signed.
        """
        last = await self._access.read(last_checkpoint)
        up_to = await self._access.read(partial(last_before, instant=before, checkpoint=last))
        if up_to is None:
            return last
        checker = Checker(self._seal, last)
        await self._check(checker, last, up_to)
        checkpoint = checker.checkpoint(before)
        await self.keep(checkpoint.receipt(now))
        return checkpoint

    async def keep(self, receipt: ReceiptRecord) -> None:
        """Record a receipt of something that nobody may forge; durable on return.

        Raises:
            LedgerError: It cannot be signed.
        """
        signed = select(RECEIPTS.c.mac).where(RECEIPTS.c.id == receipt.id)

        def write(connection: Connection) -> Callable[[], object] | None:
            afterwards = appending(self._seal)(connection, [receipt_row(receipt)])
            if connection.scalar(signed) is None:
                raise LedgerError(
                    f"The receipt of {receipt.kind} cannot be signed: its key cannot be read.",
                    hint="./orchestrator verify says why.",
                )
            return afterwards

        if afterwards := await self._access.write(write):
            afterwards()

    async def _check(
        self,
        checker: Checker,
        checkpoint: Checkpoint | None,
        up_to: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        head, last, size = await self.head(), checkpoint.cut_to if checkpoint else None, PAGE
        expected = (head.seq if head else 0) - (last or 0)
        while size == PAGE:
            last, size = await self._access.read(
                partial(page, checker=checker, after=last, up_to=up_to)
            )
            if progress:
                progress(checker.count, max(checker.count, expected))
