"""People are told through real notification blocks, and what fails is said without secrets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.blocks.system import Secret

from blocks.errors import RequestError
from blocks.ledger import Ledger
from blocks.policy.effect_rules import EffectRules
from blocks.policy.notify_rules import Audience, NotifyRules
from blocks.policy.policy import Policy
from blocks.settings import get_settings
from blocks.vocabulary.effects import Approval, EffectStatus
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.approvals.caretaker import resend
from flows.orchestrator.effects import notifications
from flows.orchestrator.effects.notifications import NOTIFICATION, notify
from flows.orchestrator.effects.sweep import sweep
from tests.effects import Clerk
from tests.loopback import HANG, Reply, serve

pytestmark = pytest.mark.prefect

SECRET = "T0-canary"
KINDS = {NOTIFICATION.name: NOTIFICATION}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        yield ledger


@pytest.fixture
def told(prefect_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    yield monkeypatch
    monkeypatch.undo()
    get_settings.cache_clear()


def tell(told: pytest.MonkeyPatch, names: str) -> None:
    told.setenv("ORCHESTRATOR_NOTIFY", names)
    get_settings.cache_clear()


async def save(name: str, url: str) -> None:
    block = CustomWebhookNotificationBlock(
        name=name,
        url=f"{url}/{SECRET}",
        method="GET",
        params={"subject": "{{subject}}", "body": "{{body}}"},
    )
    await block.asave(name, overwrite=True)


async def test_everybody_is_told_once_and_each_fault_is_said_without_its_secret(
    ledger: Ledger, told: pytest.MonkeyPatch
) -> None:
    by = Clerk(ledger)
    tell(told, "")
    assert await notify(by, "q", "Subject", "Body") == []
    async with serve(Reply("ok")) as good, serve(Reply("no", status=503)) as bad:
        await save("good", good.url)
        await save("bad", bad.url)
        await save("gone", "http://127.0.0.1:9")
        await Secret(value=SECRET).asave("a-secret", overwrite=True)
        tell(
            told,
            "custom-webhook/bad, custom-webhook/gone,custom-webhook/unknown,secret/a-secret,"
            "nonsense,,custom-webhook/good",
        )
        said = await notify(by, "q", "Your answer is needed", "The supplier is silent.")
        assert await notify(by, "q", "Your answer is needed", "The supplier is silent.") == []
        [request] = good.requests
        assert len(bad.requests) == 1, "it is tried again when its time has come"
    assert request.query == {"subject": "Your answer is needed", "body": "The supplier is silent."}
    assert dict(
        fault.removeprefix("Nobody was notified through ").split(": ") for fault in said
    ) == {
        "custom-webhook/bad": "It was refused with HTTP 503. It is tried again.",
        "custom-webhook/gone": "Sending failed (ConnectError). It is tried again.",
        "custom-webhook/unknown": "There is no such block, or it cannot be used. "
        "It is tried again.",
        "secret/a-secret": "It is no notification block. It is tried again.",
        "nonsense": "There is no such block, or it cannot be used. It is tried again.",
    }
    assert SECRET not in " ".join(said)
    for effect in await ledger.effects.list():
        assert SECRET not in effect.model_dump_json()


async def test_where_no_channel_is_set_those_of_the_audiences_are_told(
    ledger: Ledger, told: pytest.MonkeyPatch
) -> None:
    audience = Audience(channels=["custom-webhook/people"])
    policy = Policy(notify=NotifyRules(audiences={"owner": audience, "buyer": audience}))
    async with serve(Reply("ok")) as people, serve(Reply("ok")) as ops:
        await save("people", people.url)
        await save("ops", ops.url)
        tell(told, "")
        assert await notify(Clerk(ledger, policy), "q", "Subject", "Body") == []
        tell(told, "custom-webhook/ops")
        assert await notify(Clerk(ledger, policy), "r", "Subject", "Body") == []
    assert (len(people.requests), len(ops.requests)) == (1, 1)


async def test_who_could_not_be_told_is_told_when_the_channel_is_back(
    ledger: Ledger, told: pytest.MonkeyPatch
) -> None:
    answers = [Reply("no", status=503), Reply("ok")]
    async with serve(lambda _: answers.pop(0)) as server:
        await save("flaky", server.url)
        tell(told, "custom-webhook/flaky")
        assert await notify(Clerk(ledger), "q", "Subject", "Body") != []
        (effect,) = await ledger.effects.list()
        assert effect.next_at is not None
        assert await sweep(Clerk(ledger), KINDS, effect.next_at) == []
    (effect,) = await ledger.effects.list()
    assert (effect.status, effect.attempts) == (EffectStatus.DONE, 2)
    assert [request.query["subject"] for request in server.requests] == ["Subject", "Subject"]


async def test_nobody_knows_whether_one_that_does_not_answer_has_it(
    ledger: Ledger, told: pytest.MonkeyPatch
) -> None:
    told.setattr(notifications, "DEADLINE", 1.0)
    async with serve(HANG) as silent, serve(Reply("ok")) as good:
        await save("silent", silent.url)
        await save("good", good.url)
        tell(told, "custom-webhook/silent,custom-webhook/good")
        (fault,) = await notify(Clerk(ledger), "q", "Subject", "Body")
        assert fault.startswith(
            "Nobody was notified through custom-webhook/silent: It was not over within 1 s."
        )
        await sweep(Clerk(ledger), KINDS, utc_now() + timedelta(days=2))
        assert len(silent.requests) == len(good.requests) == 1, "it is not sent again by itself"
    (question,) = await ledger.approvals.list()
    assert question.resource == "channel:custom-webhook/silent"


async def test_in_shadow_it_is_written_down_what_would_have_been_told(
    ledger: Ledger, told: pytest.MonkeyPatch
) -> None:
    rules = EffectRules(approval={"notification": Approval.SHADOW})
    tell(told, "custom-webhook/unknown")
    by = Clerk(ledger, Policy(effects=rules))
    assert await notify(by, "q", "Subject", "Body") == []
    assert await ledger.effects.list() == []
    await ledger.flush()
    (receipt,) = await ledger.receipts.of()
    assert receipt.body["decision"] == {"act": False, "reason": "shadow"}
    assert receipt.body["inputs"]["payload"] == {"subject": "Subject", "body": "Body"}


async def test_a_dead_letter_is_sent_again_when_a_person_says_so(
    ledger: Ledger, told: pytest.MonkeyPatch
) -> None:
    async with serve(Reply("ok")) as server:
        tell(told, "custom-webhook/late")
        await notify(Clerk(ledger), "q", "Subject", "Body")
        (effect,) = await ledger.effects.list()
        with pytest.raises(RequestError, match="did not fail: it is intended"):
            await resend(ledger, effect.id)
        await ledger.effects.close(effect, EffectStatus.FAILED, effect.outcome, utc_now())
        await save("late", server.url)
        sent = await resend(ledger, effect.id[:8])
        assert (sent.status, sent.idempotency_key) == (EffectStatus.DONE, effect.idempotency_key)
        with pytest.raises(RequestError, match="did not fail: it is done"):
            await resend(ledger, effect.id)
    assert len(server.requests) == 1
