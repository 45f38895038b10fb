"""What an answer does to the task that waited for it."""

from __future__ import annotations

from typing import Any

import pytest
from prefect import flow

from blocks.ledger import Ledger, ReceiptKind, TaskRecord, TaskStatus
from blocks.ledger.work.approvals import ApprovalRecord
from blocks.vocabulary.messages import utc_now
from flows.internal.apply_approval import APPLIERS, apply_approval
from flows.orchestrator.tasks.acceptance import accept
from flows.orchestrator.tasks.recovery import carry_out
from flows.orchestrator.team.opening import workflow_run
from tests.integration.flows.bench import Bench

pytestmark = pytest.mark.prefect


async def asked(bench: Bench, ledger: Ledger) -> tuple[TaskRecord, ApprovalRecord]:
    """A task that everybody failed at, and the question that it led to."""
    bench.failing = {"work": -1, "estimate": -1}

    @flow
    async def routing() -> TaskRecord:
        async with workflow_run("routing", with_business=False, agents=bench.registry) as team:
            return await carry_out(team, (await accept(team, "covered", {})).id)

    task = await routing()
    assert task.status is TaskStatus.AWAITING_APPROVAL
    [question] = await ledger.approvals.list(task_id=task.id)
    return task, question


async def approved(bench: Bench, ledger: Ledger, question: ApprovalRecord) -> str:
    """Say yes, and have it carried out by a team of the bench."""
    await ledger.approvals.answer(question.id, True, by="Ada", via="cli", now=utc_now())

    @flow
    async def applying() -> str:
        async with workflow_run("applying", with_business=False, agents=bench.registry) as team:
            record = await ledger.approvals.get(question.id)
            return await APPLIERS["retry-task"](team, record)

    return await applying()


async def test_a_yes_has_the_task_done_again_once(bench: Any, ledger: Ledger) -> None:
    task, question = await asked(bench, ledger)
    bench.failing = {}
    assert "carried out again: done" in await approved(bench, ledger, question)
    done = await ledger.tasks.get(task.id)
    assert done
    assert done.status is TaskStatus.DONE
    before = bench.done
    # Whoever applies it after a crash that left it done, but not written down as applied.
    assert "carried out again: done" in await approved(bench, ledger, question)
    assert bench.done == before


async def test_a_task_that_fails_again_waits_for_a_new_answer_not_for_the_old_one(
    bench: Any, ledger: Ledger
) -> None:
    task, question = await asked(bench, ledger)
    assert "awaiting-approval" in await approved(bench, ledger, question)
    newer, older = await ledger.approvals.list(task_id=task.id)
    assert older.id == question.id
    before = bench.done
    assert "led to another question" in await approved(bench, ledger, question)
    assert bench.done == before
    # The no to the newer question closes it.
    await ledger.approvals.answer(newer.id, False, by="Ada", via="cli", now=utc_now())
    assert "is closed" in await apply_approval(newer.id)


async def test_a_no_closes_the_task_and_everything_has_its_receipt(
    bench: Any, ledger: Ledger
) -> None:
    task, question = await asked(bench, ledger)
    await ledger.approvals.answer(
        question.id, False, by="Ada", via="cli", note="Not today.", now=utc_now()
    )
    assert f"Task {task.id} is closed." in await apply_approval(question.id)
    closed = await ledger.tasks.get(task.id)
    assert closed
    assert closed.status is TaskStatus.FAILED
    assert closed.error
    assert closed.error.code == "rejected"
    assert "Ada rejected it via cli" in closed.error.what
    receipts = {receipt.kind: receipt for receipt in await ledger.receipts.of(subject=task.id)}
    assert receipts[ReceiptKind.ESCALATE].body["decision"]["approval"] == question.id
    decision = receipts[ReceiptKind.APPROVE].body["decision"]
    assert (decision["answer"], decision["by"]) == ("no", "Ada")
    assert "Not today." in receipts[ReceiptKind.APPROVE].body["why"]
