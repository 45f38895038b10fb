"""Recorded decisions, made again under another policy."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.capability import ANYBODY, action, policy_of
from agents.registry import ActionSpec, AgentSpec, Registry
from blocks.ledger.calls.records import ReceiptKind, ReceiptRecord
from blocks.ledger.work.tasks import TaskRecord
from blocks.policy.policy import Policy
from blocks.vocabulary.severity import Severity
from blocks.vocabulary.urgency import urgency
from flows.orchestrator.decisions.replay import Question, Replay, replay
from flows.orchestrator.dispatch.selection import Candidate, select

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@action(askers=ANYBODY)
def mend(now: datetime) -> None:
    """Mend something."""


TEAM = Registry(
    {"fixer": AgentSpec("fixer", "Fixer", "Mends.", capacity=3)},
    [ActionSpec("fixer", "mending", "mend", mend, policy_of(mend))],
)
REPAIR = {"roles": {"primary": {"agent": "fixer", "action": "mend"}}}


def policy(**changes: Any) -> Policy:
    return Policy.extended({"task_types": {"repair": REPAIR}} | changes)


THEN = policy(instances=[{"name": "fixer/2", "agent": "fixer"}])


def routed(subject: str = "t", *, severity: Severity = Severity.WARNING, **inputs: Any) -> Any:
    """The receipt of a routing under the policy of then."""
    impact, deadline = inputs.get("impact_per_hour"), inputs.get("deadline")
    urgent = urgency(
        severity, NOON, impact_per_hour=impact, deadline=deadline, rules=THEN.priorities
    )
    known = {"task_type": "repair", "severity": severity.value, "at": NOON.isoformat()} | inputs
    decision = {"roles": {"primary": "fixer.mend"}, "priority": urgent.priority.name.lower()}
    return receipt(ReceiptKind.ROUTE, subject, {"inputs": known, "decision": decision})


def selected(*candidates: Candidate, unable: str = "") -> ReceiptRecord:
    """The receipt of a selection under the policy of then."""
    selection = select(candidates, THEN.selection, seed="m")
    chosen = selection.chosen and selection.chosen.instance
    told: list[dict[str, Any]] = [{"name": c.instance} for c in candidates]
    told += [{"name": unable, "lost_because": "remote"}] if unable else []
    inputs = {"agent": "fixer", "action": "mend", "seed": "m"}
    inputs |= {"candidates": [asdict(c) for c in candidates]}
    body = {"inputs": inputs, "decision": {"instance": chosen}, "candidates": told}
    return receipt(ReceiptKind.SELECT, "m", body)


def receipt(kind: ReceiptKind, subject: str, body: dict[str, Any]) -> ReceiptRecord:
    return ReceiptRecord(
        at=NOON, kind=kind, subject=subject, policy_version=THEN.version, body=body
    )


def candidate(name: str, workload: int = 0, **fields: Any) -> Candidate:
    known = {"expertise": 1.0, "successes": 50.0, "failures": 0.0, "mean_ms": 100.0, "timed": 50.0}
    return Candidate(name, "fixer", 3, workload, **known | fields)


SLOW_IDLE = candidate("fixer", mean_ms=400.0)
FAST_BUSY = candidate("fixer/2", workload=1, mean_ms=100.0)


def counts(told: Replay) -> dict[str, tuple[int, int]]:
    return {t.question.value: (t.same, t.different) for t in told.tallies if t.same + t.different}


def again(other: Policy, *receipts: ReceiptRecord, **more: Any) -> Replay:
    return replay(receipts, other, TEAM, policies={THEN.version: THEN}, **more)


def test_the_same_policy_decides_the_same_again() -> None:
    receipts = [
        routed(),
        routed(severity=Severity.CRITICAL),
        routed(impact_per_hour=500.0, deadline=NOON + timedelta(minutes=30)),
        selected(SLOW_IDLE, FAST_BUSY),
        selected(FAST_BUSY, unable="fixer"),
        selected(candidate("fixer", workload=3), candidate("fixer/2", workload=3)),
        receipt(ReceiptKind.RECOVER, "t", {}),
    ]
    told = again(THEN, *receipts)
    assert counts(told) == {"routing": (3, 0), "priority": (3, 0), "selection": (3, 0)}
    assert (told.differences, told.skipped) == ([], {})
    assert told.policy_version == THEN.version


def test_a_type_that_is_no_longer_known_would_be_refused() -> None:
    other = Policy.model_validate({"task_types": {"repairs": REPAIR}})
    told = again(other, routed())
    assert counts(told) == {"routing": (0, 1)}
    (difference,) = told.differences
    assert (difference.recorded, difference.replayed) == ("primary fixer.mend", "refused")
    assert "No agent available for task type: repair Did you mean repairs?" in difference.why


def test_roles_that_would_be_played_by_others_are_told() -> None:
    roles = {
        "primary": {"agent": "fixer", "action": "mend"},
        "monitor": {"agent": "fixer", "action": "mend"},
    }
    told = again(policy(task_types={"repair": {"roles": roles}}), routed())
    assert counts(told) == {"routing": (0, 1), "priority": (1, 0)}
    (difference,) = told.differences
    assert (difference.recorded, difference.replayed) == ("monitor nobody", "monitor fixer.mend")
    assert difference.why == "The matrix gives another monitor."


def test_priorities_are_judged_anew_with_their_reasons() -> None:
    told = again(policy(priorities={"great_loss_per_hour": 10.0}), routed(impact_per_hour=10.0))
    (difference,) = told.differences
    assert (difference.recorded, difference.replayed) == ("normal", "high")
    assert difference.question is Question.PRIORITY
    assert "10 per hour at risk: 25" in difference.why


@pytest.mark.parametrize(
    ("severity", "replayed"), [(Severity.WARNING, ["critical"]), (Severity.ERROR, [])]
)
def test_the_usual_severity_of_a_type_follows_the_policy_and_a_given_one_stays(
    severity: Severity, replayed: list[str]
) -> None:
    other = policy(task_types={"repair": REPAIR | {"severity": "critical"}})
    told = again(other, routed(severity=severity))
    assert [difference.replayed for difference in told.differences] == replayed
    unknown_then = replay([routed(severity=severity)], other, TEAM)
    assert unknown_then.differences == []


def test_other_weights_choose_another_instance_and_say_why_the_first_lost() -> None:
    fast = selected(SLOW_IDLE, FAST_BUSY)
    other = policy(
        instances=[{"name": "fixer/2", "agent": "fixer"}], selection={"latency": 0, "workload": 10}
    )
    only_speed = policy(
        instances=[{"name": "fixer/2", "agent": "fixer"}], selection={"latency": 10, "workload": 0}
    )
    chosen = {fast.body["decision"]["instance"]}
    for rules in (other, only_speed):
        chosen |= {difference.replayed for difference in again(rules, fast).differences}
    assert chosen == {"fixer", "fixer/2"}
    reasons = [d.why for rules in (other, only_speed) for d in again(rules, fast).differences]
    assert all("is busier" in why or "is slower" in why for why in reasons)


def test_what_is_configured_of_an_instance_follows_the_policy() -> None:
    recorded = selected(candidate("fixer"), candidate("fixer/2", workload=3))
    assert recorded.body["decision"] == {"instance": "fixer"}
    wide = {"name": "fixer/2", "agent": "fixer", "capacity": 300}
    unsuited = {"name": "fixer", "agent": "fixer", "expertise": {"mending": 0.0}}
    (difference,) = again(policy(instances=[wide, unsuited]), recorded).differences
    assert (difference.recorded, difference.replayed) == ("fixer", "fixer/2")
    assert difference.why == "fixer is less expert: 0.00 against 1.00."


def test_an_instance_that_is_there_no_longer_is_not_chosen_and_a_new_one_may_be() -> None:
    taken = selected(candidate("fixer", workload=3), candidate("fixer/2"))
    new = [{"name": "fixer/3", "agent": "fixer"}]
    (difference,) = again(policy(instances=new), taken).differences
    assert (difference.replayed, difference.why) == (
        "fixer/3",
        "The policy has no instance fixer/2.",
    )
    (difference,) = again(policy(), taken).differences
    assert difference.replayed == "nobody"
    full = selected(candidate("fixer", workload=3))
    (difference,) = again(policy(instances=new), full).differences
    assert (difference.recorded, difference.replayed) == ("nobody", "fixer/3")
    assert difference.why == "fixer/3 has room."


def test_who_could_not_be_asked_then_cannot_be_asked_now() -> None:
    recorded = selected(candidate("fixer", workload=2), unable="fixer/2")
    other = policy(instances=[{"name": "fixer/2", "agent": "fixer"}], selection={"workload": 10})
    assert counts(again(other, recorded)) == {"selection": (1, 0)}


def test_what_cannot_be_decided_again_is_counted() -> None:
    gone = selected(candidate("fixer"))
    gone.body["inputs"]["action"] = "paint"
    receipts = [
        receipt(ReceiptKind.ROUTE, "t", {}),
        receipt(ReceiptKind.SELECT, "t", {"inputs": 1}),
        gone,
    ]
    tasks = [TaskRecord(id=id_, task_type="repair", requested_at=NOON) for id_ in ("t", "u", "v")]
    told = again(THEN, *receipts, tasks=tasks)
    assert counts(told) == {}
    assert told.skipped == {
        "its receipt does not hold what it rested on": 2,
        "fixer.paint is there no longer": 1,
        "a task without a receipt of its routing": 2,
    }
