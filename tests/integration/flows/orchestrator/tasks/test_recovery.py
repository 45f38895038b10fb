"""The ladder of recovery, on a small team that fails on purpose."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prefect import flow, get_client

from blocks.errors import InvalidMessage, NoAgentAvailable, PolicyError
from blocks.ledger import Ledger, ReceiptKind, TaskRecord, TaskStatus
from blocks.prefect_api.calls import save_variable
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.dispatch.policy import (
    VARIABLE,
    forget_policy,
    policy_fault,
    write_changes,
)
from flows.orchestrator.tasks.acceptance import accept
from flows.orchestrator.tasks.recovery import carry_out
from flows.orchestrator.team.opening import workflow_run
from tests.integration.flows.bench import MATRIX, Bench
from tests.waiting import until

pytestmark = pytest.mark.prefect

TWO_WORKERS = [{"name": "worker/2", "agent": "worker"}]


async def routed(bench: Bench, task_type: str, **asked: Any) -> TaskRecord:
    """Route a task in a run of its own, and see it through."""
    params = asked.pop("params", {})

    @flow
    async def routing() -> TaskRecord:
        async with workflow_run("routing", with_business=False, agents=bench.registry) as team:
            task = await accept(team, task_type, params, **asked)
            return await carry_out(team, task.id)

    return await routing()


async def carried_out(bench: Bench, task_id: str) -> TaskRecord:
    @flow
    async def going_on() -> TaskRecord:
        async with workflow_run("routing", with_business=False, agents=bench.registry) as team:
            return await carry_out(team, task_id)

    return await going_on()


async def given_back(ledger: Ledger) -> None:
    """Every slot is free again."""

    async def free() -> bool:
        return not await ledger.leases.workload(utc_now())

    await until(free, "every slot is free")


async def kinds(ledger: Ledger, subject: str) -> list[ReceiptKind]:
    return [receipt.kind for receipt in await ledger.receipts.of(subject=subject)]


async def test_the_primary_does_the_task_and_every_decision_has_its_receipt(bench, ledger):
    task = await routed(bench, "covered", params={"size": 3}, resource="shop:one")
    assert (task.status, task.played_by) == (TaskStatus.DONE, "primary/worker")
    assert task.result.result["summary"] == "worked on 3"
    assert bench.done == ["work"]
    assert await ledger.tasks.get(task.id) == task

    (route,) = await ledger.receipts.of(subject=task.id)
    assert route.kind is ReceiptKind.ROUTE
    assert route.policy_version == task.policy_version != ""
    assert route.body["decision"]["roles"]["secondary"] == "helper.estimate"
    (call,) = await ledger.calls()
    assert (call.priority, call.attempts) == (task.priority, 1)
    (chosen,) = await ledger.receipts.of(subject=call.message_id)
    assert chosen.body["decision"] == {"instance": "worker"}
    await given_back(ledger)


async def test_roles_prepare_and_explain(bench):
    task = await routed(bench, "whole")
    assert bench.done == ["prepare", "work", "explain"]
    assert task.result.result["context"] == {"tools": ["hammer"]}
    assert task.result.explanation == {"cause": "rain"}
    assert task.status is TaskStatus.DONE


async def test_without_its_support_the_primary_works_all_the_same_and_says_so(bench):
    bench.failing = {"prepare": -1}
    task = await routed(bench, "whole")
    assert task.status is TaskStatus.DEGRADED
    assert task.result.doubts == ["Without the support of helper.prepare: prepare is away."]


async def test_another_instance_takes_over_first(bench, ledger):
    changes = {"task_types": MATRIX, "instances": TWO_WORKERS}
    await write_changes(changes, bench.registry)
    bench.failing = {"work": 1}
    task = await routed(bench, "covered")
    assert bench.done == ["work", "work"]
    assert task.status is TaskStatus.DONE
    first, second = sorted(await ledger.calls(), key=lambda call: call.sent_at)
    chosen = [(await ledger.receipts.of(subject=c.message_id))[0].body for c in (first, second)]
    one, other = (body["decision"]["instance"] for body in chosen)
    assert {one, other} == {"worker", "worker/2"}
    assert task.played_by == f"primary/{other}"
    (left_out,) = (c for c in chosen[1]["candidates"] if c["name"] == one)
    assert left_out["lost_because"] == "failed at this task already"


async def test_then_the_secondary_in_a_degraded_way(bench, ledger):
    bench.failing = {"work": -1}
    task = await routed(bench, "covered")
    assert bench.done == ["work", "estimate"]
    assert (task.status, task.played_by) == (TaskStatus.DEGRADED, "secondary/helper")
    assert task.error.what == "work is away."
    assert ReceiptKind.RECOVER in await kinds(ledger, task.id)


async def test_then_a_person_is_asked_and_no_answer_is_no_yes(bench, ledger):
    bench.failing = {"work": -1, "estimate": -1}
    task = await routed(bench, "covered", resource="shop:one")
    assert task.status is TaskStatus.AWAITING_APPROVAL
    (asked,) = await ledger.approvals.list(task_id=task.id)
    assert asked.status == "open"
    assert "work is away" in asked.detail
    assert "estimate is away" in asked.detail
    assert asked.safe_choice == "reject"
    with pytest.raises(PolicyError, match="awaiting-approval"):
        await carried_out(bench, task.id)
    assert bench.done == ["work", "estimate"], "nothing is done before the answer"


async def test_a_yes_has_it_done_again_from_the_beginning(bench, ledger):
    bench.failing = {"work": 1}
    task = await routed(bench, "plain")
    (asked,) = await ledger.approvals.list(task_id=task.id)
    await ledger.approvals.answer(asked.id, True, by="ada", via="test", note="", now=utc_now())
    assert await ledger.tasks.reopen(task.id)
    again = await carried_out(bench, task.id)
    assert (again.status, bench.done) == (TaskStatus.DONE, ["work", "work"])


async def test_a_wrong_result_is_not_used(bench):
    bench.verdict = False
    task = await routed(bench, "checked")
    assert bench.done == ["work", "check", "estimate"]
    assert task.status is TaskStatus.DEGRADED
    assert task.error.what == "The result was refused: worked on 1 is wrong"


async def test_a_result_that_nobody_could_check_is_used_with_a_doubt(bench):
    bench.failing = {"check": -1}
    task = await routed(bench, "checked")
    assert bench.done == ["work", "check"]
    assert task.status is TaskStatus.DEGRADED
    assert task.result.doubts == ["The result was not checked: check is away."]


async def test_the_monitor_stops_the_primary_and_the_secondary_takes_over(bench, ledger):
    bench.stopping = True
    task = await routed(bench, "watched")
    assert sorted(bench.done) == ["estimate", "watch", "work"]
    assert task.error.what == "The monitor stopped it: the disk is full"
    assert task.status is TaskStatus.DEGRADED
    calls = {call.action: call for call in await ledger.calls()}
    assert calls["work"].error.code == "interrupted"
    await given_back(ledger)


async def test_a_monitor_that_has_nothing_to_say_holds_nothing_up(bench, monkeypatch):
    monkeypatch.setattr("flows.orchestrator.tasks.steps.MONITOR_GRACE", 0.05)
    task = await routed(bench, "watched")
    assert (task.status, task.played_by) == (TaskStatus.DONE, "primary/worker")


async def test_an_act_that_may_have_happened_is_not_repeated_by_anybody(bench, ledger):
    await write_changes({"task_types": MATRIX, "instances": TWO_WORKERS}, bench.registry)
    bench.failing = {"pay": -1}
    task = await routed(bench, "paying")
    assert bench.done == ["pay"]
    assert task.status is TaskStatus.AWAITING_APPROVAL
    (asked,) = await ledger.approvals.list(task_id=task.id)
    assert "not known" in asked.detail


async def test_one_need_is_one_task(bench):
    first = await routed(bench, "plain", need_key="stock of today")
    again = await routed(bench, "plain", need_key="stock of today")
    assert again == first
    assert bench.done == ["work"]


async def test_of_runs_that_take_a_task_on_at_once_one_does_it(bench, ledger):
    task = await ledger.tasks.accept(TaskRecord(task_type="plain", requested_at=utc_now()))
    came = await asyncio.gather(
        *(carried_out(bench, task.id) for _ in range(4)), return_exceptions=True
    )
    assert bench.done == ["work"]
    for other in came:
        finished = isinstance(other, TaskRecord) and other.status is TaskStatus.DONE
        assert finished or (isinstance(other, PolicyError) and other.reason == "task-taken")


async def test_what_cannot_be_done_is_refused_before_it_is_accepted(bench, ledger):
    with pytest.raises(NoAgentAvailable, match="No agent available for task type: plane"):
        await routed(bench, "plane")
    with pytest.raises(InvalidMessage, match="sise"):
        await routed(bench, "plain", params={"sise": 3})
    assert await ledger.tasks.list() == []
    assert bench.done == []


async def test_a_policy_that_cannot_be_used_stops_nobody(bench, ledger):
    good = await routed(bench, "plain")
    async with get_client() as client:
        await save_variable(client, VARIABLE, {"task_types": {"plain": {"roles": {}}}})
    forget_policy()

    @flow
    async def opening() -> tuple[list[str], str]:
        async with workflow_run("opening", with_business=False, agents=bench.registry) as team:
            task = await accept(team, "plain", {})
            return team.notes, (await carry_out(team, task.id)).policy_version

    assert "plan needs a primary" in await policy_fault(bench.registry), "as a start says"
    notes, version = await opening()
    assert "plan needs a primary" in notes[0]
    assert version == good.policy_version, "the one that was used last stands in"
    assert "plain" in (await ledger.policies.body(version))["task_types"]
