"""A daily check's critical finding reaches people, and a watcher outside hears that it ran."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from prefect.variables import Variable

from agents.registry import registry
from blocks.crash_points import VARIABLE as CRASH_AT
from blocks.ledger import Ledger
from blocks.prefect_api.channels import MailNotification
from blocks.settings import get_settings
from blocks.vocabulary.effects import EffectStatus
from blocks.vocabulary.messages import utc_now
from flows.daily_health_check import daily_health_check
from flows.orchestrator.approvals.caretaker import settle_effects
from flows.orchestrator.dispatch.policy import VARIABLE, forget_policy, write_changes
from tests.forked import run_script
from tests.integration.flows.seen import ran
from tests.integration.flows.shop import SICK, Shop
from tests.loopback import Reply, Request, serve
from tests.mailbox import Mailbox, mailbox

pytestmark = pytest.mark.prefect

CHECK = (
    "import asyncio; from flows.daily_health_check import daily_health_check;"
    "asyncio.run(daily_health_check())"
)
BROKEN = "service-failing/service:checkout"


@pytest.fixture
async def box(shop: Shop) -> AsyncIterator[Mailbox]:
    """Where mail of the only audience arrives."""
    async with mailbox() as box:
        block = MailNotification(server=box.block(), to=["owner@shop.example"])
        await block.asave("told", overwrite=True)
        await audience()
        yield box
    await Variable.aunset(VARIABLE)
    forget_policy()


async def audience(**more: Any) -> None:
    owner = {"worth_telling": "critical", "channels": ["mail/told"], "about": ["service-*"], **more}
    await write_changes({"notify": {"audiences": {"owner": owner}}}, registry())


def subjects(box: Mailbox) -> list[str]:
    return [str(mail["Subject"]) for _, mail in box.mails]


async def test_what_is_critical_reaches_people_once_and_the_report_who_wants_it(
    shop: Shop, ledger: Ledger, box: Mailbox
) -> None:
    await audience(daily_report=True)
    shop.break_checkout(for_good=True)
    _, report = await ran(daily_health_check)
    assert BROKEN in [finding.fingerprint for finding in report.findings]
    digest, whole = sorted(subjects(box), key=lambda subject: subject.startswith("Daily"))
    assert digest.startswith("shop: 1 new. checkout")
    assert whole.startswith("Daily health check, ")
    (mail,) = (mail for _, mail in box.mails if mail["Subject"] == whole)
    plain = mail.get_body(["plain"])
    assert plain is not None
    assert report.headline in plain.get_content().replace("\n", " ")
    await ran(daily_health_check)
    assert len(box.mails) == 2

    (shop.folder / "broken").unlink()
    await ran(daily_health_check)
    assert [subject for subject in subjects(box) if "1 over" in subject] == subjects(box)[2:]
    assert len(box.mails) == 3


async def test_what_was_mended_wakes_nobody(shop: Shop, box: Mailbox) -> None:
    shop.break_checkout()
    await ran(daily_health_check)
    assert shop.restarts == 1
    assert box.mails == []


async def test_a_run_that_dies_before_it_tells_has_it_told_and_once(
    shop: Shop, ledger: Ledger, box: Mailbox
) -> None:
    shop.break_checkout(for_good=True)
    ended = await asyncio.to_thread(run_script, CHECK, **{CRASH_AT: "digests.intended"})
    assert ended.returncode == -signal.SIGKILL, ended.stderr[-2000:]
    assert box.mails == []
    await ran(daily_health_check)
    assert box.mails == [], "it is on record as told"
    await settle_effects(ledger, utc_now() + timedelta(minutes=2))
    await settle_effects(ledger, utc_now() + timedelta(minutes=4))
    assert len(box.mails) == 1
    (effect,) = [e for e in await ledger.effects.list() if e.kind == "notification"]
    assert effect.status is EffectStatus.DONE


async def beats_of(shop: Shop, monkeypatch: pytest.MonkeyPatch, *answers: Reply) -> list[Request]:
    """What a watcher hears of a daily check, and of what is settled afterwards."""
    replies = list(answers)
    async with serve(lambda _: replies.pop(0)) as watcher:
        monkeypatch.setenv("ORCHESTRATOR_HEARTBEAT_URL", f"{watcher.url}/ping/canary-uuid/")
        get_settings.cache_clear()
        try:
            await ran(daily_health_check)
            ledger = Ledger.open(get_settings().effective_ledger_url)
            with ledger:
                for minutes in (1, 10, 30, 60, 120):
                    await settle_effects(ledger, utc_now() + timedelta(minutes=minutes))
                told = [e for e in await ledger.effects.list() if e.kind == "heartbeat"]
                assert "canary" not in str(told)
                assert await ledger.approvals.list() == []
        finally:
            monkeypatch.undo()
            get_settings.cache_clear()
        return watcher.requests


async def test_a_watcher_hears_of_a_check_that_ran(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_BUSINESS_FILE", str(shop.business_file))
    monkeypatch.setenv("ORCHESTRATOR_LEDGER_URL", get_settings().effective_ledger_url)
    heard = await beats_of(shop, monkeypatch, Reply("no", status=503), Reply("OK"))
    assert [request.path for request in heard] == ["/ping/canary-uuid"] * 2


async def test_a_watcher_hears_of_a_check_that_came_to_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_BUSINESS_FILE", str(shop.business_file))
    monkeypatch.setenv("ORCHESTRATOR_LEDGER_URL", get_settings().effective_ledger_url)

    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a bug in the workflow")

    monkeypatch.setattr("flows.daily_health_check.remediate", fail)
    shop.answers["checkout"] = SICK
    heard = await beats_of(shop, monkeypatch, Reply("OK"))
    assert [request.path for request in heard] == ["/ping/canary-uuid/fail"]
