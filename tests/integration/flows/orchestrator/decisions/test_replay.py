"""What real runs decided, made again under other policies; the ledger stays as it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from prefect import flow
from sqlalchemy import create_engine, select

from blocks.ledger import Ledger
from blocks.ledger.engine.tables import METADATA
from blocks.policy.policy import Policy
from blocks.vocabulary.messages import utc_now
from blocks.vocabulary.severity import Severity
from flows.orchestrator.decisions.replay_ledger import replay_ledger
from flows.orchestrator.dispatch.policy import write_changes
from flows.orchestrator.tasks.acceptance import accept
from flows.orchestrator.tasks.recovery import carry_out
from flows.orchestrator.team.opening import workflow_run
from tests.integration.flows.bench import MATRIX, Bench

pytestmark = pytest.mark.prefect

WORKERS = [{"name": f"worker/{n}", "agent": "worker"} for n in (2, 3)]
CHANGES: dict[str, Any] = {"task_types": MATRIX, "instances": WORKERS}


def content(ledger: Ledger) -> dict[str, list[Any]]:
    engine = create_engine(f"sqlite:///{ledger.path}")
    with engine.connect() as connection:
        rows = {
            name: sorted(map(repr, connection.execute(select(table)).all()))
            for name, table in METADATA.tables.items()
            if name != "leases"  # a slot is given back a moment after its call
        }
    engine.dispose()
    return rows


async def test_recorded_tasks_are_decided_again_and_nothing_is_touched(
    bench: Bench, ledger: Ledger
) -> None:
    await write_changes(CHANGES, bench.registry)
    bench.failing = {"work": 2}

    @flow
    async def routing() -> None:
        async with workflow_run("routing", with_business=False, agents=bench.registry) as team:
            for task_type in ("plain", "covered", "checked", "plain"):
                task = await accept(team, task_type, {}, severity=Severity.ERROR)
                await carry_out(team, task.id)

    since = utc_now() - timedelta(minutes=1)
    await routing()
    await ledger.flush()
    before = content(ledger)
    assert before["receipts"]

    same = await replay_ledger(ledger, Policy.extended(CHANGES), bench.registry, since)
    assert (same.differences, same.skipped) == ([], {})
    counts = {tally.question.value: tally.same for tally in same.tallies}
    assert (counts["routing"], counts["priority"]) == (4, 4)
    assert counts["selection"] >= 6, "two calls failed and were given to others"

    others = {name: plan for name, plan in MATRIX.items() if name != "checked"}
    fewer = Policy.extended({"instances": WORKERS[1:]}).model_copy(
        update={"task_types": Policy.extended({"task_types": others}).task_types}
    )
    told = await replay_ledger(ledger, fewer, bench.registry, since)
    refused = [d.about for d in told.differences if d.replayed == "refused"]
    assert refused == ["checked"]
    moved = [d for d in told.differences if d.recorded == "worker/2"]
    # Of two calls that failed, the last to try may have had worker/2 alone to turn to.
    assert {d.replayed for d in moved} <= {"worker", "worker/3", "nobody"}
    assert sum(d.replayed == "nobody" for d in moved) <= 1
    assert content(ledger) == before
    assert (await ledger.receipts.verify()).sound

    later = utc_now() + timedelta(minutes=1)
    nothing = await replay_ledger(ledger, fewer, bench.registry, later)
    assert not any(tally.same + tally.different for tally in nothing.tallies)
