"""Questions and answers on a real Prefect server: whichever way it is answered, it counts once."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterName,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import ObjectNotFound
from prefect.flow_engine import run_flow_async
from prefect.states import Crashed, Paused

from blocks.ledger import Ledger, TaskRecord, TaskStatus
from blocks.ledger.work.approvals import ApprovalRecord, ApprovalStatus
from blocks.settings import PROJECT_ROOT, get_settings
from blocks.vocabulary.messages import ErrorInfo, new_id, utc_now
from deployments.registration.registration import register
from deployments.services import loop as settling
from deployments.services.run_monitoring import Reconciler
from flows.internal.apply_approval import APPLIERS, CLAIM, apply_approval
from flows.internal.approval_form import approval_form
from flows.orchestrator.approvals.escalation import FORM, escalate, settle_due, show_forms
from flows.orchestrator.dispatch.context import shared_ledger
from flows.orchestrator.team.opening import workflow_run
from flows.orchestrator.team.team import Orchestrator
from tests.forked import orchestrator
from tests.waiting import until

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

HOUR = timedelta(hours=1)
DEPLOYMENTS = ("approval-form", "apply-approval")


@pytest.fixture
def ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefect_server: str
) -> Iterator[Ledger]:
    monkeypatch.setenv("ORCHESTRATOR_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    # What is proposed here is carried out without agents, so that only the answer matters.
    business = tmp_path / "business.toml"
    business.write_text('[[services]]\nname = "shop"\nhealth_url = "http://127.0.0.1:9/"\n')
    monkeypatch.setenv("ORCHESTRATOR_BUSINESS_FILE", str(business))
    get_settings.cache_clear()
    ledger = shared_ledger(get_settings().effective_ledger_url)
    yield ledger
    ledger.close()
    get_settings.cache_clear()


@pytest.fixture
async def deployed(prefect_server: str) -> None:
    """Named before ``ledger``: the business of these tests is not to become blocks."""
    await register()


@pytest.fixture
async def undeployed(ledger: Ledger) -> None:
    """Other tests of the session may have registered deployments; no worker takes their runs."""
    async with get_client() as client:
        for name in DEPLOYMENTS:
            with suppress(ObjectNotFound):
                deployment = await client.read_deployment_by_name(f"{name}/{name}")
                await client.delete_deployment(deployment.id)


@pytest.fixture
def carried_out(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the approvals whose proposal was carried out."""
    done: list[str] = []

    async def carry_out(team: Orchestrator, record: ApprovalRecord) -> str:
        assert await team.ledger.approvals.get(record.id) == record
        done.append(record.id)
        return "Carried out."

    monkeypatch.setitem(APPLIERS, "test", carry_out)
    return done


async def ask(ledger: Ledger, **fields: Any) -> ApprovalRecord:
    now = utc_now()
    given = {
        "need_key": new_id(),
        "title": f"inventory_sync failed: try it again? ({new_id()[:6]})",
        "detail": "The supplier does not answer.",
        "proposal": {"kind": "test"},
        "asked_at": now,
        "expires_at": now + HOUR,
    }
    return await ledger.approvals.ask(ApprovalRecord.model_validate(given | fields))


async def waiting_task(ledger: Ledger) -> TaskRecord:
    """A task that waits for an approval."""
    now = utc_now()
    task = TaskRecord(task_type="inventory_sync", requested_at=now, run_id="r1")
    await ledger.tasks.accept(task)
    await ledger.tasks.start(task.id, "r1", now, now + HOUR)
    error = ErrorInfo(code="source-timeout", what="No answer.")
    waiting = task.model_copy(update={"status": TaskStatus.AWAITING_APPROVAL, "error": error})
    await ledger.tasks.settle(waiting)
    return waiting


async def runs_named(name: str, *types: StateType) -> list[FlowRun]:
    which = FlowRunFilter(name=FlowRunFilterName(any_=[name]))
    if types:
        which.state = FlowRunFilterState(type=FlowRunFilterStateType(any_=list(types)))
    async with get_client() as client:
        return await client.read_flow_runs(flow_run_filter=which)


