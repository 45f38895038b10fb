"""The one door to acting on the world: the same rules whoever asks, and the intent comes first."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from prefect import flow, get_client
from prefect.blocks.notifications import CustomWebhookNotificationBlock

from agents.capability import ANYBODY, action, policy_of
from agents.registry import ActionSpec, AgentSpec, Registry, registry
from agents.sre_reliability.automation import RemediationResult
from blocks.crash_points import VARIABLE as CRASH_AT
from blocks.errors import ConfigurationError, NotAllowed
from blocks.ledger import Ledger, ReceiptKind
from blocks.ledger.calls.leases import Lease
from blocks.ledger.work.approvals import ApprovalRecord
from blocks.ledger.work.tasks import TaskRecord, TaskStatus
from blocks.settings import get_settings
from blocks.vocabulary.effects import Approval, EffectStatus, EffectVerdict
from blocks.vocabulary.findings import Finding, Remedy
from blocks.vocabulary.messages import AgentMessage, Outcome, Severity, new_id, utc_now
from flows.deliver_message import DeliveryReport, deliver_message
from flows.internal.agent_call import agent_call
from flows.orchestrator.approvals.caretaker import settle_effects
from flows.orchestrator.dispatch.policy import VARIABLE, forget_policy, write_changes
from flows.orchestrator.effects import acting
from flows.orchestrator.effects.answers import do_what_was_let, refuse
from flows.orchestrator.effects.claims import claim
from flows.orchestrator.remedies.remediation import remediate
from flows.orchestrator.tasks.acceptance import accept
from flows.orchestrator.tasks.recovery import carry_out
from flows.orchestrator.team.opening import workflow_run
from flows.orchestrator.team.outcome import NothingAchieved
from flows.reports.model import RemediationLine
from flows.status.timeline import timeline
from tests.effects import ANY
from tests.forked import run_script
from tests.integration.flows.bench import Bench
from tests.integration.flows.shop import Shop
from tests.loopback import Reply, serve
from tests.waiting import until

pytestmark = pytest.mark.prefect

CHECKOUT = "service:checkout"
RESTART = {
    "to": "sre-reliability",
    "action": "restart_service",
    "payload": {"service": "checkout"},
}


async def sent(message: Any) -> DeliveryReport:
    """Deliver a document: its report, however the run ended."""
    try:
        return await deliver_message(message)
    except NothingAchieved as nothing:
        return nothing.report


def reason_of(report: DeliveryReport) -> str:
    """The rule by which the one message was refused; empty when it was done."""
    (one,) = report.deliveries
    assert one.letter is None, "a refusal is an answer"
    assert one.call is not None
    return one.call.error.what.partition(":")[0] if one.call.error else ""


async def test_of_twelve_restarts_by_message_one_acts_and_the_others_are_refused_by_name(
    shop: Shop, ledger: Ledger
) -> None:
    reasons = []
    for _ in range(12):
        shop.break_checkout()
        reasons.append(reason_of(await sent(RESTART)))
    assert shop.restarts == 1
    assert reasons == ["", *["recently-remediated"] * 11]
    (kept,) = await ledger.effects.acts()
    assert (kept.outcome.verdict, kept.target) == (EffectVerdict.VERIFIED, CHECKOUT)
    assert kept.finished_at is not None
    assert await ledger.dead_letters.list() == []
    receipts = await ledger.receipts.of(subject=CHECKOUT, kind=ReceiptKind.DECIDE)
    assert [receipt.body["decision"]["act"] for receipt in receipts].count(True) == 1
    assert len(receipts) == 12
    # What a rule forbids is nobody's failure: no incident, and no lower rate of completion.
    outcomes = [run.outcome for run in await ledger.runs()]
    assert sorted(outcomes) == [*[Outcome.REFUSED] * 11, Outcome.SUCCEEDED]


async def test_twelve_at_once_restart_once_too(shop: Shop, ledger: Ledger) -> None:
    shop.break_checkout(for_good=True)
    reasons = [
        reason_of(each) for each in await asyncio.gather(*(sent(RESTART) for _ in range(12)))
    ]
    assert shop.restarts == 1
    assert reasons.count("") == 1
    assert set(reasons) <= {"", "duplicate-in-progress", "backoff"}
    assert len(await ledger.effects.acts()) == 1


async def test_the_answer_of_a_refused_message_says_why_in_the_senders_dialect(
    shop: Shop, ledger: Ledger
) -> None:
    shop.break_checkout(for_good=True)
    (first,) = (await sent(RESTART | {"id": "m-1", "from": "billing"})).deliveries
    assert first.call.outcome is Outcome.SUCCEEDED
    assert first.call.reply["result"]["status"] == "ineffective"
    (second,) = (await sent(RESTART | {"id": "m-2", "from": "billing"})).deliveries
    assert second.answer["error"]["code"] == "policy-error"
    assert second.answer["error"]["what"].startswith("backoff: The last remediation did not help")
    assert second.call.attempts == 0
    again = (await sent(RESTART | {"id": "m-2", "from": "billing"})).deliveries[0]
    assert again.again, "the refusal was the answer"
    assert again.call == second.call


async def test_a_message_waits_for_nobody_who_works_on_the_resource(
    shop: Shop, ledger: Ledger
) -> None:
    shop.break_checkout()

    @flow
    async def crisis() -> DeliveryReport:
        async with (
            workflow_run("crisis-management") as team,
            claim(team, CHECKOUT, priority=Severity.INFO.priority, purpose="failover"),
        ):
            return await sent(RESTART)

    assert reason_of(await crisis()) == "resource-busy"
    assert shop.restarts == 0
    assert await ledger.effects.acts() == []


async def test_a_run_of_agent_call_acts_only_as_a_workflow_has_let_it(
    shop: Shop, ledger: Ledger
) -> None:
    shop.break_checkout()
    params = {"service": "checkout"}
    wanted = AgentMessage(recipient=RESTART["to"], action=RESTART["action"], payload=params)
    other = wanted.model_copy(update={"id": new_id(), "payload": {"service": "search"}})
    ledger.record(other)
    await ledger.flush()
    for envelope in ({}, {"message_id": wanted.id}, {"message_id": other.id}):
        with pytest.raises(NotAllowed, match="no workflow waits for this run"):
            await agent_call(wanted.recipient, wanted.action, json.dumps(params), envelope)
    assert shop.restarts == 0
    ledger.record(wanted)
    await ledger.flush()
    await agent_call(wanted.recipient, wanted.action, json.dumps(params), {"message_id": wanted.id})
    assert shop.restarts == 1
    with pytest.raises(NotAllowed, match="no workflow waits"):  # it is answered
        await agent_call(
            wanted.recipient, wanted.action, json.dumps(params), {"message_id": wanted.id}
        )


async def test_what_is_asked_wrongly_spends_no_budget(shop: Shop, ledger: Ledger) -> None:
    for number in range(10):
        report = await sent(RESTART | {"payload": {"service": f"nothing-{number}"}})
        assert "There is no service" in report.deliveries[0].call.error.what
    shop.break_checkout()
    assert reason_of(await sent(RESTART)) == ""
    assert shop.restarts == 1


@pytest.fixture
async def restart_plan(shop: Shop) -> AsyncIterator[None]:
    """The matrix knows tasks whose primary restarts a service."""
    play = {"agent": "sre-reliability", "action": "restart_service"}
    await write_changes({"task_types": {"restart": {"roles": {"primary": play}}}}, registry())
    yield
    async with get_client() as client:
        await client.delete_variable_by_name(VARIABLE)
    forget_policy()


async def restart_task() -> TaskRecord:
    """Route a task whose primary restarts the checkout, and see it through."""

    @flow
    async def routing() -> TaskRecord:
        async with workflow_run("routing") as team:
            task = await accept(team, "restart", {"service": "checkout"}, resource=CHECKOUT)
            return await carry_out(team, task.id)

    return await routing()


async def test_a_task_passes_the_same_door_and_a_person_may_open_it(
    shop: Shop, ledger: Ledger, restart_plan: None
) -> None:
    shop.break_checkout()
    assert (await restart_task()).status is TaskStatus.DONE
    shop.break_checkout()
    task = await restart_task()
    assert shop.restarts == 1
    assert task.status is TaskStatus.AWAITING_APPROVAL
    assert task.error.what.startswith("recently-remediated: ")
    (question,) = await ledger.approvals.list(task_id=task.id)
    assert "recently-remediated" in question.detail
    assert "not known" not in question.detail, "nothing was done, and that is known"

    await ledger.approvals.answer(question.id, True, by="ada", via="test", note="", now=utc_now())
    assert await ledger.tasks.reopen(task.id)

    @flow
    async def again() -> TaskRecord:
        async with workflow_run("routing") as team:
            return await carry_out(team, task.id)

    assert (await again()).status is TaskStatus.DONE
    assert shop.restarts == 2


async def test_a_task_whose_act_did_not_help_is_not_done(
    shop: Shop, ledger: Ledger, restart_plan: None
) -> None:
    shop.break_checkout(for_good=True)
    task = await restart_task()
    assert task.status is TaskStatus.AWAITING_APPROVAL
    assert (task.error.code, shop.restarts) == ("no-help", 1)


# What acts on purpose as real remedies do by misfortune.


class Menders:
    """An agent that mends, or hangs while it does."""

    def __init__(self) -> None:
        self.mended: list[str] = []
        self.keys: set[str] = set()

    @property
    def registry(self) -> Registry:
        functions = [self.mend, self.hang, self.paint, self.unmend, self.stumble]
        return Registry(
            {"mender": AgentSpec("mender", "Mender", "Tests.")},
            [ActionSpec("mender", "tests", f.__name__, f, policy_of(f)) for f in functions],
        )

    @action(effect=ANY, resource="thing:{thing}", askers=ANYBODY)
    async def mend(self, thing: str) -> RemediationResult:
        """Mend a thing."""
        self.mended.append(thing)
        return RemediationResult(
            action="mend",
            resource=f"thing:{thing}",
            status=EffectVerdict.VERIFIED,
            acted=True,
            detail=f"{thing} is whole.",
            after={"whole": True},
        )

    @action(effect=ANY, timeout=0.2, resource="thing:{thing}", askers=ANYBODY)
    async def hang(self, thing: str) -> None:
        """Begin, and never end."""
        self.mended.append(thing)
        await asyncio.Event().wait()

    @action(effect=replace(ANY, undo="unmend"), resource="thing:{thing}", askers=ANYBODY)
    async def paint(self, thing: str) -> RemediationResult:
        """Do something else to a thing."""
        result: RemediationResult = await self.mend(thing)
        return result.model_copy(update={"status": EffectVerdict.INEFFECTIVE, "action": "paint"})

    @action()
    async def unmend(self, thing: str, idempotency_key: str) -> None:
        """Take back what was done to a thing; the first time, break off."""
        self.mended.append(f"-{thing}")
        self.keys.add(idempotency_key)
        if thing == "valve" and self.mended.count("-valve") == 1:
            raise ZeroDivisionError("nobody thought of this")

    @action(effect=ANY, resource="thing:{thing}", askers=ANYBODY)
    async def stumble(self, thing: str) -> None:
        """Begin, and break off."""
        self.mended.append(thing)
        raise ZeroDivisionError("nobody thought of this")


def broken(thing: str, with_: str = "mend") -> Finding:
    return Finding(
        kind="broken",
        resource=f"thing:{thing}",
        severity=Severity.ERROR,
        title=f"{thing} is broken",
        remedy=Remedy(agent="mender", action=with_, params={"thing": thing}),
    )


async def mending(menders: Menders, *findings: Finding) -> list[RemediationLine]:
    @flow
    async def run() -> list[RemediationLine]:
        async with workflow_run("mending", with_business=False, agents=menders.registry) as team:
            return await remediate(team, findings)

    return await run()


async def let(menders: Menders, approval: Approval) -> None:
    """Have the policy say who lets the menders mend."""
    await write_changes(
        {"task_types": {}, "effects": {"approval": {"mender.mend": approval}}}, menders.registry
    )


async def answered(menders: Menders, ledger: Ledger, question: ApprovalRecord, *, yes: bool) -> str:
    """Answer a question, and put that into effect twice, as after a crash; what came of it."""
    now = utc_now()
    record, _ = await ledger.approvals.answer(
        question.id, yes, by="test", via="test", note="", now=now
    )

    @flow
    async def applying() -> str:
        async with workflow_run("apply", with_business=False, agents=menders.registry) as team:
            if yes:
                return await do_what_was_let(team, record)
            return await refuse(team, record, "Test said no.")

    came = await applying()
    assert (await applying()).startswith("mender."), "it says how it stands, and does nothing"
    return came


@pytest.fixture
async def menders(bench: Bench) -> Menders:
    """The menders, under a policy by which nobody waits long for a slot."""
    menders = Menders()
    changes = {
        "task_types": {},
        "instances": [{"name": "mender", "agent": "mender", "capacity": 1}],
        "recovery": {"wait_for_slot_seconds": 0.1},
    }
    await write_changes(changes, menders.registry)
    return menders


@pytest.mark.parametrize("how", ["hang", "stumble"])
async def test_what_breaks_off_while_acting_is_unknown_and_a_person_must_look(
    menders: Menders, ledger: Ledger, how: str
) -> None:
    (line,) = await mending(menders, broken("pump", how))
    assert line.status is EffectVerdict.UNKNOWN
    assert line.detail.endswith("Nobody knows whether it was done: look before it is done again.")
    (kept,) = await ledger.effects.acts()
    assert (kept.status, kept.outcome.detail) == (EffectStatus.UNKNOWN, line.detail)
    assert kept.finished_at is not None
    (question,) = await ledger.approvals.list()
    assert (question.id, question.resource) == (kept.approval_id, "thing:pump")
    (again,) = await mending(menders, broken("pump", how))
    assert again.status is None
    assert again.detail.startswith("backoff: ")
    assert menders.mended == ["pump"]
    (moment,) = timeline([], {}, [], [kept], [], 5)
    assert "nobody knows how far it came" in moment.title


async def test_whoever_is_to_be_notified_is_told_of_an_unknown_outcome(
    menders: Menders, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(Reply("ok")) as pager:
        block = CustomWebhookNotificationBlock(
            name="pager", url=pager.url, method="GET", params={"subject": "{{subject}}"}
        )
        await block.asave("pager", overwrite=True)
        monkeypatch.setenv("ORCHESTRATOR_NOTIFY", "custom-webhook/pager")
        get_settings.cache_clear()
        await mending(menders, broken("pump", "hang"), broken("valve"))
    (request,) = pager.requests
    assert request.query == {
        "subject": "Your answer is needed: Nobody knows whether mender.hang on thing:pump was done"
    }


async def test_who_finds_no_free_agent_waits_with_nothing_intended(
    menders: Menders, ledger: Ledger
) -> None:
    now = utc_now()
    busy = Lease(  # which comes free long after the policy's patience with other calls
        id=new_id(),
        instance="mender",
        agent="mender",
        taken_at=now,
        expires_at=now + timedelta(seconds=2),
    )
    assert await ledger.leases.take(now, lambda _: busy)
    waiting = asyncio.create_task(mending(menders, *(broken(f"pump {n}") for n in range(9))))
    await until(partial(ledger.runs, going_on=True), "a run")
    assert await ledger.effects.acts() == []
    lines = await waiting
    assert {line.status for line in lines} == {EffectVerdict.VERIFIED}
    assert len(menders.mended) == 9


async def test_who_never_finds_one_has_done_nothing_and_is_not_held_off_later(
    menders: Menders, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acting, "PATIENCE", 0.0)
    now = utc_now()
    busy = Lease(
        id=new_id(),
        instance="mender",
        agent="mender",
        taken_at=now,
        expires_at=now + timedelta(hours=1),
    )
    assert await ledger.leases.take(now, lambda _: busy)
    (line,) = await mending(menders, broken("pump"))
    assert line.status is None
    assert line.detail.startswith("Nobody was free to do it: ")
    assert await ledger.effects.acts() == []
    ledger.leases.release(busy.id)
    (line,) = await mending(menders, broken("pump"))
    assert line.status is EffectVerdict.VERIFIED


async def test_who_is_called_off_while_acting_leaves_no_open_intent(
    menders: Menders, ledger: Ledger
) -> None:
    @flow
    async def run() -> None:
        async with workflow_run("mending", with_business=False, agents=menders.registry) as team:
            spec = team.toolbox.registry.action("mender", "patient")
            acting = asyncio.create_task(team.ask(spec.agent, spec.name, {"thing": "pump"}))
            while not menders.mended:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            acting.cancel()
            await asyncio.gather(acting, return_exceptions=True)

    @action(effect=ANY, resource="thing:{thing}")
    async def patient(thing: str) -> None:
        """Begin, and wait."""
        menders.mended.append(thing)
        await asyncio.Event().wait()

    team = menders.registry
    more = ActionSpec("mender", "tests", "patient", patient, policy_of(patient))
    both = Registry(team.agents, [*team.actions(), more])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Menders, "registry", both)
        await run()
    (kept,) = await ledger.effects.acts()
    assert (kept.outcome.verdict, kept.target) == (EffectVerdict.UNKNOWN, "thing:pump")


async def test_what_needs_a_yes_waits_for_it_and_is_done_once(
    menders: Menders, ledger: Ledger
) -> None:
    await let(menders, Approval.ASK)
    for _ in range(2):
        (line,) = await mending(menders, broken("pump"))
        assert line.status is None
        assert line.detail.startswith("approval-required: ")
    assert menders.mended == []
    (question,) = await ledger.approvals.list()
    assert question.title == "May mender.mend on thing:pump be done?"
    assert "It may touch nobody." in question.detail
    came = await answered(menders, ledger, question, yes=True)
    assert came == "mender.mend on thing:pump: done. pump is whole."
    assert menders.mended == ["pump"]
    (kept,) = await ledger.effects.acts()
    assert (kept.status, kept.helped) == (EffectStatus.DONE, True)


async def test_a_no_leaves_it_undone_and_says_so(menders: Menders, ledger: Ledger) -> None:
    await let(menders, Approval.ASK)
    await mending(menders, broken("pump"))
    (question,) = await ledger.approvals.list()
    assert await answered(menders, ledger, question, yes=False) == "It is not done: rejected."
    (kept,) = await ledger.effects.acts()
    assert (kept.status, kept.outcome.reason) == (EffectStatus.REFUSED, "rejected")
    assert menders.mended == []
    (again,) = await mending(menders, broken("pump"))
    assert again.detail.startswith("approval-required: "), "it is asked anew"
    assert len(await ledger.approvals.list()) == 2


async def test_what_nobody_knows_of_is_done_again_when_a_person_says_so(
    menders: Menders, ledger: Ledger
) -> None:
    await mending(menders, broken("pump", "stumble"))
    (question,) = await ledger.approvals.list()
    came = await answered(menders, ledger, question, yes=True)
    assert came.startswith("mender.stumble on thing:pump: unknown.")
    assert menders.mended == ["pump", "pump"]
    (kept,) = await ledger.effects.acts()
    assert (kept.status, kept.attempts) == (EffectStatus.UNKNOWN, 2)
    assert len(await ledger.approvals.list()) == 2, "and it is asked about anew"
    assert {call.message_id for call in await ledger.calls(agent="mender")} == {
        kept.idempotency_key,
        f"{kept.idempotency_key}~2",
    }


async def test_in_shadow_it_is_written_down_what_would_have_been_done(
    menders: Menders, ledger: Ledger
) -> None:
    await let(menders, Approval.SHADOW)
    (line,) = await mending(menders, broken("pump"))
    assert line.detail.startswith("shadow: ")
    assert (menders.mended, await ledger.effects.acts()) == ([], [])
    (receipt,) = await ledger.receipts.of(subject="thing:pump", kind=ReceiptKind.DECIDE)
    assert receipt.body["decision"] == {"act": False, "reason": "shadow"}
    assert receipt.body["inputs"]["payload"]["finding"]["remedy"]["params"] == {"thing": "pump"}


async def test_what_was_done_in_vain_is_taken_back(menders: Menders, ledger: Ledger) -> None:
    (line,) = await mending(menders, broken("pump", "paint"))
    assert line.status is EffectVerdict.INEFFECTIVE
    assert menders.mended == ["pump", "-pump"]
    (kept,) = await ledger.effects.acts()
    assert kept.status is EffectStatus.UNDONE
    assert await ledger.receipts.of(subject="thing:pump", kind=ReceiptKind.UNDO)


async def test_what_nobody_knows_to_be_taken_back_is_when_a_person_says_so(
    menders: Menders, ledger: Ledger
) -> None:
    await mending(menders, broken("valve", "paint"))
    (question,) = await ledger.approvals.list()
    assert question.title == "Nobody knows whether mender.paint on thing:valve was undone"
    came = await answered(menders, ledger, question, yes=True)
    assert came.startswith("mender.paint on thing:valve: undone.")
    assert menders.mended == ["valve", "-valve", "-valve"]
    (kept,) = await ledger.effects.acts()
    assert menders.keys == {f"{kept.idempotency_key}~undo"}


async def test_a_policy_names_kinds_of_effects_that_there_are(menders: Menders) -> None:
    with pytest.raises(ConfigurationError, match=r"no kind of effect 'mender\.mand'.*mender\.mend"):
        await write_changes({"effects": {"approval": {"mender.mand": "ask"}}}, menders.registry)


DIES = """
import asyncio, sys
from flows.daily_health_check import daily_health_check
asyncio.run(daily_health_check())
"""


def die_over_a_remedy(point: str) -> None:
    """A daily check in a process of its own, that is killed when it has come to that point."""
    ended = run_script(DIES, **{CRASH_AT: point})
    assert ended.returncode == -signal.SIGKILL, ended.stderr[-2000:]


@pytest.mark.slow
async def test_a_remedy_whose_run_died_is_settled_as_unknown_once_its_time_is_over(
    shop: Shop, ledger: Ledger
) -> None:
    shop.break_checkout(for_good=True)
    await asyncio.to_thread(die_over_a_remedy, "effect.acted")
    (acting,) = await ledger.effects.acts()
    assert acting.status is EffectStatus.ACTING
    assert acting.lease is not None
    assert reason_of(await sent(RESTART)) == "resource-busy", "somebody may be at it"

    assert await settle_effects(ledger, acting.lease - timedelta(seconds=1)) == []
    later = acting.lease + timedelta(hours=1)
    told = await asyncio.gather(*(settle_effects(ledger, later) for _ in range(3)))
    assert sorted(len(each) for each in told) == [0, 0, 1], "of those who look at once, one does"
    assert len(await ledger.approvals.list()) == 1
    (kept,) = await ledger.effects.acts()
    assert kept.status is EffectStatus.UNKNOWN
    assert "Nobody knows whether it was done" in kept.outcome.detail
    assert (await ledger.approvals.get(str(kept.approval_id))).resource == CHECKOUT
    assert shop.restarts == 1, "it is never done again by itself"
