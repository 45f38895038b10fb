"""The public page: of every choice of parts nothing else, and nothing said in private."""

from __future__ import annotations

from itertools import chain, combinations

import pytest

from blocks.ledger.calls.history import HourOfCalls
from blocks.ledger.events.records import Depth, Waiting
from blocks.ledger.status import AgentMetrics, Target
from blocks.ledger.work.approvals import ApprovalStatus
from blocks.settings import Settings
from blocks.vocabulary.messages import Outcome, Severity
from flows.reports.last_orders import LastOrders
from flows.reports.model import Section, Table
from flows.status.page import overview
from flows.status.page_model import PARTS, Overview
from flows.status.public import for_everybody
from tests.plans import line, order, plan
from tests.unit.flows.status.pages import (
    HOUR,
    MINUTE,
    NOW,
    daily,
    facts,
    finding,
    incident,
    question,
    remedy,
    run,
)

SUBSETS = list(chain.from_iterable(combinations(PARTS, n) for n in range(len(PARTS) + 1)))


def everything() -> Overview:
    """A page on which every text says which part it is of, and what must never be public."""
    agent = AgentMetrics(
        agent="of-agents",
        status="idle",
        workload=0,
        capacity=77001,
        tasks_completed=77002,
        success_rate=0.4,
        response_ms=77003,
        p95_ms=77004,
        utilization=0.0,
        recent_tasks=["of-agents"],
    )
    target = Target(
        name="of-agents", wanted="of-agents", actual=77005, unit="ms", met=False, window_hours=24
    )
    status = facts().status.model_copy(
        update={"agents": [agent], "targets": [target], "system_health": "unhealthy"}
        | {"reasons": ["of-agents fails most of its calls"]}
    )
    runs = [
        run(Outcome.FAILED, id="private", workflow="of-workflows", trigger="private"),
        run(ago=2 * HOUR, id="private2", workflow="of-workflows", flow_run_id="private"),
    ]
    stock = Section(
        title="Stock at risk",
        text="of-stock",
        tables=[Table(columns=["of-stock"], rows=[["of-stock", 88001]])],
    )
    left = {"advice": ["private"], "done": "private", "assessments": {}}
    answered = {"answered_at": NOW, "answered_by": "private", "outcome": "private"}
    return overview(
        facts(
            status=status,
            depth=Depth(NOW, {Severity.ERROR: Waiting(66001, NOW - HOUR, NOW)}),
            runs=runs,
            headlines={"private": "private", "private2": "private"},
            incidents=[
                incident(title="of-incidents", resource="x", run_id="private"),
                incident(title=f"of-incidents in run {RUN}", resource=f"run:{RUN}"),
                incident(title="of-incidents", resource="y", settled=left, ago=3 * HOUR),
            ],
            approvals=[
                question(title="of-approvals", detail="private", resource="private", id="private"),
                question(title="of-approvals", status=ApprovalStatus.APPROVED, **answered),
            ],
            acts=[remedy("failed", ago=MINUTE, resource="of-incidents")],
            reports=[
                daily(
                    finding(title="of-incidents", advice="private", impact_per_day=99001.0),
                    finding("sku:1", title="of-stock", impact_per_day=88002.0),
                    sections=[stock],
                    run_id="private",
                    headline="private",
                )
            ],
            orders=LastOrders(
                run_id="private",
                drafted_at=NOW,
                headline="private",
                plan=plan(order("of-orders", line("x", name="of-orders", value="99003.00"))),
            ),
            calls=[
                HourOfCalls(
                    start=NOW.replace(minute=0), completed=55001, failed=0, response_ms=55002.0
                )
            ],
            titles={"of-agents": "of-agents"},
            prefect="http://private",
            can_start=["private"],
        ),
        NOW,
    )


RUN = "f20b2d335bc34d419b1a5f0e3c2d1b00-2"

MARKS = {
    "agents": ("of-agents", "Of-agents", "7700"),
    "incidents": ("of-incidents", "66001", "66,001"),
    "approvals": ("of-approvals",),
    "workflows": ("of-workflows",),
    "stock": ("of-stock", "8800", "88,00"),
    "orders": ("of-orders",),
    "activity": ("5500",),
}


def test_the_whole_page_has_all_of_it():
    text = everything().model_dump_json()
    assert "private" in text
    assert all(any(mark in text for mark in marks) for marks in MARKS.values())


@pytest.mark.parametrize("parts", SUBSETS, ids=",".join)
def test_nothing_leaks(parts):
    page = for_everybody(everything(), parts)
    text = page.model_dump_json()
    for part, marks in MARKS.items():
        if part not in parts:
            assert [mark for mark in marks if mark in text] == [], part
    assert "private" not in text
    assert RUN not in text
    assert "99,00" not in text
    assert "9900" not in text  # money that an incident or an order costs
    assert page.parts == [part for part in PARTS if part in parts]
    for part in PARTS:
        assert (getattr(page, part) is not None) == (part in parts), part


def test_what_is_allowed_is_told():
    page = for_everybody(everything(), {"health", "incidents", "timeline"})
    assert page.health.state == "unhealthy"
    assert {reason.part for reason in page.health.reasons} == {"incidents"}
    assert {moment.part for moment in page.timeline} == {"incidents"}
    assert {incident.title for incident in page.incidents.open} >= {"of-incidents"}


def test_a_part_that_does_not_exist_is_refused():
    assert Settings(public_page=" health, timeline ,").public_parts == {"health", "timeline"}
    assert Settings().public_parts == frozenset()
    with pytest.raises(ValueError, match=r"'tokens' is no part of the page: there are health, "):
        Settings(public_page="health,tokens")
