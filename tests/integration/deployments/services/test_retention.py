"""The stack has its ledger forget, and says what went or why it did not."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from blocks.ledger import Ledger
from blocks.ledger.calls.dead_letters import DeadLetter
from blocks.ledger.receipts.signing import Seal
from blocks.settings import Retention
from blocks.vocabulary.messages import utc_now
from deployments.services.retention import keep_forgetting


async def said(ledger: Ledger) -> str:
    """What the loop says first."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.create_task(keep_forgetting(ledger, Retention(), heard.put_nowait, first=0))
    try:
        return await asyncio.wait_for(heard.get(), 30)
    finally:
        loop.cancel()


async def test_what_went_is_said_and_why_nothing_did(tmp_path: Path) -> None:
    url, at = f"sqlite:///{tmp_path}/ledger.db", utc_now() - timedelta(days=100)
    letter = DeadLetter(received_at=at, origin="o", raw="r", reason="why")
    (tmp_path / "file").touch()
    with Ledger.open(url, seal=Seal(tmp_path / "file" / "key", tmp_path / "head")) as ledger:
        await ledger.dead_letters.keep(letter)
        await ledger.dead_letters.discard(letter.id, at)
        assert "cannot be signed" in await said(ledger)
    with Ledger.open(url) as ledger:
        assert "dead letters 1" in await said(ledger)
