"""Messages from outside on the real team, and an alert that one agent fails at."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from agents.registry import Registry, registry
from blocks.errors import ConfigurationError, NotAllowed, RequestError
from blocks.ledger import Ledger
from blocks.ledger.calls.dead_letters import LetterStatus
from blocks.settings import get_settings
from blocks.text.masking import without_passwords
from blocks.vocabulary.messages import Outcome, Priority, Severity
from deployments.cli.messages import exit_code, print_deliveries, send_document
from flows.broadcast_alert import broadcast_alert
from flows.deliver_message import DeliveryReport, deliver_message
from flows.internal.agent_call import agent_call
from flows.orchestrator.dispatch.context import shared_ledger
from flows.orchestrator.dispatch.policy import write_changes
from flows.orchestrator.team.outcome import NothingAchieved
from tests.integration.flows.seen import artifacts_of, ran, task_runs_of

pytestmark = pytest.mark.prefect

ASK = {
    "id": "m-1",
    "from": "billing",
    "to": "sre-reliability",
    "type": "request",
    "action": "assess_health",
    "priority": 4,
}
EVENT = {"specversion": "1.0", "id": "e1", "source": "/till", "type": "till.jammed"}


@pytest.fixture
def ledger(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """The ledger that workflows of this test use, on both kinds of database."""
    monkeypatch.setenv("ORCHESTRATOR_LEDGER_URL", ledger_url)
    get_settings.cache_clear()
    ledger = shared_ledger(get_settings().effective_ledger_url)
    yield ledger
    ledger.close()
    get_settings.cache_clear()


async def sent(message: Any, **parameters: Any) -> DeliveryReport:
    """Deliver a document: its report, however the run ended."""
    try:
        return await deliver_message(message, **parameters)
    except NothingAchieved as nothing:
        return nothing.report


async def test_a_message_is_delivered_once_and_answered_in_its_own_words(shop, ledger):
    report = await sent(ASK)
    (first,) = report.deliveries
    assert report.outcome is Outcome.SUCCEEDED
    assert first.ok
    assert not first.again
    assert (first.answer["message_id"], first.answer["from"]) == ("m-1", "sre-reliability")
    assert "status" in first.answer["payload"]["result"]
    call = await ledger.call("m-1")
    assert call == first.call
    assert (call.sender, call.priority, call.run_id) == ("billing", 4, report.run_id)

    again = {"message_id": "m-1", "from_agent": "billing", "to_agent": "sre_reliability"}
    old_form = json.dumps(again | {"content": {"action": "assess_health"}})
    (second,) = (await sent(old_form)).deliveries
    assert second.again
    assert second.call == call
    assert second.answer["content"]["result"] == first.answer["payload"]["result"]
    assert len(await ledger.calls(action="assess_health")) == 1


async def test_an_agents_failure_is_an_answer_and_no_dead_letter(shop, ledger):
    report = await sent(
        {"to": "integration-specialist", "action": "fetch_data", "payload": {"source": "nobody"}}
    )
    (one,) = report.deliveries
    assert report.outcome is Outcome.REFUSED
    assert not one.ok
    assert one.answer["error"]["code"]
    assert "nobody" in one.answer["error"]["what"]
    assert await ledger.dead_letters.list() == []


UNDELIVERABLE: dict[str, tuple[Any, str]] = {
    "unreadable": ('{"to": "sre-reliability", ', "no JSON"),
    "unknown field": (ASK | {"approved": True}, "no field 'approved'"),
    "unknown action": (ASK | {"action": "asess_health"}, r"Did you mean .*\.assess_health"),
    "unknown agent": (ASK | {"to": "sre-reliabilty"}, r"sre-reliability\.assess_health"),
    "unknown parameter": (
        ASK | {"action": "collect_metrics", "payload": {"hour": 1}},
        "no parameter 'hour'. Did you mean hours",
    ),
    "wrong type": (
        ASK | {"action": "collect_metrics", "payload": {"hours": "many"}},
        "hours is 'many'",
    ),
    "a tool of ours": (ASK | {"payload": {"now": "2026-01-01T00:00:00Z"}}, "no parameter 'now'"),
    "a frame": (
        ASK | {"to": "data-intelligence", "action": "analyze", "payload": {"snapshot": {}}},
        r"analyze may not be asked for by a message or a task\. It is for the workflows themselves",
    ),
    "any address": (
        ASK
        | {
            "to": "integration-specialist",
            "action": "propose_mapping",
            "payload": {"url": "mysql://u:canary-7f3@127.0.0.1:1/x?local_infile=1"},
        },
        r"propose_mapping may not be asked for by a message or a task\. It is for a person",
    ),
    "missing parameter": (ASK | {"action": "restart_service"}, "needs service"),
}


@pytest.mark.parametrize(("raw", "reason"), UNDELIVERABLE.values(), ids=UNDELIVERABLE)
async def test_what_cannot_be_delivered_is_kept_with_its_reason(raw, reason, shop, ledger):
    report = await sent(raw)
    (one,) = report.deliveries
    (letter,) = await ledger.dead_letters.list(LetterStatus.WAITING)
    assert one.letter == letter
    assert report.outcome is Outcome.REFUSED
    assert re.search(reason, letter.reason)
    assert "canary" not in letter.reason + letter.raw
    assert any(letter.reason in line for line in report.missing)
    assert report.run_id in letter.origin
    kept = without_passwords(raw)
    assert (json.loads(letter.raw) == kept) if isinstance(raw, dict) else (letter.raw == kept)
    assert await ledger.calls() == []
    run = await ledger.run(report.run_id)
    assert run.outcome is Outcome.REFUSED


async def test_a_dead_letter_is_fixed_and_resent_once(shop, ledger):
    report = await sent(ASK | {"aktion": "assess_health"})
    letter = report.deliveries[0].letter
    with pytest.raises(RequestError, match="no field 'aktion'"):
        await deliver_message(letter=letter.id[:6])  # the same again
    assert (await ledger.dead_letters.get(letter.id)).status is LetterStatus.WAITING

    ended = await asyncio.gather(
        *(deliver_message(ASK, letter=letter.id[:8]) for _ in range(3)), return_exceptions=True
    )
    resent = [one for one in ended if isinstance(one, DeliveryReport)]
    refused = [one for one in ended if isinstance(one, RequestError)]
    assert len(resent) + len(refused) == 3
    assert sum(not one.deliveries[0].again for one in resent) == 1
    assert len(await ledger.calls(action="assess_health")) == 1
    settled = await ledger.dead_letters.get(letter.id)
    assert (settled.status, settled.message_id) == (LetterStatus.RESENT, "m-1")
    with pytest.raises(RequestError, match="was resent as message m-1 before"):
        await deliver_message(ASK | {"id": "m-2"}, letter=letter.id)


async def test_a_resend_whose_process_died_can_be_done_again(shop, ledger):
    letter = (await sent(ASK | {"aktion": "x"})).deliveries[0].letter
    assert await ledger.dead_letters.resent(letter.id, "m-9", letter.received_at)  # and then: dead
    del (fixed := dict(ASK))["id"]
    report = await deliver_message(fixed, letter=letter.id)
    assert report.deliveries[0].call.message_id == "m-9"
    with pytest.raises(RequestError, match="was resent"):
        await deliver_message(fixed, letter=letter.id)


async def test_no_way_in_leads_to_an_action_that_is_not_for_messages(shop, ledger):
    address = {"url": "sqlite:////etc/shadow"}
    wanted = {"to": "integration-specialist", "action": "propose_mapping", "payload": address}
    letter = (await sent({"to": "nobody"})).deliveries[0].letter
    with pytest.raises(RequestError, match="propose_mapping may not be asked for"):
        await deliver_message(wanted, letter=letter.id)  # as what a dead letter should have said
    cloud = EVENT | {"recipient": wanted["to"], "action": wanted["action"], "data": address}
    batch = [ASK | {"id": "m-7"}, wanted]  # with one that may be asked, nothing of it is done
    for document in (wanted, json.dumps(wanted), cloud, batch):
        (one,) = (await sent(document)).deliveries
        assert one.letter is not None
    roles = {"primary": {"agent": wanted["to"], "action": wanted["action"]}}
    with pytest.raises(ConfigurationError, match=r"look, primary: .*propose_mapping may not be"):
        await write_changes({"task_types": {"look": {"roles": roles}}}, registry())
    for asked in (
        {},
        {"asker": "message"},
        {"asker": "person"},
    ):  # a run of agent-call, as whoever reaches Prefect may start one
        with pytest.raises(NotAllowed, match="propose_mapping may not be asked for"):
            await agent_call(wanted["to"], wanted["action"], json.dumps(address), asked)
    assert await ledger.calls() == []


async def test_events_go_to_the_inbox(shop, ledger):
    report = await sent([EVENT, EVENT | {"id": "e2"}])
    assert report.outcome is Outcome.SUCCEEDED
    assert report.deliveries[0].accepted == ["e1", "e2"]
    letter = (await sent([EVENT | {"id": "e3", "type": ""}])).deliveries[0].letter
    assert letter.dialect == ""
    report = await sent([EVENT | {"id": "e3"}], letter=letter.id)
    assert report.deliveries[0].accepted == ["e3"]
    with pytest.raises(RequestError, match="was resent"):
        await deliver_message([EVENT], letter=letter.id)


async def test_an_alert_reaches_every_agent_and_one_that_fails_is_named(
    shop, ledger, caplog, monkeypatch
):
    async def process_event(event: dict[str, Any]) -> None:
        raise ZeroDivisionError("nobody thought of this")

    team = [
        replace(spec, function=process_event) if spec.name == "process_event" else spec
        for spec in registry().actions()
    ]
    broken = Registry(registry().agents, team)
    monkeypatch.setattr("flows.orchestrator.team.opening.registry", lambda: broken)
    shop.break_checkout(for_good=True)
    state, report = await ran(
        broadcast_alert,
        title="The checkout fails",
        severity=Severity.CRITICAL,
        resource="service:checkout",
        detail="Customers complain.",
        data={"orders_lost": 12},
    )
    assert state.name == "Partial"
    assert report.outcome is Outcome.PARTIAL
    assert "No answer from data-intelligence." in report.headline
    assert any("nobody thought of this" in line for line in report.missing)
    (table,) = report.sections[0].tables
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["Data Intelligence"][:2] == [
        "—",
        "failed: ZeroDivisionError: nobody thought of this",
    ]
    assert rows["SRE Reliability"][0] == "yes"
    assert "checkout" in rows["SRE Reliability"][1]
    assert rows["Integration Specialist"][0] == "no"
    (finding,) = report.findings
    assert (finding.resource, finding.remedy.action) == ("service:checkout", "restart_service")

    calls = {call.agent: call for call in await ledger.calls(run_id=report.run_id)}
    assert len(calls) == 3
    assert {call.priority for call in calls.values()} == {Priority.CRITICAL}
    told = {agent: call.payload["event"]["data"] for agent, call in calls.items()}
    assert "remedies" in told["sre-reliability"]["asked"][1]
    assert all(data["values"] == {"orders_lost": 12} for data in told.values())
    assert all(data["title"] == "The checkout fails" for data in told.values())
    flow_run_id = state.state_details.flow_run_id
    tasks = await task_runs_of(flow_run_id, 3)
    assert len(tasks) == 3
    assert await artifacts_of(flow_run_id)


async def test_an_alert_without_anything_is_a_harmless_test(shop, ledger):
    report = await broadcast_alert()
    assert report.outcome is Outcome.SUCCEEDED
    assert report.findings == []
    assert report.headline == "3 agents told, 0 concerned."
    assert await ledger.incidents.open() == []
    assert await ledger.approvals.list() == []


async def test_the_command_line_sends_files_and_tells_what_came_of_them(shop, ledger, tmp_path):
    file = tmp_path / "message.json"
    file.write_text(json.dumps(ASK))
    delivered = await send_document(file)
    assert exit_code(delivered) == 0
    print_deliveries(delivered, console := Console(file=io.StringIO(), width=200))
    printed = console.file.getvalue()
    assert "message m-1 → sre-reliability.assess_health" in printed
    assert '"message_id": "m-1"' in printed

    file.write_bytes(b'{"to": "\xff\x1b[31m"}')
    delivered = await send_document(file)
    assert exit_code(delivered) == 3
    print_deliveries(delivered, console := Console(file=io.StringIO(), width=200))
    (letter,) = await ledger.dead_letters.list()
    assert f"dead-letters resend {letter.id[:8]}" in console.file.getvalue()
    assert "\x1b[31m" not in console.file.getvalue()

    file.write_text(json.dumps(ASK | {"id": "m-3"}))
    assert exit_code(await send_document(file, letter=letter.id[:6])) == 0
    assert (await ledger.dead_letters.get(letter.id)).message_id == "m-3"
