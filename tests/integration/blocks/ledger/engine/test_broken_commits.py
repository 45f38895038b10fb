"""A connection that breaks in the middle of a commit: did it take place? PostgreSQL is asked.

SQLite commits in our own process: what it reports as failed has not taken place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from blocks.ledger import Ledger
from blocks.ledger.callers.requests import Begun, Done, InFlight
from blocks.ledger.callers.tokens import Scope
from blocks.ledger.calls.leases import Lease
from blocks.ledger.work.approvals import ApprovalRecord
from blocks.vocabulary.messages import AgentMessage, Severity, SystemEvent
from tests.integration.cutting import terminate

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


Breaks = Callable[[Ledger], list[int]]


@pytest.fixture
def breaks(monkeypatch: pytest.MonkeyPatch) -> Breaks:
    """Has the next commit of a ledger report a failure after it took place; counts commits."""

    def break_next(ledger: Ledger) -> list[int]:
        dialect = ledger._database.engine.dialect
        commit, commits = dialect.do_commit, [0]

        def broken(connection: Any) -> None:
            commit(connection)
            commits[0] += 1
            if commits[0] == 1:
                raise psycopg.OperationalError("the connection is lost")

        monkeypatch.setattr(dialect, "do_commit", broken)
        return commits

    return break_next


@pytest.mark.services
async def test_who_began_knows_it(postgres_url: str, breaks: Breaks) -> None:
    with Ledger.open(postgres_url) as ledger:
        for now in (NOON, NOON + MINUTE):  # begun, and begun again
            commits = breaks(ledger)
            begun = await ledger.requests.begin("k", "c", "f", now, now + MINUTE)
            assert (begun, commits) == (Begun(NOON), [1])
            assert await ledger.requests.begin("k", "c", "f", now, now + MINUTE) == InFlight()
        commits = breaks(ledger)
        await ledger.requests.finish("k", "c", 200, "{}", NOON)
        assert commits == [1]
        assert await ledger.requests.begin("k", "c", "f", NOON, NOON) == Done(200, "{}", {})


@pytest.mark.services
async def test_a_token_is_made_once_and_who_revoked_it_knows(
    postgres_url: str, breaks: Breaks
) -> None:
    with Ledger.open(postgres_url) as ledger:
        commits = breaks(ledger)
        text, record = await ledger.tokens.create("ci", [Scope.RUN], by="me", now=NOON)
        assert commits == [1]
        assert await ledger.tokens.list() == [record]
        assert await ledger.tokens.check(text, NOON) == record
        commits = breaks(ledger)
        assert await ledger.tokens.revoke(record.id, NOON)
        assert commits == [1]
        assert not await ledger.tokens.revoke(record.id, NOON)


@pytest.mark.services
async def test_what_would_not_know_its_own_work_again_is_not_done_again(
    postgres_url: str, breaks: Breaks
) -> None:
    event = SystemEvent(source="s", id="1", type="disk.filling", severity=Severity.INFO)
    question = ApprovalRecord(
        need_key="q", title="May we?", proposal={}, asked_at=NOON, expires_at=NOON + MINUTE
    )
    free: list[int] = []

    def choose(workload: Mapping[str, int]) -> Lease | None:
        free.append(1 - workload.get("sre", 0))
        return lease if free[-1] else None

    lease = Lease(id="l", instance="sre", agent="sre", taken_at=NOON, expires_at=NOON + MINUTE)
    with Ledger.open(postgres_url) as ledger:
        await ledger.inbox.accept([event], NOON)
        await ledger.approvals.ask(question)
        breaks(ledger)
        [taken] = await ledger.inbox.take(NOON, "run", NOON, 10)
        assert (taken.key, taken.tries) == (("s", "1"), 1)
        breaks(ledger)
        assert await ledger.mailbox.take_in(AgentMessage(to="data-intelligence", action="a"))
        breaks(ledger)
        [expired] = await ledger.approvals.expire_due(NOON + MINUTE)
        assert expired.id == question.id
        breaks(ledger)
        [summary] = await ledger.inbox.summarise(NOON + MINUTE)
        assert summary.events == 1
        breaks(ledger)
        assert await ledger.leases.take(NOON, choose)
        assert free == [1], "the only slot was taken once, and is not taken for somebody else's"


@pytest.mark.services
async def test_a_commit_that_did_not_take_place_is_made_up_for(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server cuts us off before it is told to commit."""
    with Ledger.open(postgres_url) as ledger:
        dialect = ledger._database.engine.dialect
        commit, cut = dialect.do_commit, []

        def cut_off(connection: Any) -> None:
            if not cut:
                cut.append(connection.dbapi_connection.info.backend_pid)
                terminate(postgres_url, *cut)
            commit(connection)

        monkeypatch.setattr(dialect, "do_commit", cut_off)
        ledger.record(AgentMessage(to="data-intelligence", action="a"))
        text, record = await ledger.tokens.create("ci", [Scope.RUN], by="me", now=NOON)
        assert cut
        assert len(await ledger.calls()) == 1
        assert await ledger.tokens.check(text, NOON) == record
