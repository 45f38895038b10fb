"""Decisions are settled once, and selection learns from what came back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from prefect import flow

from blocks.ledger.calls.records import ReceiptKind
from blocks.ledger.receipts.outcomes import OutcomeRecord, Verdict
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.dispatch import track_records
from flows.orchestrator.tasks.acceptance import accept
from flows.orchestrator.tasks.recovery import carry_out
from flows.orchestrator.team.opening import workflow_run
from flows.upkeep import settle_outcomes as settling
from flows.upkeep.settle_outcomes import settle_outcomes

pytestmark = pytest.mark.prefect


async def test_each_decision_is_settled_once(bench, ledger, monkeypatch):
    monkeypatch.setattr(settling, "CALL_GRACE", timedelta(0))
    bench.failing = {"work": -1}

    @flow
    async def routing():
        async with workflow_run("routing", with_business=False, agents=bench.registry) as team:
            task = await accept(team, "covered", {}, resource="shop:one")
            return await carry_out(team, task.id)

    await routing()
    first = await settle_outcomes()
    assert "2 decisions" in first.headline
    outcomes = await ledger.outcomes.list()
    assert {(o.instance, o.verdict) for o in outcomes} == {
        ("worker", Verdict.FAILED),
        ("helper", Verdict.SUCCEEDED),
    }
    assert (await settle_outcomes()).headline == "No decision's outcome became known."
    assert await ledger.outcomes.list() == outcomes


async def test_selection_learns_of_what_came_back(ledger):
    now = utc_now()
    outcome = OutcomeRecord(
        receipt_id="r",
        kind=ReceiptKind.ROUTE,
        subject="s",
        instance="worker/2",
        decided_at=now,
        settled_at=now,
        verdict=Verdict.RECURRED,
    )
    await ledger.outcomes.keep([outcome])
    known = await track_records.known_records(ledger, "work", now)
    assert known["worker/2"].failures == 1.0
