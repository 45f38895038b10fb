"""What recorded calls say of a connection that failed, counted by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.data_intelligence.pattern_recognition.failures import explain
from blocks.business.connections import Connection
from blocks.business.suppliers import SupplierConnection
from blocks.ledger import CallRecord
from blocks.vocabulary.messages import ErrorInfo, Outcome, new_id

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ACME = Connection("supplier", "acme", SupplierConnection(name="acme", base_url="http://acme"))
DOWN = "supplier 'acme' cannot be reached (http://acme)."


def call(minute: int, *, error: str | ErrorInfo = "", **fields: Any) -> CallRecord:
    failure = error if isinstance(error, ErrorInfo) else None
    if isinstance(error, str) and error:
        failure = ErrorInfo(code="source-unavailable", what=error)
    given: dict[str, Any] = {
        "message_id": new_id(),
        "run_id": None,
        "sender": "system-orchestrator",
        "agent": "integration-specialist",
        "action": "fetch_data",
        "priority": 2,
        "sent_at": NOON + timedelta(minutes=minute),
        "payload": {},
        "outcome": Outcome.FAILED if error else Outcome.SUCCEEDED,
        "reply": None if error else {"result": {}},
        "error": failure,
        "attempts": 1,
        "duration_ms": 1.0,
    }
    return CallRecord(**given | fields)


def found(severity: str) -> dict[str, Any]:
    finding = {"resource": "supplier:acme", "severity": severity, "title": "acme is ill"}
    return {"result": {"findings": [finding]}}


OTHERS = [call(minute, action="analyze") for minute in (0, 11, 12, 13)]


def test_a_partner_that_alone_fails_is_the_cause_since_its_first_failure_in_a_row():
    about = [
        call(1, error=DOWN),
        call(5, payload={"source": "acme"}),  # well in between
        call(10, error=DOWN),
        call(14, reply=found("error")),
        call(15, error=DOWN),
        call(16, payload={"source": "acme"}, outcome=None),  # not answered yet
    ]
    seen = explain(ACME, [*OTHERS, *about][::-1], 24)
    assert (seen.calls, seen.failed, seen.since) == (5, 4, NOON + timedelta(minutes=10))
    assert [(e.what, e.times) for e in seen.errors] == [
        (f"source-unavailable: {DOWN}", 3),
        ("acme is ill", 1),
    ]
    # Since the first failure: three of the other calls, and none failed.
    assert (seen.others_calls, seen.others_failed, seen.cause) == (3, [], "partner")
    assert seen.summary.startswith(
        "4 of 5 calls that concerned acme found it failing, and it fails since 2026-03-02 12:10"
    )
    assert seen.summary.endswith("so the cause lies with acme.")
    assert [f.resource for f in seen.findings] == ["supplier:acme"]


@pytest.mark.parametrize(("bad", "cause"), [(1, "partner"), (2, "common")])
def test_half_of_all_else_failing_at_the_same_time_is_a_common_cause(bad, cause):
    others = [call(11 + i, action="sync_stock", error="no network") for i in range(bad)]
    others += [call(11 + i, action="analyze") for i in range(4 - bad)]
    seen = explain(ACME, [call(10, error=DOWN), *others], 24)
    assert (seen.cause, seen.others_calls) == (cause, 4)
    assert [(o.what, o.times) for o in seen.others_failed] == [
        ("integration-specialist.sync_stock", bad)
    ]


def test_what_has_recovered_or_never_failed_is_no_finding():
    recovered = explain(ACME, [call(1, error=DOWN), call(2, payload={"source": "acme"})], 24)
    assert (recovered.since, recovered.findings) == (None, [])
    assert "the last one found it well" in recovered.summary
    well = explain(ACME, [call(1, reply=found("info"))], 24)
    assert (well.cause, well.calls, well.failed) == ("none", 1, 0)
    nothing = explain(ACME, OTHERS, 24)
    assert (nothing.cause, nothing.calls) == ("unknown", 0)


def test_a_name_inside_another_word_is_not_the_connection():
    texts = ["acme-two", "the acme", {"name": ["acmes"]}]
    assert explain(ACME, [call(1, payload={"x": texts})], 24).calls == 0
    assert explain(ACME, [call(1, payload={"x": [{"name": ["acme"]}]})], 24).calls == 1
    assert explain(ACME, [call(1, error="supplier 'acme-two' is down")], 24).calls == 0


NAMED = {"connection": "acme", "window_hours": -1}
IDLE = ["invalid-message", "policy-error", "interrupted", "unexpected", "no-agent-available"]


@pytest.mark.parametrize("code", IDLE)
def test_what_fails_by_the_request_or_a_bug_is_no_failure_of_the_connection_that_it_names(code):
    wrong = ErrorInfo(code=code, what="window_hours is -1.")
    typo = call(5, payload=NAMED, error=wrong, outcome=Outcome.FAILED)
    alone = explain(ACME, [typo], 24)
    assert (alone.cause, alone.calls, alone.findings) == ("unknown", 0, [])
    # Nor is it a call that found the connection well: the row of failures goes on over it.
    seen = explain(ACME, [call(1, error=DOWN), typo], 24)
    assert (seen.calls, seen.failed, seen.since) == (1, 1, NOON + timedelta(minutes=1))


def test_a_call_that_missed_its_deadline_may_be_the_connections_failure():
    late = ErrorInfo(code="deadline-missed", what="It did not finish within 120 s.")
    call_ = call(5, payload={"source": "acme"}, error=late, outcome=Outcome.FAILED)
    assert explain(ACME, [call_], 24).failed == 1


def test_typos_elsewhere_are_no_common_cause():
    wrong = ErrorInfo(code="invalid-message", what="There is no service 'x'.")
    typos = [call(11 + i, action="a", error=wrong, outcome=Outcome.FAILED) for i in range(3)]
    seen = explain(ACME, [call(10, error=DOWN), call(11, action="b"), *typos], 24)
    assert (seen.cause, seen.others_calls, seen.others_failed) == ("partner", 1, [])
