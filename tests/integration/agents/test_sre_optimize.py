"""The whole optimisation, on a real ledger, with and without Prefect."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from agents.sre_reliability.performance_optimization import optimize
from blocks.business.business import Business
from blocks.ledger import AttemptRecord, Ledger
from blocks.prefect_api.client import PrefectApi
from blocks.vocabulary.messages import AgentMessage, AgentReply, Outcome, utc_now

NOW = utc_now()
INSIGHTS = {"stock_risk": {"dead_value": 3650, "dead": []}}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        yield ledger


async def called(ledger: Ledger, *, attempts: int, ms: float) -> None:
    message = AgentMessage(recipient="integration-specialist", action="fetch_data")
    ledger.record(message)
    for attempt in range(1, attempts + 1):
        ledger.record(
            AttemptRecord(
                message_id=message.id,
                attempt=attempt,
                agent="integration-specialist",
                action="fetch_data",
                sent_at=NOW,
                started_at=NOW,
                deadline=NOW + timedelta(minutes=1),
            )
        )
    ledger.record(
        AgentReply(
            message_id=message.id,
            sender="integration-specialist",
            outcome=Outcome.SUCCEEDED,
            attempts=attempts,
            duration_ms=ms,
        )
    )
    await ledger.flush()


async def test_what_the_ledger_knows_is_considered_when_prefect_is_away(ledger):
    for _ in range(8):
        await called(ledger, attempts=1, ms=100)
    for _ in range(2):
        await called(ledger, attempts=2, ms=1100)
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}):
        plan = await optimize(INSIGHTS, Business(None), PrefectApi(), ledger, NOW)
    assert [(p.kind, p.unit, round(p.expected_benefit, 6)) for p in plan.proposals] == [
        ("clear-dead-stock", "XXX/day", 2.0),
        ("unsteady-call", "ms/run", 200.0),
    ]
    assert plan.benefit_per_day == pytest.approx(2.0)
    assert plan.not_considered == ["revenue", "integrations", "health"]
    (missing,) = plan.missing
    assert missing.startswith("prefect: Prefect at http://127.0.0.1:1/api does not answer")


@pytest.mark.prefect
@pytest.mark.usefixtures("prefect_server")
async def test_with_everything_there_nothing_is_missing(ledger):
    plan = await optimize({}, Business(None), PrefectApi(), ledger, NOW)
    assert plan.missing == []
