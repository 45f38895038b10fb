"""Reasons not to remedy: each rule by hand, and laws that hold for any history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.ledger.work.effects import EffectOutcome, EffectRecord
from blocks.policy.effect_rules import EffectRules
from blocks.vocabulary.effects import EffectStatus, EffectVerdict
from blocks.vocabulary.findings import Finding, Remedy
from blocks.vocabulary.messages import Severity
from flows.orchestrator.effects.rules import Reason, reason_not_to_act

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
REMEDY = Remedy(agent="sre-reliability", action="restart_service", params={"service": "checkout"})


def finding(kind: str = "service-down", service: str = "checkout", remedy: Remedy | None = REMEDY):
    return Finding(
        kind=kind,
        resource=f"service:{service}",
        severity=Severity.ERROR,
        title="It is down",
        remedy=remedy,
    )


def past(
    ago: float,
    status: str = "verified",
    *,
    kind: str = "service-down",
    service: str = "checkout",
    took: float = 0.0,
) -> EffectRecord:
    """A remediation that ended ``ago`` seconds ago (began, when it is still going on)."""
    ended = NOW - timedelta(seconds=ago)
    begun = ended - timedelta(seconds=took)
    is_open = status == "acting"
    outcome = EffectOutcome(verdict=None if is_open else status)
    return EffectRecord(
        kind="sre-reliability.restart_service",
        target=f"service:{service}",
        need_key=f"{kind}-{service}-{ago}-{status}",
        cause=f"{kind}/service:{service}",
        status=EffectStatus.ACTING if is_open else outcome.verdict.status,
        intended_at=begun,
        lease=begun + timedelta(minutes=10) if is_open else None,
        finished_at=None if is_open else ended,
        outcome=outcome,
    )


def judged(found, history, now=NOW, **fields):
    return reason_not_to_act(found, history, now, EffectRules(), timedelta(minutes=5), **fields)


HOUR, DAY = 3600, 86400

CASES = [
    ("nothing happened before", [], None),
    # duplicate-in-progress, resource-busy
    ("the same is under way", [past(30, "acting")], "duplicate-in-progress"),
    ("another is under way", [past(30, "acting", kind="service-slow")], "resource-busy"),
    ("under way elsewhere", [past(30, "acting", service="search")], None),
    ("an intent of 10 minutes ago is dead, and was one failure", [past(600, "acting")], None),
    ("an unknown outcome counts like an unsuccessful one", [past(59, "unknown")], "backoff"),
    ("two of unknown outcome", [past(5000, "unknown"), past(700, "unknown")], "chain"),
    # recently-remediated: 5 minutes
    ("299 s after a success", [past(299)], "recently-remediated"),
    ("300 s after a success", [past(300)], None),
    ("success of another finding", [past(60, kind="service-slow")], "recently-remediated"),
    ("success elsewhere", [past(60, service="search")], None),
    ("counted from the end, not the start", [past(299, took=500)], "recently-remediated"),
    # backoff: 60 s after one failure
    ("59 s after a failure", [past(59, "failed")], "backoff"),
    ("60 s after a failure", [past(60, "failed")], None),
    ("59 s after an inconclusive one", [past(59, "inconclusive")], "backoff"),
    ("119 s after the second failure", [past(DAY + 1, "failed"), past(119, "failed")], "backoff"),
    ("120 s after the second failure", [past(DAY + 1, "failed"), past(120, "failed")], None),
    (
        "a success between resets the backoff",
        [past(DAY + 1, "failed"), past(HOUR, "verified"), past(60, "failed")],
        None,
    ),
    # ineffective-chain: two within 24 h, on the resource
    ("two that did nothing", [past(5000, "ineffective"), past(700, "ineffective")], "chain"),
    ("one failed, one unclear", [past(5000, "failed"), past(700, "inconclusive")], "chain"),
    (
        "of two findings of one resource",
        [past(5000, "failed", kind="service-slow"), past(700, "failed")],
        "chain",
    ),
    ("the first 24 h ago", [past(DAY, "ineffective"), past(700, "ineffective")], None),
    (
        "a success in between does not heal",
        [past(9000, "failed"), past(7000), past(700, "failed")],
        "chain",
    ),
    # consecutive-failures: three of the finding, for an hour
    (
        "three in a row, last 3599 s ago",
        [past(2 * DAY, "failed"), past(2 * DAY - 9, "failed"), past(3599, "failed")],
        "consecutive-failures",
    ),
    (
        "three in a row, last 3600 s ago",
        [past(2 * DAY, "failed"), past(2 * DAY - 9, "failed"), past(3600, "failed")],
        None,
    ),
    (
        "a success broke the row",
        [past(2 * DAY, "failed"), past(2 * DAY - 9, "verified"), past(3000, "failed")],
        None,
    ),
    # budget-spent: ten within an hour, anywhere
    ("ten elsewhere", [past(60 * i, service=f"s{i}") for i in range(1, 11)], "budget-spent"),
    ("nine elsewhere", [past(60 * i, service=f"s{i}") for i in range(1, 10)], None),
    (
        "the tenth an hour ago",
        [past(400 * i, service=f"s{i}") for i in range(9)] + [past(HOUR, service="s9")],
        None,
    ),
    (
        "ten that were not needed",
        [past(60 * i, "not-needed", service=f"s{i}") for i in range(1, 11)],
        None,
    ),
    ("just found unnecessary", [past(5, "not-needed")], None),
]


@pytest.mark.parametrize(("history", "reason"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_each_rule_by_hand(history, reason):
    wanted = "ineffective-chain" if reason == "chain" else reason
    assert judged(finding(), history, NOW) == wanted


@pytest.mark.parametrize("failures", range(1, 9))
def test_backoff_doubles_from_one_minute_to_ten(failures):
    wait = min(60 * 2 ** (failures - 1), 600)
    # All but the last lie more than a day back, so that only the backoff speaks; with three or
    # more failures of one finding the hour's pause speaks first, so they are of another finding.
    old = [past(2 * DAY + i, "failed", kind="service-slow") for i in range(failures - 1)]
    before = [*old, past(wait - 1, "failed")]
    after = [*old, past(wait, "failed")]
    assert judged(finding(), before, NOW) == "backoff"
    assert judged(finding(), after, NOW) is None


def test_without_a_remedy_the_resource_is_unmanaged_whatever_else_holds():
    assert judged(finding(remedy=None), [past(30, "acting")], NOW) == (Reason.UNMANAGED_RESOURCE)


def test_an_intent_that_never_ended_counts_as_a_failure():
    history = [past(2 * HOUR, "acting"), past(HOUR, "failed")]
    assert judged(finding(), history, NOW) == "ineffective-chain"


def test_an_intent_is_in_progress_until_its_own_lease():
    long = past(1200, "acting").model_copy(update={"lease": NOW + timedelta(seconds=1)})
    assert judged(finding(), [long], NOW) == "duplicate-in-progress"
    short = past(30, "acting").model_copy(update={"lease": NOW})
    assert judged(finding(), [short], NOW) == "backoff"


def test_what_could_not_even_be_begun_spends_no_budget():
    refused = [past(60 * i, "failed", service=f"s{i}") for i in range(1, 11)]
    assert judged(finding(), refused, NOW) is None
    outcome = EffectOutcome(verdict="failed", after={"condition": "down"})
    begun = [record.model_copy(update={"outcome": outcome}) for record in refused]
    assert judged(finding(), begun, NOW) == "budget-spent"


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        ([past(60)], None),
        ([past(30, "ineffective"), past(500, "failed")], None),
        ([past(60 * i, service=f"s{i}") for i in range(1, 11)], None),
        ([past(30, "acting")], "duplicate-in-progress"),
        ([past(30, "acting", kind="service-slow")], "resource-busy"),
    ],
)
def test_a_persons_yes_counts_unless_somebody_is_at_it(history, reason):
    assert judged(finding(), history, NOW, approved=True) == reason
    assert judged(finding(), history, NOW) is not None


def test_every_reason_has_a_name_of_its_own_and_an_explanation():
    said = {reason.explanation(EffectRules()) for reason in Reason}
    assert len(said) == len(Reason)
    assert not any("rules" in text for text in said)


records = st.builds(
    past,
    ago=st.floats(0, 3 * DAY),
    status=st.sampled_from(["acting", *EffectVerdict]),
    kind=st.sampled_from(["service-down", "service-slow"]),
    service=st.sampled_from(["checkout", "search"]),
    took=st.floats(0, 120),
)


@given(st.lists(records, max_size=15), st.randoms())
def test_the_order_of_the_history_does_not_matter(history, random):
    shuffled = history.copy()
    random.shuffle(shuffled)
    assert judged(finding(), history, NOW) == judged(finding(), shuffled, NOW)


@given(st.lists(records, max_size=15))
def test_every_block_ends_when_nothing_is_done_for_a_day(history):
    assert judged(finding(), history, NOW + timedelta(days=2)) is None


@given(st.lists(records, max_size=15))
def test_other_resources_only_ever_spend_the_budget(history):
    elsewhere = [r for r in history if r.target != "service:checkout"]
    assert judged(finding(), elsewhere, NOW) in {None, Reason.BUDGET_SPENT}


@given(st.lists(records, max_size=15))
def test_what_lies_in_the_future_is_not_history(history):
    later = [
        r.model_copy(update={"intended_at": NOW + timedelta(seconds=1), "finished_at": None})
        for r in history
    ]
    assert judged(finding(), later, NOW) is None


def put_back(ago: float, verdict: str) -> EffectRecord:
    return past(ago, verdict).model_copy(update={"status": EffectStatus.UNDONE})


def test_what_helped_and_was_put_back_as_it_was_meant_to_be_is_no_failure():
    for times in range(1, 5):
        history = [put_back(400 + minute * 60, "verified") for minute in range(times)]
        assert judged(finding(), history) is None
    assert judged(finding(), [put_back(30, "ineffective")]) is Reason.BACKOFF
    assert judged(finding(), [put_back(30, "unknown")]) is Reason.BACKOFF
