"""People are told of incidents by real mail: once each, also when the process dies over it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from blocks.ledger import Ledger
from blocks.ledger.incidents.entries import EntryKind
from blocks.ledger.incidents.silences import SilenceRecord
from blocks.policy.effect_rules import EffectRules
from blocks.policy.notify_rules import Audience, NotifyRules
from blocks.policy.policy import Policy
from blocks.policy.watching.incident_rules import EscalationStep, IncidentRules
from blocks.prefect_api.channels import MailNotification
from blocks.vocabulary.effects import Approval, EffectStatus
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.approvals.caretaker import settle_effects
from flows.orchestrator.incidents.by_hand import acknowledge
from flows.orchestrator.incidents.escalation import escalate_due
from flows.orchestrator.incidents.silencing import make_silence
from flows.orchestrator.incidents.texts import Setting
from tests.forked import run_script
from tests.incidents import Desk
from tests.mailbox import Mailbox, mailbox

pytestmark = pytest.mark.prefect

POLICY = Policy(
    notify=NotifyRules(
        audiences={
            "owner": Audience(channels=["mail/owner"]),
            "boss": Audience(channels=["mail/boss"], about=["nothing/*"]),
        }
    ),
    incidents=IncidentRules(steps=[EscalationStep(after_minutes=15, audience="boss")]),
)

MANY = 250


@pytest.fixture
def desk(prefect_server: str, ledger_url: str) -> Iterator[Desk]:
    with Ledger.open(ledger_url) as ledger:
        yield Desk(ledger, POLICY)


@pytest.fixture
async def box(desk: Desk) -> AsyncIterator[Mailbox]:
    """A mailbox that the blocks mail/owner and mail/boss send to."""
    async with mailbox() as box:
        for name in ("owner", "boss"):
            block = MailNotification(server=box.block(), to=[f"{name}@shop.example"])
            await block.asave(name, overwrite=True)
        yield box


async def look(desk: Desk, **span: float) -> list[str]:
    desk.wait(**span)
    berlin = Setting("Europe/Berlin", "EUR")
    return await escalate_due(desk.ledger, desk.policy, desk.now, berlin)


def told(box: Mailbox) -> list[tuple[str, str]]:
    """Whom each mail was for, and its subject."""
    found = [(to[0].partition("@")[0], str(mail["subject"])) for to, mail in box.mails]
    box.mails.clear()
    return found


async def test_the_life_of_an_incident_as_people_hear_of_it(desk: Desk, box: Mailbox) -> None:
    one = await desk.fires()
    assert await look(desk, seconds=10) == []
    assert told(box) == [], "it may end by itself"
    assert await look(desk, seconds=20) == []
    ((_, mail),) = box.mails
    said = mail.get_body(("plain",))
    assert said is not None
    text = said.get_content()
    assert "since 02 Mar 2026, 13:00 Europe/Berlin" in text
    assert "checkout is down." in text
    assert f"./orchestrator incidents ack {one.id[:8]}" in text
    assert told(box) == [("owner", "[critical] service checkout: alert Down")]
    await look(desk, seconds=10)
    assert told(box) == []
    await look(desk, minutes=15)
    assert told(box) == [("boss", "[critical] service checkout: alert Down")]
    await acknowledge(desk.ledger, one.id, desk.policy.incidents, by="ann", now=desk.now)
    await look(desk, hours=5)
    assert told(box) == [], "somebody sees to it"
    await desk.is_resolved()
    await look(desk, seconds=10)
    over = "Resolved after 5 h 15 min: service checkout: alert Down"
    assert sorted(told(box)) == [("boss", over), ("owner", over)]
    await look(desk, seconds=10)
    assert told(box) == []
    steps = await desk.ledger.incident_entries.of([one.id])
    texts = [e.text for e in steps if e.kind is EntryKind.ESCALATED]
    assert texts[:2] == [
        "owner is told, through mail/owner.",
        "boss is told, through mail/boss.",
    ]
    assert len(texts) == 4


async def test_many_alerts_of_a_group_are_one_mail(desk: Desk, box: Mailbox) -> None:
    await desk.tell(*(f"s{n}" for n in range(MANY)))
    await desk.drain()
    await look(desk, minutes=1)
    assert told(box) == [("owner", "[critical] service s0: alert Down, and 249 more")]
    await desk.tell(*(f"s{n}" for n in range(MANY)), status="resolved")
    await look(desk, minutes=1)
    ((_, subject),) = told(box)
    assert subject.startswith("Resolved after 1 min: service s")
    assert subject.endswith(", and 249 more")


async def test_several_who_look_at_once_tell_it_once(desk: Desk, box: Mailbox) -> None:
    await desk.fires()
    desk.wait(minutes=1)
    looks = (escalate_due(desk.ledger, desk.policy, desk.now) for _ in range(4))
    await asyncio.gather(*looks)
    assert len(told(box)) == 1


async def test_what_is_silenced_is_told_when_the_silence_is_over(desk: Desk, box: Mailbox) -> None:
    await desk.fires()
    silence = SilenceRecord(
        resource="service:*",
        reason="We deploy.",
        by="ann",
        made_at=desk.now,
        starts_at=desk.now,
        ends_at=desk.now + timedelta(hours=1),
    )
    await make_silence(desk.ledger, silence, desk.now)
    await look(desk, minutes=30)
    assert told(box) == []
    await look(desk, minutes=30)
    assert [name for name, _ in sorted(told(box))] == ["boss", "owner"]


async def test_a_shadow_tells_nobody_and_says_so(desk: Desk, box: Mailbox) -> None:
    await desk.fires()
    effects = EffectRules(approval={"notification": Approval.SHADOW})
    desk.policy = desk.policy.model_copy(update={"effects": effects})
    await look(desk, minutes=1)
    assert told(box) == []
    assert await desk.ledger.effects.list() == []


DIE = """
import asyncio, sys
from tests.integration.flows.orchestrator.incidents.test_escalation import die
asyncio.run(die(sys.argv[1]))
"""


async def die(url: str) -> None:
    """Tell what is due, in a process that is to die over it."""
    with Ledger.open(url) as ledger:
        await escalate_due(ledger, POLICY, utc_now())


@pytest.mark.parametrize(
    "point", ["incidents.judged", "incidents.intended", "effect.acting", "effect.acted"]
)
async def test_whoever_dies_over_it_tells_nothing_twice(
    desk: Desk, box: Mailbox, ledger_url: str, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.now = utc_now() - timedelta(minutes=2)
    one = await desk.fires()
    monkeypatch.setenv("ORCHESTRATOR_CRASH_AT", point)
    died = await asyncio.to_thread(run_script, DIE, ledger_url)
    monkeypatch.delenv("ORCHESTRATOR_CRASH_AT")
    assert died.returncode == -signal.SIGKILL, died.stderr
    before = len(told(box))
    assert before == (point == "effect.acted")

    later = utc_now() + timedelta(minutes=1)
    assert await escalate_due(desk.ledger, POLICY, later) == []
    await settle_effects(desk.ledger, later)
    await settle_effects(desk.ledger, later)
    (effect,) = await desk.ledger.effects.list()
    if point.startswith("effect."):  # nobody knows whether it was sent: a person is asked
        assert effect.status is EffectStatus.UNKNOWN
        assert not [s for _, s in told(box) if s.startswith("[critical]")]
    else:
        assert effect.status is EffectStatus.DONE
        assert told(box) == [("owner", "[critical] service checkout: alert Down")]
    kinds = await desk.kinds(one.id)
    assert kinds.count(EntryKind.ESCALATED) == 1
