"""People are told by real mail: once per change, again in time, after quiet hours, never twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from email.message import EmailMessage
from typing import Any

import pytest

from agents.calls import Reply
from agents.data_intelligence.predictive_analytics.baskets.drafts import (
    DraftLine,
    DraftOrder,
    PurchasePlan,
)
from agents.data_intelligence.result import Result
from blocks.ledger import Ledger
from blocks.ledger.calls.records import ReportRecord
from blocks.policy.effect_rules import EffectRules
from blocks.policy.notify_rules import Audience, NotifyRules, QuietHours
from blocks.policy.policy import Policy
from blocks.prefect_api.channels import MailNotification
from blocks.settings import get_settings
from blocks.vocabulary.effects import Approval, EffectStatus, EffectVerdict
from blocks.vocabulary.findings import INCIDENT, Finding
from blocks.vocabulary.messages import AgentMessage, ErrorInfo, Outcome, Severity
from flows.orchestrator.digests.telling import tell
from flows.orchestrator.effects.notifications import NOTIFICATION
from flows.orchestrator.effects.sweep import sweep
from flows.reports.model import RemediationLine, Report
from tests.effects import Clerk
from tests.mailbox import Mailbox, mailbox

pytestmark = pytest.mark.prefect

KINDS = {NOTIFICATION.name: NOTIFICATION}
MORNING = datetime(2026, 3, 2, 6, tzinfo=UTC)
DAY = timedelta(days=1)
NIGHT = QuietHours(begins=time(22), ends=time(7))


@pytest.fixture
def ledger(prefect_server: str, tmp_path: Any) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        yield ledger


@pytest.fixture
async def box(ledger: Ledger) -> AsyncIterator[Mailbox]:
    """A mailbox that the blocks mail/owner, mail/buyer and mail/on-call send to."""
    async with mailbox() as box:
        for name in ("owner", "buyer", "on-call"):
            block = MailNotification(server=box.block(), to=[f"{name}@shop.example"])
            await block.asave(name, overwrite=True)
        yield box


def finding(name: str = "till", severity: Severity = Severity.CRITICAL) -> Finding:
    return Finding(
        kind="service-down",
        resource=f"service:{name}",
        severity=severity,
        title=f"{name} is down",
        impact_per_day=100.0,
    )


class Looked(Result):
    summary: str = "It was looked at."


@dataclass
class Shop:
    """A check that sees what it is handed, and its audiences."""

    ledger: Ledger
    audiences: dict[str, Audience]
    rules: EffectRules = field(default_factory=EffectRules)
    runs: int = 0

    @property
    def clerk(self) -> Clerk:
        notify = NotifyRules(audiences=self.audiences)
        return Clerk(self.ledger, Policy(effects=self.rules, notify=notify))

    async def check(
        self,
        now: datetime,
        *findings: Finding,
        fails: bool = False,
        workflow: str = "daily-health-check",
        **more: Any,
    ) -> list[str]:
        self.runs += 1
        report = Report(
            **{
                "workflow": workflow,
                "title": "Daily health check",
                "run_id": f"r{self.runs}",
                "started_at": now,
                "finished_at": now,
                "outcome": Outcome.FAILED if fails else Outcome.SUCCEEDED,
                "headline": "Things to know.",
                "timezone": "Europe/Berlin",
                "currency": "EUR",
                "findings": findings,
                **more,
            }
        )
        record = ReportRecord(
            run_id=report.run_id,
            workflow=report.workflow,
            created_at=now,
            body=report.model_dump(mode="json"),
        )
        await self.ledger.save_report(record)
        asked = AgentMessage(**{"from": "o", "to": "sre-reliability", "action": "look"})
        reply = (
            Reply(asked, error=ErrorInfo(code="source-unavailable", what="It is gone."))
            if fails
            else Reply(asked, report.orders or Looked(findings=list(findings)))
        )
        return await tell(self.clerk, "corner-shop", report, [reply])

    async def sweep(self, now: datetime) -> list[str]:
        return await sweep(self.clerk, KINDS, now)


def subjects(box: Mailbox, who: str = "owner") -> list[str]:
    return [str(mail["Subject"]) for to, mail in box.mails if to == [f"{who}@shop.example"]]


def owner(**more: Any) -> dict[str, Audience]:
    return {"owner": Audience(channels=["mail/owner"], **more)}


async def test_a_change_is_told_once_and_what_stays_open_again_and_its_end(
    ledger: Ledger, box: Mailbox
) -> None:
    shop = Shop(ledger, owner())
    for hours, seen in ((0, True), (1, True), (24, True), (25, True), (26, False), (27, False)):
        told = await shop.check(MORNING + timedelta(hours=hours), *([finding()] if seen else []))
        assert told == []
    assert subjects(box) == [
        "corner-shop: 1 new. till is down",
        "corner-shop: 1 still open. till is down",
        "corner-shop: 1 over. till is down",
    ]
    _, mail = box.mails[0]
    assert isinstance(mail, EmailMessage)
    plain, html = (mail.get_body([kind]) for kind in ("plain", "html"))
    assert plain is not None
    assert html is not None
    assert "- [critical] till is down (100 EUR at risk per day)" in plain.get_content()
    assert "<table" in html.get_content()


async def test_what_is_not_serious_or_was_mended_is_no_news(ledger: Ledger, box: Mailbox) -> None:
    shop = Shop(ledger, owner())
    mended = RemediationLine(
        finding=finding().fingerprint,
        action="restart_service",
        status=EffectVerdict.VERIFIED,
        detail="It answers.",
    )
    await shop.check(MORNING, finding("shop", Severity.WARNING))
    await shop.check(MORNING, finding(), remediations=[mended])
    assert box.mails == []
    await shop.check(MORNING, finding())
    await shop.check(MORNING, finding(), remediations=[mended])
    await shop.check(MORNING, finding())
    await shop.check(MORNING, finding(severity=Severity.WARNING))
    assert subjects(box)[1::2] == [
        "corner-shop: 1 over. till is down (mended)",
        "corner-shop: 1 over. till is down (now warning)",
    ]


async def test_each_audience_is_told_what_concerns_it_and_what_concerns_none_all(
    ledger: Ledger, box: Mailbox
) -> None:
    shop = Shop(
        ledger,
        {
            "buyer": Audience(channels=["mail/buyer"], about=["*/sku:*"]),
            "on-call": Audience(channels=["mail/on-call"], about=["service-*"]),
        },
    )
    stock = Finding(
        kind="stock-out", resource="sku:7", severity=Severity.CRITICAL, title="7 is out"
    )
    odd = Finding(kind="odd", resource="store:shop", severity=Severity.CRITICAL, title="Odd")
    await shop.check(MORNING, finding(), stock, odd)
    assert subjects(box, "buyer") == ["corner-shop: 2 new. 7 is out"]
    assert subjects(box, "on-call") == ["corner-shop: 2 new. till is down"]


async def test_quiet_hours_hold_back_all_but_what_may_wake(ledger: Ledger, box: Mailbox) -> None:
    night = MORNING - timedelta(hours=3)  # 04:00 in Berlin
    shop = Shop(
        ledger,
        {
            "owner": Audience(channels=["mail/owner"], quiet=NIGHT),
            "on-call": Audience(
                channels=["mail/on-call"],
                quiet=NIGHT,
                may_wake=True,
                worth_telling=Severity.CRITICAL,
            ),
        },
    )
    await shop.check(night, finding())
    assert (subjects(box), len(subjects(box, "on-call"))) == ([], 1)
    await shop.check(night + timedelta(hours=1), finding(), finding("shop", Severity.ERROR))
    assert await shop.sweep(MORNING - timedelta(minutes=1)) == []
    assert subjects(box) == []
    await shop.sweep(MORNING)
    assert subjects(box) == ["corner-shop: 1 new. till is down", "corner-shop: 1 new. shop is down"]
    assert len(subjects(box, "on-call")) == 1
    assert await shop.sweep(MORNING + DAY) == []
    assert len(box.mails) == 3


async def test_a_check_that_saw_nothing_is_told_and_says_of_nothing_that_it_is_over(
    ledger: Ledger, box: Mailbox
) -> None:
    shop = Shop(ledger, owner(daily_report=False))
    await shop.check(MORNING, finding())
    await shop.check(MORNING + timedelta(hours=1), fails=True, missing=["look: It is gone."])
    await shop.check(MORNING + timedelta(hours=2), finding())
    assert subjects(box)[1:] == [
        "corner-shop: 1 new. Daily health check could look at nothing. look: It is gone.",
        "corner-shop: 1 over. Daily health check could look at nothing. look: It is gone.",
    ]


async def test_the_report_of_the_day_comes_once_to_who_wants_it(
    ledger: Ledger, box: Mailbox, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    get_settings.cache_clear()
    try:
        shop = Shop(ledger, owner(daily_report=True))
        for hours in (0, 1, 24):
            await shop.check(MORNING + timedelta(hours=hours))
        await shop.check(MORNING, workflow="critical-inventory")
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()
    assert subjects(box) == [
        "Daily health check, 02 Mar 2026, 07:00: Things to know.",
        "Daily health check, 03 Mar 2026, 07:00: Things to know.",
    ]


def plan(units: int) -> PurchasePlan:
    line = DraftLine(
        sku="7",
        name="mug",
        units=units,
        unit_cost=Decimal("2.50"),
        value=Decimal("2.50") * units,
        free=0.0,
        on_order=0.0,
        reorder_point=5.0,
        order_up_to=20.0,
        protection_days=7,
        demand=10.0,
        days_of_cover=None,
        probability=0.5,
        waiting_cost_per_day=None,
        why_item="",
        why_units="",
        why_supplier="",
    )
    order = DraftOrder(
        supplier="acme",
        currency="EUR",
        lines=[line],
        goods=line.value,
        freight=Decimal(0),
        total=line.value,
        total_in_store_currency=line.value,
        lead_time_days=3,
        arrives_on=date(2026, 3, 5),
    )
    return PurchasePlan(
        as_of=date(2026, 3, 2),
        currency="EUR",
        orders=[order],
        held=[],
        demand_basis="",
        total=line.value,
    )


async def test_a_buyer_is_told_of_draft_orders_when_they_change(
    ledger: Ledger, box: Mailbox
) -> None:
    shop = Shop(ledger, owner(orders=True))
    inventory: dict[str, Any] = {"workflow": "critical-inventory"}
    for units in (10, 10, 12):
        await shop.check(MORNING, orders=plan(units), **inventory)
    await shop.check(MORNING, orders=plan(12).model_copy(update={"orders": []}), **inventory)
    assert subjects(box) == ["corner-shop: 1 order proposed"] * 2
    assert "acme: 1 item, 30.00 EUR, there 05 Mar 2026" in str(box.mails[1][1])


async def test_very_many_things_are_one_mail(ledger: Ledger, box: Mailbox) -> None:
    shop = Shop(ledger, owner())
    await shop.check(MORNING, *(finding(f"s{n}") for n in range(10_000)))
    assert subjects(box) == ["corner-shop: 10,000 new. s0 is down"]
    assert "And 9,980 more." in str(box.mails[0][1])
    await shop.check(MORNING)
    assert subjects(box)[1:] == ["corner-shop: 10,000 over. s0 is down"]


async def test_a_line_end_in_a_name_is_no_header(ledger: Ledger, box: Mailbox) -> None:
    evil = finding("till\r\nBcc: all@shop.example\r\n\r\n<script>")
    await Shop(ledger, owner()).check(MORNING, evil)
    [(to, mail)] = box.mails
    assert to == ["owner@shop.example"]
    assert mail["Bcc"] is None
    assert mail["Subject"] == ("corner-shop: 1 new. till Bcc: all@shop.example <script> is down")


async def test_a_server_that_is_away_is_tried_again_and_one_that_says_nothing_is_not(
    ledger: Ledger, box: Mailbox
) -> None:
    shop = Shop(ledger, owner())
    box.answer = "451 come again"
    (fault,) = await shop.check(MORNING, finding())
    assert "refused our mail: 451 come again" in fault
    assert fault.endswith("It is tried again.")
    (effect,) = await ledger.effects.list()
    assert effect.next_at is not None
    box.answer = "250 taken"
    await shop.sweep(effect.next_at)
    assert len(box.mails) == 1
    block = MailNotification(server=box.block(timeout=0.5), to=["owner@shop.example"])
    await block.asave("owner", overwrite=True)
    box.answer = None
    (fault,) = await shop.check(MORNING, finding("shop"), finding())
    assert "did not say whether it took it" in fault
    assert len(await ledger.effects.list([EffectStatus.UNKNOWN])) == 1
    assert len(box.mails) == 2
    await shop.sweep(MORNING + DAY)
    assert len(box.mails) == 2, "a person is asked"


async def test_without_a_channel_nothing_counts_as_told(ledger: Ledger, box: Mailbox) -> None:
    shop = Shop(ledger, {"owner": Audience()})
    assert await shop.check(MORNING, finding()) == []
    assert await ledger.tellings.open("owner") == []
    shop.audiences = owner()
    await shop.check(MORNING, finding())
    assert len(box.mails) == 1


async def test_in_shadow_it_is_written_down_what_would_be_told(
    ledger: Ledger, box: Mailbox
) -> None:
    rules = EffectRules(approval={"notification": Approval.SHADOW})
    shop = Shop(ledger, owner(daily_report=True), rules)
    await shop.check(MORNING, finding())
    assert (box.mails, await ledger.effects.list()) == ([], [])
    await ledger.flush()
    receipts = await ledger.receipts.of()
    assert [r.body["decision"] for r in receipts] == [{"act": False, "reason": "shadow"}] * 2


async def test_what_is_an_open_incident_is_told_as_that_and_not_twice(
    ledger: Ledger, box: Mailbox
) -> None:
    def as_incident(name: str) -> Finding:
        return finding(name).model_copy(update={"evidence": {INCIDENT: "4711"}})

    shop = Shop(ledger, owner())
    await shop.check(MORNING, as_incident("shop"))
    assert subjects(box) == []
    # What was told of before it became an incident is over when it is, and not before.
    await shop.check(MORNING + DAY, finding("till"))
    await shop.check(MORNING + 1.1 * DAY, as_incident("till"))
    await shop.check(MORNING + 1.2 * DAY)
    assert subjects(box) == [
        "corner-shop: 1 new. till is down",
        "corner-shop: 1 over. till is down",
    ]
