"""PostgreSQL cuts the ledger off, at every awkward moment: nobody is told, nothing is lost."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, text

from blocks.errors import LedgerUnavailable
from blocks.ledger import Ledger
from blocks.vocabulary.messages import AgentMessage, Severity, SystemEvent
from tests.integration.blocks.ledger.engine.test_faults import gone
from tests.integration.cutting import cut_off_again_and_again, terminate

pytestmark = pytest.mark.services

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_a_read_that_is_cut_off_is_read_again(postgres_url: str) -> None:
    with Ledger.open(postgres_url) as ledger:
        cut: list[int] = []

        def read(connection: Connection) -> int | None:
            pid = connection.scalar(text("SELECT pg_backend_pid()"))
            if not cut:
                cut.append(pid)
                terminate(postgres_url, pid)
            return connection.scalar(text("SELECT 42"))

        assert await ledger._access.read(read) == 42
        assert cut


async def test_what_was_read_counts_however_the_connection_ends(postgres_url: str) -> None:
    with Ledger.open(postgres_url) as ledger:
        pids: list[int] = []

        def read(connection: Connection) -> None:
            pids.append(connection.scalar(text("SELECT pg_backend_pid()")))
            terminate(postgres_url, pids[-1])

        await ledger._access.read(read)
        assert len(pids) == 1


@pytest.mark.parametrize("migrated", [False, True])
async def test_opening_waits_for_a_server_that_is_away_for_a_moment(
    postgres_url: str, migrated: bool
) -> None:
    if migrated:
        Ledger.open(postgres_url).close()
    with gone(postgres_url):
        opening = asyncio.create_task(asyncio.to_thread(Ledger.open, postgres_url, patience=60))
        await until_refused(postgres_url)
        assert not opening.done()
    (await opening).close()


async def until_refused(url: str) -> None:
    """Until the server has refused somebody a connection; its own statistics lag behind."""
    with pytest.raises(LedgerUnavailable):
        await asyncio.to_thread(Ledger.open, url, patience=0.2)


async def test_opening_survives_being_cut_off_again_and_again(postgres_url: str) -> None:
    Ledger.open(postgres_url).close()
    with cut_off_again_and_again(postgres_url, 0.05) as cut:
        for _ in range(20):
            (await asyncio.to_thread(Ledger.open, postgres_url, patience=60)).close()
    assert cut


async def test_a_read_waits_no_longer_than_it_may(postgres_url: str) -> None:
    with Ledger.open(postgres_url, patience=0.3) as ledger:
        with gone(postgres_url), pytest.raises(LedgerUnavailable, match="cannot be read"):
            await ledger.calls()
        assert await ledger.calls() == []


async def test_a_question_that_is_wrong_is_not_asked_again(postgres_url: str) -> None:
    asked: list[int] = []

    def wrong(connection: Connection) -> None:
        asked.append(1)
        connection.execute(text("SELECT nonsense"))

    with (
        Ledger.open(postgres_url) as ledger,
        pytest.raises(LedgerUnavailable, match="nonsense"),
    ):
        await ledger._access.read(wrong)
    assert asked == [1]


async def test_work_goes_on_while_all_connections_are_cut_off_again_and_again(
    postgres_url: str,
) -> None:
    """Group commits, writes that stand alone and reads, from several tasks at once."""
    with Ledger.open(postgres_url, patience=60) as ledger:

        async def work(name: str) -> int:
            new = 0
            for number in range(40):
                ledger.record(AgentMessage(to="data-intelligence", action="a", run_id=name))
                event = SystemEvent(
                    source=name, id=str(number), type="t", severity=Severity.WARNING
                )
                new += (await ledger.inbox.accept([event], NOON)).new
                await ledger.flush()
                assert len(await ledger.calls(run_id=name)) == number + 1
            return new

        with cut_off_again_and_again(postgres_url, 0.1) as cut:
            told = await asyncio.gather(*(work(name) for name in "abcd"))
        assert len(cut) > 4
        assert told == [40] * 4, "each was told that it was new, and once"
        assert (await ledger.inbox.depth(NOON)).events == 160