async def paused_form(record: ApprovalRecord) -> FlowRun:
    """The form's run, once a person could answer it."""

    async def look() -> FlowRun | None:
        for run in await runs_named(record.title, StateType.PAUSED):
            async with get_client() as client:
                keyset = run.state.state_details.run_input_keyset if run.state else None
                assert keyset
                with suppress(Exception):  # the schema is there a moment after the state
                    await client.read_flow_run_input(run.id, keyset["description"])
                    return run
        return None

    return await until(look, "a form that is paused")  # type: ignore[no-any-return]


async def send(form: FlowRun, **fields: Any) -> None:
    """What a click on Resume does."""
    async with get_client() as client:
        result = await client.resume_flow_run(form.id, run_input=fields)
        assert result.status.value == "ACCEPT", result


@asynccontextmanager
async def shown(record: ApprovalRecord) -> AsyncIterator[asyncio.Task[Any]]:
    """The question's form, in this process; the task ends with the run's state."""
    running: Any = approval_form(record.id, return_state=True)
    task = asyncio.create_task(running)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def cli(*arguments: str) -> tuple[int, str]:
    """Exit code and output of a command, in a process of its own."""
    ended = await asyncio.to_thread(
        orchestrator,
        *arguments,
        LOGNAME="ada",
        PREFECT_API_URL=os.environ["PREFECT_API_URL"],
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended.returncode, ended.stdout + ended.stderr


@pytest.mark.parametrize("approve", [True, False])
async def test_the_form_answers(
    ledger: Ledger, undeployed: None, carried_out: list[str], approve: bool
) -> None:
    asked = await ask(ledger)
    async with shown(asked) as form:
        run = await paused_form(asked)
        async with get_client() as client:
            keys = run.state.state_details.run_input_keyset  # type: ignore[union-attr]
            text = await client.read_flow_run_input(run.id, keys["description"])  # type: ignore[index]
            schema = json.loads(await client.read_flow_run_input(run.id, keys["schema"]))  # type: ignore[index]
        assert "The supplier does not answer." in text
        assert "counts as **no**" in text
        assert schema["required"] == ["approve"], "neither yes nor no is filled in"
        assert "default" not in schema["properties"]["approve"]
        await send(run, approve=approve, your_name="Ada", note="seen it")
        state = await form
    settled = await ledger.approvals.get(asked.id)
    assert settled.status == ("approved" if approve else "rejected")
    assert (settled.answered_by, settled.via, settled.note) == ("Ada", "prefect-ui", "seen it")
    assert settled.applied_at is not None
    assert carried_out == ([asked.id] if approve else [])
    assert state.is_completed()
    assert "Ada" in state.message


async def test_a_form_whose_question_is_answered_elsewhere_ends_and_says_by_whom(
    ledger: Ledger, undeployed: None, carried_out: list[str]
) -> None:
    asked = await ask(ledger)
    async with shown(asked) as form:
        run = await paused_form(asked)
        _, counted = await ledger.approvals.answer(
            asked.id, True, by="Grace", via="cli", now=utc_now()
        )
        assert counted
        state = await form
    assert (state.is_completed(), state.name) == (True, "Completed")
    assert "Grace approved it via cli" in state.message
    assert carried_out == [asked.id]
    async with get_client() as client:
        assert (await client.read_flow_run(run.id)).state_name == "Completed"
        assert (await client.resume_flow_run(run.id, {"approve": False})).status.value == "ABORT"


async def test_a_form_that_nobody_answers_ends_as_expired_and_the_safe_choice_counts(
    ledger: Ledger, undeployed: None, carried_out: list[str]
) -> None:
    task = await waiting_task(ledger)
    asked = await ask(ledger, task_id=task.id, expires_at=utc_now() + timedelta(seconds=3))
    async with shown(asked) as form:
        state = await form
    assert (state.is_completed(), state.name) == (True, "Expired")
    settled = await ledger.approvals.get(asked.id)
    assert (settled.status, settled.answered_by) == (ApprovalStatus.EXPIRED, None)
    assert "Nobody answered" in str(settled.outcome)
    closed = await ledger.tasks.get(task.id)
    assert closed
    assert closed.status is TaskStatus.FAILED
    assert closed.error
    assert closed.error.code == "expired"
    assert carried_out == []
    async with shown(asked) as late:  # a form for a settled question does not even pause
        assert (await late).name == "Expired"


async def test_of_the_form_and_the_command_line_at_once_one_counts(
    ledger: Ledger, undeployed: None, carried_out: list[str]
) -> None:
    asked = await ask(ledger)
    async with shown(asked) as form:
        run = await paused_form(asked)
        _, (_, counted) = await asyncio.gather(
            send(run, approve=True, your_name="Ada"),
            ledger.approvals.answer(asked.id, False, by="Grace", via="cli", now=utc_now()),
        )
        state = await form
    settled = await ledger.approvals.get(asked.id)
    assert settled.answered_by == ("Grace" if counted else "Ada")
    assert carried_out == ([] if counted else [asked.id])
    assert ("too late" in state.message) == counted
    assert settled.answered_by in state.message


async def test_answers_to_a_form_that_was_killed_come_from_the_command_line(
    ledger: Ledger, undeployed: None
) -> None:
    """The form's process gets kill -9; a task then closes by the no of a person."""
    task = await waiting_task(ledger)
    asked = await ask(ledger, task_id=task.id)
    code = (
        "import asyncio, sys; from flows.internal.approval_form import approval_form;"
        "asyncio.run(approval_form(sys.argv[1]))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, asked.id, cwd=PROJECT_ROOT
    )
    run = await paused_form(asked)
    process.kill()
    await process.wait()
    await send(run, approve=True)  # accepted by Prefect, and read by nobody
    assert (await ledger.approvals.get(asked.id)).status is ApprovalStatus.OPEN

    code_, said = await cli("approvals")
    assert code_ == 0
    assert asked.id[:8] in said
    assert asked.title in said
    assert "expires in " in said
    assert "reject" in said
    code_, said = await cli("reject", asked.id[:8], "--note", "do it by hand")
    assert code_ == 0, said
    assert "ada rejected it via cli" in said
    assert "do it by hand" in said
    assert f"Task {task.id} is closed." in said
    settled = await ledger.approvals.get(asked.id)
    assert (settled.status, settled.applied_at is not None) == ("rejected", True)
    closed = await ledger.tasks.get(task.id)
    assert closed
    assert (closed.status, closed.error and closed.error.code) == ("failed", "rejected")
    assert (await cli("approvals"))[1].strip() == "Nothing waits for an answer."
    assert (await ledger.approvals.get(asked.id)).note in (
        await cli("approvals", "--all", "--json")
    )[1]

    code_, said = await cli("approve", asked.id)
    assert code_ == 1
    assert "It was settled before." in said
    assert "ada rejected it via cli" in said
    code_, said = await cli("approve", asked.id, "--json")
    assert (code_, json.loads(said)["counted"]) == (1, False)
    code_, said = await cli("approve", "ffffffff")
    assert (code_, "There is no approval" in said) == (2, True)


async def test_silence_counts_as_the_safe_choice_when_no_process_lives(
    ledger: Ledger, undeployed: None, carried_out: list[str]
) -> None:
    cautious = await ask(ledger, expires_at=utc_now())
    bold = await ask(ledger, expires_at=utc_now(), safe_choice="approve")
    later = await ask(ledger)
    assert await settle_due(ledger, utc_now(), apply=apply_approval) == []
    assert await settle_due(ledger, utc_now(), apply=apply_approval) == []
    assert carried_out == [bold.id]
    for asked, safe in ((cautious, "no"), (bold, "yes")):
        settled = await ledger.approvals.get(asked.id)
        assert settled.status is ApprovalStatus.EXPIRED
        assert "Nobody answered until" in str(settled.outcome)
        assert f"the safe choice counts: {safe}" in str(settled.outcome)
    assert await ledger.approvals.get(later.id) == later


async def test_a_crash_between_answer_and_application_is_made_good_once(
    ledger: Ledger, undeployed: None, carried_out: list[str]
) -> None:
    asked = await ask(ledger)
    now = utc_now()
    await ledger.approvals.answer(asked.id, True, by="Ada", via="cli", now=now)
    assert await ledger.approvals.claim_application(asked.id, "dies here", now, now + CLAIM)
    assert await settle_due(ledger, now, apply=apply_approval) == []
    assert carried_out == [], "the one who claimed it may still be at it"
    assert "dies here" in str(await apply_approval(asked.id))
    after = now + CLAIM

    # Its claim has run out: of all who try now, one applies it.
    await ledger.approvals.keep_claim(asked.id, "dies here", utc_now())
    await asyncio.gather(*(settle_due(ledger, after, apply=apply_approval) for _ in range(3)))
    assert carried_out == [asked.id]
    assert "in effect since" in str(await apply_approval(asked.id))
    assert carried_out == [asked.id]


async def test_an_application_that_takes_long_stays_the_only_one(
    ledger: Ledger, undeployed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[apply_approval.fn.__module__], "CLAIM", timedelta(seconds=0.6))
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def carry_out(team: Orchestrator, record: ApprovalRecord) -> str:
        begun.set()
        await go_on.wait()
        return "Carried out."

    monkeypatch.setitem(APPLIERS, "test", carry_out)
    asked = await ask(ledger)
    await ledger.approvals.answer(asked.id, True, by="Ada", via="cli", now=utc_now())
    applying: Any = apply_approval(asked.id, return_state=True)
    task = asyncio.create_task(applying)
    await begun.wait()
    first = (await ledger.approvals.get(asked.id)).applying_until
    assert first

    async def beyond() -> bool:
        return utc_now() > first + timedelta(seconds=0.6)

    await until(beyond, "the time of the first claim")
    assert await ledger.approvals.unapplied(utc_now()) == []
    go_on.set()
    assert (await task).is_completed()


async def test_a_proposal_that_cannot_be_carried_out_says_so_and_holds_up_no_other(
    ledger: Ledger, undeployed: None, carried_out: list[str]
) -> None:
    odd = await ask(ledger, proposal={"kind": "sell-the-shop"})
    good = await ask(ledger)
    for asked in (odd, good):
        await ledger.approvals.answer(asked.id, True, by="Ada", via="cli", now=utc_now())
    [fault] = await settle_due(ledger, utc_now(), apply=apply_approval)
    assert "sell-the-shop" in fault
    assert carried_out == [good.id]
    settled = await ledger.approvals.get(odd.id)
    assert "Failed: Nobody knows how to carry out" in str(settled.outcome)
    assert await ledger.approvals.unapplied(utc_now() + HOUR) == []


async def test_the_no_waits_for_a_run_that_has_not_laid_its_task_down(
    ledger: Ledger, undeployed: None
) -> None:
    now = utc_now()
    task = TaskRecord(task_type="inventory_sync", requested_at=now, run_id="r1")
    await ledger.tasks.accept(task)
    await ledger.tasks.start(task.id, "r1", now, now + HOUR)
    asked = await ask(ledger, task_id=task.id)
    await ledger.approvals.answer(asked.id, False, by="Ada", via="cli", now=now)
    [fault] = await settle_due(ledger, now, apply=apply_approval)
    assert "still has it" in fault
    waiting = task.model_copy(update={"status": TaskStatus.AWAITING_APPROVAL})
    await ledger.tasks.settle(waiting)
    await ledger.approvals.keep_claim(
        asked.id, str((await ledger.approvals.get(asked.id)).applying_by), utc_now()
    )
    assert await settle_due(ledger, utc_now(), apply=apply_approval) == []
    closed = await ledger.tasks.get(task.id)
    assert closed
    assert closed.status is TaskStatus.FAILED


async def test_an_escalation_and_each_application_is_one_run_of_its_deployment(
    deployed: None, ledger: Ledger, carried_out: list[str]
) -> None:
    now = utc_now()
    async with workflow_run("test", with_business=False) as team:
        asked = await ask_by(team, need_key := new_id())
        again = await ask_by(team, need_key)
    assert again == asked
    [form] = await runs_named(asked.title)
    assert form.work_pool_name == "approvals"
    assert form.parameters == {"approval_id": asked.id}

    await ledger.approvals.answer(asked.id, True, by="Ada", via="cli", now=now)
    now = utc_now()
    for _ in range(3):
        assert await settle_due(ledger, now, apply=apply_approval) == []
    [applying] = await runs_named(f"yes: {asked.title}")
    assert (applying.work_pool_name, applying.work_queue_name) == ("operations", "high")
    assert carried_out == [], "no worker runs here"
    # That run dies before it does anything: the next window has another one.
    assert await settle_due(ledger, now + CLAIM, apply=apply_approval) == []
    runs = await runs_named(f"yes: {asked.title}")
    assert len(runs) == 2
    for run in runs:
        await run_flow_async(
            apply_approval, flow_run=run, parameters=run.parameters, return_type="state"
        )
    assert carried_out == [asked.id]


async def test_an_open_question_whose_form_died_gets_another_one(
    deployed: None, ledger: Ledger
) -> None:
    async with workflow_run("test", with_business=False) as team:
        asked = await ask_by(team, new_id())
    [form] = await runs_named(asked.title)
    later = utc_now() + 2 * FORM
    assert await show_forms(ledger, later) == []
    assert len(await runs_named(asked.title)) == 1, "its form may still be started"
    async with get_client() as client:
        await client.set_flow_run_state(form.id, Paused(timeout_seconds=3600), force=True)
        assert await show_forms(ledger, later) == []
        assert len(await runs_named(asked.title)) == 1, "its form waits"
        await client.set_flow_run_state(form.id, Crashed(), force=True)
    assert await show_forms(ledger, utc_now()) == [], "too early to tell"
    for _ in range(2):
        assert await show_forms(ledger, later) == []
    [alive] = await runs_named(asked.title, StateType.SCHEDULED)
    assert alive.parameters == {"approval_id": asked.id}


async def test_the_stack_settles_what_is_due_and_says_each_fault_once(
    ledger: Ledger, undeployed: None, carried_out: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "PERIOD", 0.1)
    said: list[str] = []
    reconciler = Reconciler([], ledger, said.append)
    looks = 0

    async def look(now: datetime) -> None:
        nonlocal looks
        looks += 1
        raise KeyError("nobody thought of it")

    monkeypatch.setattr(reconciler, "look", look)
    loop = asyncio.create_task(settling.keep_settling(ledger, reconciler, said.append))
    now = utc_now()
    task = TaskRecord(task_type="inventory_sync", requested_at=now, run_id="r1")
    await ledger.tasks.accept(task)
    await ledger.tasks.start(task.id, "r1", now, now + HOUR)
    stuck = await ask(ledger, task_id=task.id, expires_at=now)
    bold = await ask(ledger, expires_at=now, safe_choice="approve")

    async def done() -> bool:
        return carried_out == [bold.id] and len(said) > 1 and looks > 1

    await until(done, "the answer's effect")
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    assert (await ledger.approvals.get(stuck.id)).status is ApprovalStatus.EXPIRED
    unforeseen, fault = sorted(said, key=lambda line: "still has it" in line)
    assert "KeyError: 'nobody thought of it'" in unforeseen
    assert "still has it" in fault


async def ask_by(team: Orchestrator, need_key: str) -> ApprovalRecord:
    now = utc_now()
    return await escalate(
        team,
        ApprovalRecord(
            need_key=need_key,
            title=f"Shall it be tried again? ({need_key[:6]})",
            proposal={"kind": "test"},
            asked_at=now,
            expires_at=now + HOUR,
        ),
    )


async def test_an_escalation_needs_nothing_but_the_ledger(
    ledger: Ledger, undeployed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_NOTIFY", "custom-webhook/nobody-made-it")
    get_settings.cache_clear()
    async with workflow_run("test", with_business=False) as team:
        asked = await ask_by(team, new_id())
    assert await ledger.approvals.list(ApprovalStatus.OPEN) == [asked]
