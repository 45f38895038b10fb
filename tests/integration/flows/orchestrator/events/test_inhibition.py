"""A dead database silences what depends on it, and is named as the cause; after it, they speak."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from prefect.variables import Variable

from agents.registry import registry
from blocks.ledger import Ledger
from blocks.ledger.events.records import Ending, IncidentRecord
from blocks.ledger.incidents.entries import EntryKind
from blocks.ledger.work.approvals import ApprovalStatus
from blocks.vocabulary.messages import Severity, SystemEvent, alert_identity, utc_now
from flows.event_driven_workflow import event_driven_workflow
from flows.orchestrator.dispatch.policy import VARIABLE, forget_policy, write_changes
from flows.orchestrator.events.accept import accept_events
from flows.orchestrator.events.inhibition import Inhibition
from tests.integration.flows.seen import ran
from tests.integration.flows.shop import SICK, Shop

pytestmark = pytest.mark.prefect

TOPOLOGY = {"service:checkout": ["database:shop"], "topic:orders": ["database:shop"]}


@pytest.fixture
async def rules(prefect_server: str) -> AsyncIterator[Any]:
    """Changes the rules of events for a test; nothing waits for its group, or for grace."""

    async def change(**changes: Any) -> None:
        usual = {
            "group_wait_seconds": 0,
            "topology": TOPOLOGY,
            "window_seconds": 0.001,
            "inhibition_grace_seconds": 0,
        }
        await write_changes({"events": usual | changes}, registry())

    forget_policy()
    await change()
    yield change
    await Variable.aunset(VARIABLE)
    forget_policy()


def alert(subject: str, status: str = "firing", severity: str = "error") -> SystemEvent:
    return SystemEvent(
        id=alert_identity("watchdog", subject),
        source="watchdog",
        type="alert.Down",
        subject=subject,
        severity=Severity(severity if status == "firing" else "info"),
        data={"status": status, "fingerprint": subject},
    )


async def tell(*events: SystemEvent) -> None:
    await accept_events(*events)
    await ran(event_driven_workflow)


async def open_incidents(ledger: Ledger) -> dict[str, IncidentRecord]:
    return {each.resource: each for each in await ledger.incidents.open()}


async def questions(ledger: Ledger) -> list[str]:
    return [q.title for q in await ledger.approvals.list(ApprovalStatus.OPEN)]


async def test_what_depends_on_a_dead_database_is_not_restarted_not_asked_about_and_shown(
    shop: Shop, ledger: Ledger, rules: Any
) -> None:
    shop.answers["checkout"] = SICK
    await tell(alert("database:shop", severity="critical"))
    await tell(alert("service:checkout"), alert("topic:orders"))
    found = await open_incidents(ledger)
    assert set(found) == {"database:shop", "service:checkout", "topic:orders"}
    current = await ledger.inhibitions.current()
    assert set(current) == {found["service:checkout"].id, found["topic:orders"].id}
    assert "database shop is the cause" in found["service:checkout"].done
    assert shop.restarts == 0
    assert not [title for title in await questions(ledger) if "database" not in title]
    kinds = {
        entry.kind for entry in await ledger.incident_entries.of([found["service:checkout"].id])
    }
    assert EntryKind.INHIBITED in kinds

    # Its cause is over, and it still fires: it is trouble of its own, and the checkout is mended.
    await tell(alert("topic:orders", "resolved"))
    await tell(alert("database:shop", "resolved"))
    await ran(event_driven_workflow)
    assert shop.restarts == 1
    assert await ledger.inhibitions.current() == {}


async def test_while_there_is_grace_what_recovers_by_itself_is_told_to_nobody(
    shop: Shop, ledger: Ledger, rules: Any
) -> None:
    await rules(inhibition_grace_seconds=3600)
    await tell(alert("database:shop"))
    await tell(alert("topic:orders"))
    (silent,) = await ledger.inhibitions.current()
    await tell(alert("database:shop", "resolved"))
    assert set(await ledger.inhibitions.current()) == {silent}
    assert not [title for title in await questions(ledger) if "orders" in title]
    await tell(alert("topic:orders", "resolved"))
    incident = await ledger.inbox.incident(silent)
    assert incident is not None
    assert incident.ending is Ending.RESOLVED
    assert await ledger.incidents.open() == []


async def test_a_cause_that_is_found_later_takes_over_and_the_open_question_is_withdrawn(
    shop: Shop, ledger: Ledger, rules: Any
) -> None:
    await tell(alert("topic:orders", severity="critical"))
    assert len([title for title in await questions(ledger) if "orders" in title]) == 1
    await tell(alert("database:shop"))
    found = await open_incidents(ledger)
    assert set(await ledger.inhibitions.current()) == {found["topic:orders"].id}
    assert not [title for title in await questions(ledger) if "orders" in title]
    assert found["database:shop"].severity is Severity.CRITICAL, (
        "it is as grave as what it explains"
    )
    entries = await ledger.incident_entries.of([found["database:shop"].id])
    assert [e.text for e in entries if e.data.get("incident") == found["topic:orders"].id] == [
        "It explains the critical trouble with topic:orders."
    ]


async def test_what_came_together_with_its_cause_is_split_off_when_that_is_over(
    shop: Shop, ledger: Ledger, rules: Any
) -> None:
    await rules(window_seconds=300)
    await tell(alert("database:shop"), alert("topic:orders"))
    assert set(await open_incidents(ledger)) == {"database:shop"}
    await tell(alert("database:shop", "resolved"))
    await ran(event_driven_workflow)
    found = await open_incidents(ledger)
    assert set(found) == {"topic:orders"}
    assert [title for title in await questions(ledger) if "orders" in title]
    await tell(alert("topic:orders", "resolved"))
    assert await ledger.incidents.open() == []


async def test_whoever_dies_after_a_release_leaves_it_to_the_next(
    shop: Shop, ledger: Ledger, rules: Any
) -> None:
    await tell(alert("database:shop"))
    await tell(alert("topic:orders"))
    await accept_events(alert("database:shop", "resolved"))
    policy = await write_changes({"events": {"topology": TOPOLOGY}}, registry())
    later = utc_now() + timedelta(hours=1)
    await Inhibition(ledger, policy.events).look(later)  # and nothing more: it died
    await rules()
    await ran(event_driven_workflow)
    found = await open_incidents(ledger)
    assert set(found) == {"topic:orders"}
    assert [title for title in await questions(ledger) if "orders" in title]
