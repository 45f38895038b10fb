"""Objectives on the status page, and on the public one only where that is wanted."""

from __future__ import annotations

from agents.sre_reliability.objectives.standing import ObjectiveStanding
from flows.status.page import overview
from flows.status.public import for_everybody
from tests.unit.flows.status.pages import NOW, facts

SPENT = ObjectiveStanding(
    name="checkout-availability",
    target="service:checkout",
    description="It is up.",
    objective=0.995,
    days=30,
    at=NOW,
    last=NOW,
    total=1000,
    bad=6,
    known_days=12.5,
    good_share=0.994,
    budget_left=-0.2,
    pace=3.0,
    empty_at=None,
    burns=(),
    calls="ticket",
    since=None,
    course=(),
)


def test_what_is_left_of_a_budget_is_on_the_page() -> None:
    page = overview(facts(objectives=[SPENT]), NOW)
    (line,) = page.objectives or []
    assert (line.name, line.budget_left, line.burns) == ("checkout-availability", -0.2, "ticket")
    assert (line.known_days, line.days) == (12.5, 30)
    assert overview(facts(), NOW).objectives == []


def test_everybody_sees_it_only_where_it_is_named() -> None:
    page = overview(facts(objectives=[SPENT]), NOW)
    assert for_everybody(page, {"health"}).objectives is None
    assert for_everybody(page, {"objectives"}).objectives == page.objectives
