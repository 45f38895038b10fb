"""kill -9 at every named point of the event-driven workflow: nothing lost, nothing done twice."""

from __future__ import annotations

import asyncio
import signal

import pytest
from prefect.variables import Variable

from agents.registry import registry
from blocks.crash_points import VARIABLE as CRASH_AT
from blocks.ledger.events.records import IncidentStatus
from blocks.ledger.work.approvals import ApprovalStatus
from blocks.vocabulary.messages import Severity, SystemEvent, utc_now
from flows.event_driven_workflow import event_driven_workflow
from flows.orchestrator.dispatch.policy import VARIABLE, forget_policy, write_changes
from tests.forked import run_script

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

SCRIPT = """
import asyncio, os, sys
from datetime import timedelta
from agents.sre_reliability.automation import restart
from agents.sre_reliability.automation.restart import MonitoredService
from flows.orchestrator.events import draining
from flows.event_driven_workflow import event_driven_workflow

draining.HOLD = timedelta(seconds=2)  # what a dead run had taken is free soon
restart.GAP, restart.SETTLING = 0.02, 0.2
event, dies = eval(sys.argv[1]), sys.argv[2]
if dies == "acting":
    now = MonitoredService.restart_now
    async def act_and_die(service, *key):
        await now(service, *key)
        os.kill(os.getpid(), 9)
    MonitoredService.restart_now = act_and_die
asyncio.run(event_driven_workflow(event=event))
"""

POINTS = [
    "events.accepted",
    "events.taken",
    "events.joined",
    "events.responding",
    "events.answered",
    "events.remedied",
    "events.settled",
    "events.drained",
]


async def run(event: SystemEvent, point: str = "", dies: str = "") -> int:
    """Run the workflow in a process of its own; its exit code. The shop answers meanwhile."""
    ended = await asyncio.to_thread(
        run_script, SCRIPT, repr(event.model_dump(mode="json")), dies, **{CRASH_AT: point}
    )
    assert ended.returncode <= 0, ended.stderr
    return ended.returncode


def trouble() -> SystemEvent:
    return SystemEvent(
        id="1", source="monitor", type="down", severity="error", subject="service:checkout"
    )


@pytest.mark.parametrize("point", POINTS)
async def test_an_event_survives_the_death_of_its_run(shop, ledger, point):
    shop.break_checkout()
    event = trouble()
    assert await run(event, point) == -signal.SIGKILL
    assert await run(event) == 0, "the same event handed in again, as an automation would"
    (incident,) = await ledger.inbox.incidents()
    assert (incident.status, incident.events) == (IncidentStatus.SETTLED, 1)
    assert (await ledger.inbox.depth(utc_now())).events == 0
    assert shop.restarts == 1
    assert len(await ledger.effects.acts()) == 1
    assert (await ledger.receipts.verify()).faults == []


async def test_what_died_while_it_mended_is_not_mended_again(shop, ledger):
    shop.break_checkout(for_good=True)
    event = trouble()
    assert await run(event, dies="acting") == -signal.SIGKILL
    assert await run(event) == 0
    assert shop.restarts == 1
    (incident,) = await ledger.inbox.incidents()
    assert incident.status is IncidentStatus.SETTLED
    assert "nobody knows whether it was done" in incident.done


@pytest.fixture
async def nobody_waits(prefect_server):
    """Questions are put at once."""
    forget_policy()
    await write_changes({"events": {"group_wait_seconds": 0}}, registry())
    yield
    await Variable.aunset(VARIABLE)
    forget_policy()


@pytest.mark.parametrize("point", ["events.joined", "events.settled", "incident.asked"])
async def test_a_question_survives_the_death_of_its_run(shop, ledger, nobody_waits, point):
    event = trouble().model_copy(update={"subject": "pod:shop/a", "severity": Severity.CRITICAL})
    assert await run(event, point) == -signal.SIGKILL
    assert await run(event) == 0
    (incident,) = await ledger.incidents.open()
    (question,) = await ledger.approvals.list()
    assert incident.approval_id == question.id
    assert question.status is ApprovalStatus.OPEN


async def test_a_broadcast_whose_run_died_is_asked_about_by_the_next_run(
    shop, ledger, nobody_waits
):
    script = (
        "import asyncio; from flows.broadcast_alert import broadcast_alert;"
        "asyncio.run(broadcast_alert(title='Flood'))"
    )
    ended = await asyncio.to_thread(run_script, script, **{CRASH_AT: "alert.stands"})
    assert ended.returncode == -signal.SIGKILL
    assert await ledger.approvals.list() == []
    await event_driven_workflow()
    (incident,) = await ledger.incidents.open()
    (question,) = await ledger.approvals.list()
    assert (incident.title, incident.approval_id) == ("Flood", question.id)
