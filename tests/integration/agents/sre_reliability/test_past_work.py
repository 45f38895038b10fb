"""What one item takes, as a real ledger has it of past runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.sre_reliability.capacity_planning.past_work import (
    ASSUMED_SECONDS,
    RUNS,
    WORKFLOW,
    past_work,
)
from blocks.ledger import Ledger
from blocks.ledger.calls.records import ReportRecord, RunRecord
from blocks.prefect_api.client import RunInfo
from blocks.vocabulary.messages import AgentMessage, AgentReply, Outcome, utc_now

NOW = utc_now()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        yield ledger


async def ordered(
    ledger: Ledger, name: str, lines: int, *, held: int = 0, seconds: float = 60.0, ago: int = 1
) -> None:
    """A run that handled so many items, with one call that took a third of its time."""
    began = NOW - timedelta(hours=ago)
    ended = began + timedelta(seconds=seconds)
    message = AgentMessage(recipient="data-intelligence", action="propose_orders", run_id=name)
    ledger.record(
        RunRecord(
            id=name,
            workflow=WORKFLOW,
            flow_run_id=f"flow-{name}",
            started_at=began,
            finished_at=ended,
            outcome=Outcome.SUCCEEDED,
        ),
        message,
        AgentReply(
            message_id=message.id,
            sender=message.recipient,
            outcome=Outcome.SUCCEEDED,
            attempts=1,
            duration_ms=seconds * 1000 / 3,
        ),
    )
    await reported(ledger, name, {"orders": [{"lines": [{}] * lines}], "held": [{}] * held}, ended)


async def reported(ledger: Ledger, name: str, orders: Any, at: Any = NOW) -> None:
    body = {"orders": orders}
    await ledger.save_report(ReportRecord(run_id=name, workflow=WORKFLOW, created_at=at, body=body))
    await ledger.flush()


def in_pool(name: str) -> RunInfo:
    return RunInfo(
        id=f"flow-{name}", name=name, flow=WORKFLOW, state="Completed", pool="operations"
    )


async def test_work_is_shared_out_over_the_items_of_all_runs(ledger: Ledger) -> None:
    await ordered(ledger, "a", 8, held=2, seconds=60)
    await ordered(ledger, "b", 20, seconds=30)
    work = await past_work(ledger, [in_pool("a"), in_pool("b")])
    assert (work.items, work.runs) == (30, 2)
    seconds, basis = work.agent("data-intelligence")
    assert seconds == pytest.approx((20 + 10) / 30)
    assert basis == "measured: 1 s per item, over 30 items of 2 runs"
    assert work.pool("operations")[0] == pytest.approx(90 / 30)
    assert work.pool("critical")[0] == 0, "they ran elsewhere"
    assert work.agent("integration-specialist")[0] == 0, "they asked it nothing"


async def test_where_nothing_was_measured_that_is_said(ledger: Ledger) -> None:
    for told in (None, "later", {}):
        await reported(ledger, f"x{told}", told)
    work = await past_work(ledger, [])
    assert work.agent("data-intelligence") == work.pool("operations")
    seconds, basis = work.pool("operations")
    assert seconds == ASSUMED_SECONDS
    assert basis.startswith("assumed: 3 s per item")


async def test_of_runs_outside_of_all_pools_the_pools_know_nothing(ledger: Ledger) -> None:
    await ordered(ledger, "a", 10)
    work = await past_work(ledger, [])
    assert work.agent("data-intelligence")[0] == pytest.approx(2)
    assert work.pool("operations")[0] == ASSUMED_SECONDS


async def test_only_the_last_runs_count(ledger: Ledger) -> None:
    for ago in range(1, RUNS + 3):
        await ordered(ledger, f"r{ago}", 10, seconds=10.0 * ago, ago=ago)
    work = await past_work(ledger, [])
    assert work.runs == RUNS
    assert work.agents["data-intelligence"] == pytest.approx(sum(range(1, RUNS + 1)) * 10 / 3)
