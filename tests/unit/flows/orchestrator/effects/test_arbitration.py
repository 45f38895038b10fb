"""Who has a resource after a request, decided without clock or ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.ledger import Claim
from blocks.policy.claim_rules import ClaimRules
from blocks.vocabulary.messages import Priority
from flows.orchestrator.effects.arbitration import (
    CRISIS_RANK,
    Decision,
    Request,
    account_of,
    decide,
    rank,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULES = ClaimRules()
SECOND = timedelta(seconds=1)
CHECKOUT = "service:checkout"
LOW, NORMAL, HIGH, CRITICAL = Priority


def request(
    holder: str = "me",
    priority: Priority = NORMAL,
    workflow: str = "daily-health-check",
    patience: float = 30,
) -> Request:
    return Request(CHECKOUT, holder, workflow, priority, NOON + patience * SECOND)


def held(by: str = "other", priority: int = NORMAL, **fields: Any) -> Claim:
    facts = {"token": 7, "workflow": "optimize", "taken_at": NOON, "expires_at": NOON + 60 * SECOND}
    return Claim.model_validate(
        {"resource": CHECKOUT, "holder": by, "priority": priority} | facts | fields
    )


def marked(by: str, priority: int, *, until: float = 10) -> dict[str, Any]:
    return {"wanted_by": by, "wanted_priority": priority, "wanted_until": NOON + until * SECOND}


NEVER = Claim(resource=CHECKOUT, taken_at=NOON, expires_at=NOON)


@pytest.mark.parametrize(
    ("claim", "asked", "verdict", "reason"),
    [
        (NEVER, request(), "grant", "resource-free"),
        (held(holder=None), request(priority=LOW), "grant", "resource-free"),
        (held(expires_at=NOON), request(priority=LOW), "grant", "holder-expired"),
        (held(expires_at=NOON, acting=True), request(priority=LOW), "grant", "holder-expired"),
        (held("me"), request(), "grant", "own-claim"),
        (held("me", expires_at=NOON), request(), "grant", "holder-expired"),
        (held(), request(priority=HIGH), "take-over", "outranked"),
        (held(acting=True), request(priority=HIGH), "ask-to-yield", "holder-acting"),
        (held(acting=True), request(priority=HIGH, patience=0), "refuse", "holder-acting"),
        (held(), request(), "wait", "resource-busy"),
        (held(), request(priority=LOW), "wait", "resource-busy"),
        (held(), request(patience=0), "refuse", "resource-busy"),
        # A crisis outranks even the critical; two crises are equals.
        (held(priority=CRITICAL), request(workflow="crisis-management"), "take-over", "outranked"),
        (
            held(priority=CRISIS_RANK),
            request(workflow="crisis-management", priority=CRITICAL),
            "wait",
            "resource-busy",
        ),
        (held(priority=CRISIS_RANK), request(priority=CRITICAL), "wait", "resource-busy"),
        # Who asked an acting holder to yield is next in line, wherever the claim is by now.
        (held(**marked("third", HIGH)), request(priority=HIGH), "wait", "next-in-line"),
        (held(holder=None, **marked("third", HIGH)), request(), "wait", "next-in-line"),
        (held(expires_at=NOON, **marked("third", HIGH)), request(), "wait", "next-in-line"),
        (held(**marked("third", HIGH)), request(patience=0), "refuse", "next-in-line"),
        (held(**marked("third", HIGH)), request(priority=CRITICAL), "take-over", "outranked"),
        (held(**marked("me", HIGH)), request(priority=HIGH), "take-over", "outranked"),
        (held(holder=None, **marked("third", HIGH, until=0)), request(), "grant", "resource-free"),
    ],
)
def test_the_rules(claim: Claim, asked: Request, verdict: str, reason: str) -> None:
    decision = decide(claim, asked, NOON, RULES)
    assert (decision.verdict, decision.reason) == (verdict, reason)
    assert decision.granted == (decision.claim.holder == "me")
    if not decision.granted and verdict != "ask-to-yield":
        assert decision.claim == claim


def test_a_new_holder_has_a_new_token_its_own_time_and_nobody_behind_it() -> None:
    asked = request(priority=CRITICAL)
    taken = decide(held(acting=False, **marked("third", HIGH)), asked, NOON, RULES).claim
    assert taken == Claim(
        resource=CHECKOUT,
        token=8,
        holder="me",
        workflow="daily-health-check",
        priority=CRITICAL,
        taken_at=NOON,
        expires_at=NOON + 60 * SECOND,
    )


def test_a_request_that_is_repeated_keeps_its_token_and_loses_no_time() -> None:
    acting = held("me", acting=True, expires_at=NOON + 600 * SECOND)
    assert decide(acting, request(), NOON, RULES).claim == acting
    short = held("me", expires_at=NOON + SECOND)
    kept = decide(short, request(), NOON, RULES).claim
    assert (kept.token, kept.expires_at) == (7, NOON + 60 * SECOND)


def test_who_asks_an_acting_holder_leaves_a_mark_that_a_higher_one_replaces() -> None:
    first = decide(held(acting=True), request("a", HIGH), NOON, RULES).claim
    assert (first.holder, first.acting) == ("other", True)
    assert first.wanted_by == "a"
    assert first.wanted_priority == HIGH
    assert first.wanted_until == NOON + 15 * SECOND
    higher = decide(first, request("b", CRITICAL), NOON, RULES).claim
    assert (higher.wanted_by, higher.wanted_priority) == ("b", CRITICAL)


def test_the_rules_name_the_crises() -> None:
    rules = ClaimRules(crisis=["flood"])
    assert rank("flood", LOW, rules) > rank("crisis-management", CRITICAL, rules) == CRITICAL


def test_the_account_says_what_was_known_what_was_decided_and_why() -> None:
    asked = request(priority=HIGH)
    account = account_of(decide(held(acting=True), asked, NOON, RULES), asked)
    assert account["inputs"]["claim"]["holder"] == "other"
    assert account["inputs"]["request"]["priority"] == 3
    assert account["decision"]["verdict"] == "ask-to-yield"
    assert account["decision"]["claim"]["wanted_by"] == "me"
    assert account["why"].startswith("holder-acting: Its holder has a lower priority")
    assert account["candidates"] == [{"name": "me", "won": False}, {"name": "other", "won": True}]


def test_of_a_free_resource_there_is_one_candidate() -> None:
    account = account_of(decide(NEVER, request(), NOON, RULES), request())
    assert account["candidates"] == [{"name": "me", "won": True}]


# Laws, over any history of requests, stretches of acting, releases and crashes.

WORKFLOWS = ("daily-health-check", "crisis-management")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["request", "act", "done", "release", "silence"]),
        st.sampled_from("abcd"),
        st.sampled_from(Priority),
        st.sampled_from(WORKFLOWS),
        st.sampled_from([0.0, 20.0, 1e6]),
        st.sampled_from([0.0, 1.0, 20.0, 61.0]),
    ),
    max_size=40,
)


@dataclass
class History:
    """A claim, and the tokens that were handed out for it."""

    claim: Claim = NEVER
    tokens: list[int] = field(default_factory=list)
    holders: list[str] = field(default_factory=list)

    def ask(self, asked: Request, now: datetime) -> Decision:
        decision = decide(self.claim, asked, now, RULES)
        self.claim = decision.claim
        if decision.granted and decision.claim.token not in self.tokens:
            self.tokens.append(decision.claim.token)
            self.holders.append(asked.holder)
        return decision

    def step(self, what: str, asked: Request, now: datetime) -> None:
        mine = self.claim.is_held(now) and self.claim.holder == asked.holder
        unwanted = self.claim.wanted_until is None or self.claim.wanted_until <= now
        change: dict[str, Any] = {}
        if what == "request":
            before = self.claim
            decision = self.ask(asked, now)
            self.check(before, decision, asked, now)
        elif what == "act" and mine and unwanted:
            change = {"acting": True, "expires_at": now + 600 * SECOND}
        elif what == "done" and mine:
            change = {"acting": False, "expires_at": now + 60 * SECOND}
        elif what == "release" and mine:
            change = {"holder": None, "acting": False}
        self.claim = self.claim.model_copy(update=change)

    def check(self, before: Claim, decision: Decision, asked: Request, now: datetime) -> None:
        changed_hands = before.is_held(now) and decision.claim.holder != before.holder
        if changed_hands:
            assert not before.acting, "nobody is replaced while acting"
            assert rank(asked.workflow, asked.priority, RULES) > before.priority
        assert (decision.claim.token > before.token) == (
            decision.granted and decision.reason != "own-claim"
        )
        if decision.granted:
            assert decision.claim.is_held(now)


def played(steps: list[tuple[str, str, Priority, str, float, float]]) -> tuple[History, datetime]:
    history, now = History(), NOON
    for what, who, priority, workflow, patience, pause in steps:
        now += pause * SECOND
        history.step(what, Request(CHECKOUT, who, workflow, priority, now + patience * SECOND), now)
    return history, now


@given(STEPS)
def test_tokens_only_grow_and_nobody_takes_from_an_equal_or_higher_or_acting_holder(
    steps: list[Any],
) -> None:
    history, _ = played(steps)
    assert history.tokens == sorted(set(history.tokens))
    if history.claim.holder is not None:  # the one valid token is the last one
        assert history.claim.token == history.tokens[-1]
        assert history.claim.holder == history.holders[-1]


@given(STEPS)
def test_nobody_waits_for_ever(steps: list[Any]) -> None:
    """Whatever happened: when all others fall silent, the least urgent request is granted."""
    history, now = played(steps)
    silence = max(
        (t for t in (history.claim.expires_at, history.claim.wanted_until) if t), default=now
    )
    later = max(now, silence)
    decision = history.ask(request("last", LOW, patience=0), later)
    assert decision.granted
